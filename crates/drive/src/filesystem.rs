//! The ext4 file system on the drive.

mod check;
mod make;
mod superblock;
mod tool;

use std::io;
use std::path::{Path, PathBuf};

use appliance_blockdev::ConsentError;
pub use check::{Check, Outcome, Repair, check};
pub use make::make;
pub use superblock::{CheckReason, Superblock, needs_check, superblock};

use crate::luks::LuksError;

/// Work on the file system failed.
#[derive(Debug, thiserror::Error)]
pub enum FilesystemError {
    /// The device could not be read.
    #[error("cannot read the superblock of {device}: {source}")]
    Read {
        /// The device.
        device: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No ext4 file system there.
    #[error("{device} holds {holds}, no ext4 file system")]
    NotExt4 {
        /// The device.
        device: PathBuf,
        /// What is there instead, in words.
        holds: String,
    },
    /// Somebody uses the device.
    #[error("{device} is in use")]
    InUse {
        /// The device.
        device: PathBuf,
    },
    /// It is not the device that was consented to.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// The tool is not installed or did not start.
    #[error("cannot start {tool}: {source}")]
    Start {
        /// The tool.
        tool: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The tool failed.
    #[error("{tool} failed on {device} ({status}): {output}")]
    Failed {
        /// The tool.
        tool: &'static str,
        /// The device.
        device: PathBuf,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
}

/// Refuses a device that anybody uses: the tools would ask, and nobody could answer.
fn refuse_in_use(device: &Path) -> Result<(), FilesystemError> {
    match crate::luks::exclusive(device) {
        Ok(_) => Ok(()),
        Err(LuksError::InUse { .. }) => Err(FilesystemError::InUse {
            device: device.to_owned(),
        }),
        Err(LuksError::File { source, .. }) => Err(FilesystemError::Read {
            device: device.to_owned(),
            source,
        }),
        Err(other) => Err(FilesystemError::Read {
            device: device.to_owned(),
            source: io::Error::other(other.to_string()),
        }),
    }
}
