//! The ext4 file system on the drive.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use uuid::Uuid;

/// Facts from an ext4 superblock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Superblock {
    /// UUID.
    pub uuid: Uuid,
    /// Label.
    pub label: String,
    /// It was unmounted in order (or has a journal to make up for it).
    pub clean: bool,
    /// The kernel or e2fsck saw errors in it.
    pub errors: bool,
    /// The journal holds changes to be replayed.
    pub journal_to_replay: bool,
    /// Mounts since the last check.
    pub mounts: u16,
    /// Mounts after which to check; `None` if never.
    pub mounts_limit: Option<u16>,
    /// Last check, in seconds since 1970.
    pub checked: u64,
    /// Seconds after which to check; `None` if never.
    pub interval: Option<u64>,
}

/// Why the file system asks for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckReason {
    /// Errors were seen in it.
    Errors,
    /// It was not unmounted in order.
    NotClean,
    /// The journal holds changes to be replayed.
    JournalToReplay,
    /// Mounted often enough since the last check.
    Mounts,
    /// The last check is long ago.
    Interval,
}

/// How far a check may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Only what is safe without asking (`e2fsck -p`).
    Preen,
    /// Everything, answering yes (`e2fsck -y`). Needs the person's consent.
    Everything,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No errors.
    Clean,
    /// Errors were mended.
    Fixed,
    /// Errors were mended in a mounted file system: reboot.
    NeedsReboot,
    /// Errors are left: a person must decide on [`Repair::Everything`].
    Unfixed,
}

/// A finished check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it came to.
    pub outcome: Outcome,
    /// What e2fsck said.
    pub output: String,
}

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
    #[error("{device} holds no ext4 file system")]
    NotExt4 {
        /// The device.
        device: PathBuf,
    },
    /// Somebody uses the device.
    #[error("{device} is in use")]
    InUse {
        /// The device.
        device: PathBuf,
    },
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

/// Makes an ext4 file system labelled [`crate::LABEL`]. Destroys what was there. Takes minutes on
/// a large drive, as everything is laid out now instead of later in the background.
pub fn make(device: &Path) -> Result<Uuid, FilesystemError> {
    let _ = device;
    todo!()
}

/// Reads the superblock.
pub fn superblock(device: &Path) -> Result<Superblock, FilesystemError> {
    let _ = device;
    todo!()
}

/// Does the file system ask for a check? Decided over facts.
pub fn needs_check(superblock: &Superblock, now: SystemTime) -> Option<CheckReason> {
    let _ = (superblock, now);
    todo!()
}

/// Checks and mends an unmounted file system.
///
/// # Errors
/// When e2fsck could not do its work; errors found in the file system are an [`Outcome`].
pub fn check(device: &Path, repair: Repair) -> Result<Check, FilesystemError> {
    let _ = (device, repair);
    todo!()
}
