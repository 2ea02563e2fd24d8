//! Which cards are attached, what is on them, and whether they may be overwritten.
//!
//! From sysfs and the mount table alone. `appliance-drive` knows more, and needs libcryptsetup and
//! libblkid for it, which a program for any PC does not want to bring along.

mod mounts;
mod refusal;
mod scan;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use refusal::{Refusal, refusal};
pub use scan::{device, list};

/// Roots of `/sys`, `/dev` and `/proc`. Tests point them at a made-up tree.
#[derive(Debug, Clone)]
pub struct Roots {
    sys: PathBuf,
    dev: PathBuf,
    proc: PathBuf,
}

impl Roots {
    /// The running machine.
    pub fn live() -> Self {
        Self::under(Path::new("/"))
    }

    /// `sys`, `dev` and `proc` under a folder.
    pub fn under(root: &Path) -> Self {
        Self {
            sys: root.join("sys"),
            dev: root.join("dev"),
            proc: root.join("proc"),
        }
    }
}

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Kernel name, such as `sdb`: what a person types to consent.
    pub name: String,
    /// Device node.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Vendor and model, as the device tells them.
    pub model: Option<String>,
    /// How it is attached: `usb`, `sd`, or what the kernel calls it.
    pub transport: String,
    /// Whether it can be taken out: a card, a USB disk, or what the kernel calls removable.
    pub removable: bool,
    /// Whether it is write-protected.
    pub read_only: bool,
    /// What is on it, in words.
    pub content: String,
    /// Mount points of it and its partitions, and of what is stacked on them.
    pub mounted: Vec<PathBuf>,
    /// Who else uses it: mappings, RAIDs, swap.
    pub held: Vec<String>,
}

/// Devices could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A file of the kernel's could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such disk.
    #[error("{} is not a disk that is attached", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// It is a part of a disk.
    #[error("{} is a partition: an image goes onto a whole disk, {}", path.display(), disk.display())]
    Partition {
        /// What was asked for.
        path: PathBuf,
        /// The whole disk.
        disk: PathBuf,
    },
}
