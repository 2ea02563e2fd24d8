//! How far along the drive is, from absent to mounted.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::System;
use crate::find::{FindError, Found, Wanted};
use crate::inspect::InspectError;
use crate::mount::{MountError, Mounted};

/// What the settings and the memory of this machine say about the drive.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Name under `/dev/mapper`.
    pub mapper: &'a str,
    /// Mount point.
    pub mount_point: &'a Path,
    /// UUID remembered from the first use.
    pub remembered: Option<Uuid>,
    /// Drive named by the person.
    pub wanted: Option<&'a Wanted>,
}

/// State of the drive. Every one is a state to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveState {
    /// No drive can be used; why says which of the reasons it is.
    Absent(FindError),
    /// Attached, locked.
    Locked(Found),
    /// Opened (or not encrypted), not mounted.
    Unlocked {
        /// The drive.
        found: Found,
        /// What to mount: `/dev/mapper/<mapper>`, or the device itself if not encrypted.
        node: PathBuf,
    },
    /// Mounted.
    Mounted {
        /// The drive.
        found: Found,
        /// The mount.
        mount: Mounted,
    },
    /// Pulled out while opened or mounted; [`crate::mount::detach`] clears it up.
    Gone {
        /// The mount left over, if any.
        mount: Option<Mounted>,
        /// The mapping left over, if any.
        mapper: Option<String>,
    },
    /// Something else stands in the way: another file system at the mount point, or another
    /// device under the mapper name.
    Occupied {
        /// What it is, in words.
        by: String,
    },
}

impl DriveState {
    /// One word for it: absent, locked, unlocked, mounted, gone, occupied.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent(_) => "absent",
            Self::Locked(_) => "locked",
            Self::Unlocked { .. } => "unlocked",
            Self::Mounted { .. } => "mounted",
            Self::Gone { .. } => "gone",
            Self::Occupied { .. } => "occupied",
        }
    }
}

/// The state could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Block devices could not be read.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The mount table could not be read.
    #[error(transparent)]
    Mount(#[from] MountError),
}

/// Observes the state. Changes nothing.
pub fn observe(system: &System, expected: &Expected<'_>) -> Result<DriveState, StateError> {
    let _ = (system, expected);
    todo!()
}
