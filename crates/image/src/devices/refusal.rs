use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Device;

/// Why a disk must not be overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Refusal {
    /// This computer runs from it.
    #[error("{} holds the system of this computer ({what})", device.display())]
    System {
        /// The disk.
        device: PathBuf,
        /// Its mount points and swap.
        what: String,
    },
    /// It, or a partition of it, is mounted.
    #[error("{} is mounted at {}", device.display(), at.display())]
    Mounted {
        /// The disk.
        device: PathBuf,
        /// Where.
        at: PathBuf,
    },
    /// Held by a mapping or a RAID.
    #[error("{} is in use by {by}", device.display())]
    InUse {
        /// The disk.
        device: PathBuf,
        /// The holder's name.
        by: String,
    },
    /// It is write-protected.
    #[error("{} is write-protected", device.display())]
    ReadOnly {
        /// The disk.
        device: PathBuf,
    },
    /// The image does not fit.
    #[error("{} is too small: it has {size} bytes, the image {needed}", device.display())]
    TooSmall {
        /// The disk.
        device: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The image's size in bytes.
        needed: u64,
    },
    /// It is built in: most likely not what was meant. The one refusal that a person can lift.
    #[error("{} cannot be taken out of this computer", device.display())]
    NotRemovable {
        /// The disk.
        device: PathBuf,
    },
}

/// Where a running system has its files.
const FOLDERS: [&str; 8] = [
    "/boot", "/efi", "/nix", "/usr", "/var", "/etc", "/home", "/opt",
];

/// Why `device` must not be overwritten with an image of `needed` bytes (where that is known);
/// `None` when it may be. `not_removable` is the name a person typed for a disk that is built in.
pub fn refusal(
    device: &Device,
    needed: Option<u64>,
    not_removable: Option<&str>,
) -> Option<Refusal> {
    let path = || device.path.clone();
    let of_the_system = |at: &&PathBuf| {
        at.as_path() == Path::new("/") || FOLDERS.iter().any(|folder| at.starts_with(folder))
    };
    let mut system: Vec<String> = device
        .mounted
        .iter()
        .filter(of_the_system)
        .map(|at| at.display().to_string())
        .collect();
    if device.held.iter().any(|by| by == "swap") {
        system.push("swap".to_owned());
    }
    if !system.is_empty() {
        return Some(Refusal::System {
            device: path(),
            what: system.join(", "),
        });
    }
    if let Some(at) = device.mounted.first() {
        return Some(Refusal::Mounted {
            device: path(),
            at: at.clone(),
        });
    }
    if let Some(by) = device.held.first() {
        return Some(Refusal::InUse {
            device: path(),
            by: by.clone(),
        });
    }
    if device.read_only {
        return Some(Refusal::ReadOnly { device: path() });
    }
    if let Some(needed) = needed.filter(|needed| *needed > device.size) {
        return Some(Refusal::TooSmall {
            device: path(),
            size: device.size,
            needed,
        });
    }
    if !device.removable && not_removable != Some(&device.name) {
        return Some(Refusal::NotRemovable { device: path() });
    }
    None
}
