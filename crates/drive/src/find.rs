//! Which of the attached devices is the appliance's drive.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use crate::inspect::BlockDevice;

/// A drive named by the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// UUID of the LUKS header, or of the file system of an unencrypted drive. Naming it
    /// overrules the remembered one.
    Uuid(Uuid),
    /// A device path or a link to one.
    Path(PathBuf),
    /// A name under `/dev/disk/by-id`.
    ById(String),
}

impl FromStr for Wanted {
    type Err = std::convert::Infallible;

    /// A UUID (also as `UUID=…`), else an absolute path, else a name under `/dev/disk/by-id`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix("UUID=").unwrap_or(text);
        Ok(if let Ok(uuid) = Uuid::try_parse(bare) {
            Self::Uuid(uuid)
        } else if text.starts_with('/') {
            Self::Path(PathBuf::from(text))
        } else {
            Self::ById(text.to_owned())
        })
    }
}

/// The drive that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The device that holds it.
    pub device: BlockDevice,
    /// UUID of the LUKS header, or of the file system if it is not encrypted.
    pub uuid: Uuid,
    /// It has a LUKS header (else it is a plain ext4 file system).
    pub encrypted: bool,
}

/// No drive could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The drive is not attached.
    #[error("the drive{} is not attached", match .wanted { Some(wanted) => format!(" {wanted}"), None => String::new() })]
    NotFound {
        /// What was looked for: the remembered UUID, or what the person named.
        wanted: Option<String>,
    },
    /// More than one drive could be meant.
    #[error("several drives are attached: {}", list(.devices))]
    Several {
        /// All of them: path and UUID.
        devices: Vec<(PathBuf, Uuid)>,
    },
    /// Another drive than the remembered one.
    #[error("{device} is another drive (UUID {found}); this machine's drive has UUID {expected}")]
    Foreign {
        /// The device.
        device: PathBuf,
        /// Its UUID.
        found: Uuid,
        /// The remembered UUID.
        expected: Uuid,
    },
    /// Nothing is on it.
    #[error("{device} is blank")]
    Blank {
        /// The device.
        device: PathBuf,
    },
    /// Something else is on it.
    #[error("{device} is not an appliance drive: it holds {holds}")]
    NotADrive {
        /// The device.
        device: PathBuf,
        /// What is on it, in words.
        holds: String,
    },
    /// The kernel refuses to write to it.
    #[error("{device} is read-only")]
    ReadOnly {
        /// The device.
        device: PathBuf,
    },
    /// Its creation was interrupted, so nothing of worth is on it.
    #[error("the creation of the drive on {device} was not finished")]
    Unfinished {
        /// The device.
        device: PathBuf,
        /// UUID of its header.
        uuid: Uuid,
    },
}

fn list(devices: &[(PathBuf, Uuid)]) -> String {
    devices
        .iter()
        .map(|(path, uuid)| format!("{} (UUID {uuid})", path.display()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Chooses the drive among `devices` (as [`crate::inspect::list`] gives them): the one `wanted`,
/// else the `remembered` one, else the only one attached.
///
/// # Errors
/// See [`FindError`].
pub fn choose(
    devices: &[BlockDevice],
    remembered: Option<Uuid>,
    wanted: Option<&Wanted>,
) -> Result<Found, FindError> {
    let _ = (devices, remembered, wanted);
    todo!()
}
