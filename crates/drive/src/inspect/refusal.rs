//! May a device be overwritten? Decided over facts alone.

use std::path::PathBuf;

use serde::Serialize;

use super::BlockDevice;

/// Smallest device that a drive is made on, in bytes.
pub const MINIMUM_SIZE: u64 = 512 << 20;

/// Why a device must not be overwritten, whatever the person says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Refusal {
    /// The running system lives on it.
    #[error("{device} holds the running system ({what})")]
    RunningSystem {
        /// The device.
        device: PathBuf,
        /// Mount points and swap on it.
        what: String,
    },
    /// It, or a partition of it, is mounted.
    #[error("{device} is mounted at {at}")]
    Mounted {
        /// The device.
        device: PathBuf,
        /// Mount point.
        at: PathBuf,
    },
    /// Held by a mapping or a RAID.
    #[error("{device} is in use by {by}")]
    InUse {
        /// The device.
        device: PathBuf,
        /// Holder's name.
        by: String,
    },
    /// The kernel refuses to write to it.
    #[error("{device} is read-only")]
    ReadOnly {
        /// The device.
        device: PathBuf,
    },
    /// Smaller than [`MINIMUM_SIZE`].
    #[error("{device} is too small: {size} bytes, at least {minimum} are needed")]
    TooSmall {
        /// The device.
        device: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// [`MINIMUM_SIZE`].
        minimum: u64,
    },
    /// Its content could not be read, so nobody knows what would be lost.
    #[error("{device} cannot be read: {why}")]
    Unreadable {
        /// The device.
        device: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a person should know before a device is overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Note {
    /// A partition: the rest of the disk stays as it is.
    Partition {
        /// Kernel name of the disk.
        disk: String,
    },
    /// A whole disk: these partitions would go with it.
    Partitions {
        /// Their paths.
        paths: Vec<PathBuf>,
    },
    /// Something is on it.
    HasContent,
    /// Attached inside the machine rather than by USB.
    Internal,
}

/// Why `device` must not be overwritten; `None` when it may be.
pub fn refusal(device: &BlockDevice) -> Option<Refusal> {
    let _ = device;
    todo!()
}

/// What a person should know before `device` is overwritten.
pub fn notes(device: &BlockDevice) -> Vec<Note> {
    let _ = device;
    todo!()
}
