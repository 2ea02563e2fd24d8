//! Mounting the drive, and getting rid of one that was pulled out.

pub(crate) mod table;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::System;
use crate::luks::LuksError;

/// One line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mounted {
    /// Mount point.
    pub at: PathBuf,
    /// What is mounted, such as `/dev/mapper/immich_drive`.
    pub source: PathBuf,
    /// Major and minor number of the file system's device.
    pub number: (u32, u32),
    /// Kind of the file system.
    pub kind: String,
    /// Mounted, or fallen back, to read-only.
    pub read_only: bool,
}

/// Whether writing under the bare mount point is impossible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Guard {
    /// The folder is immutable.
    Immutable,
    /// The file system beneath knows no immutable folders.
    Unsupported {
        /// Why.
        why: String,
    },
}

/// What [`detach`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Detached {
    /// The file system was taken out of the tree.
    pub unmounted: bool,
    /// The mapping was taken down.
    pub unmapped: bool,
}

/// A unit drop-in that ties the mount to the disk beneath it; see [`binding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Unit it is for, such as `mnt-immich_drive.mount`.
    pub unit: String,
    /// Where to write it, under `/run/systemd/system`.
    pub path: PathBuf,
    /// What to write.
    pub text: String,
}

/// Mounting or unmounting failed.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mount point is no folder.
    #[error("the mount point {path} is not a folder")]
    NotAFolder {
        /// The mount point.
        path: PathBuf,
    },
    /// Files lie under the bare mount point; mounting would hide them.
    #[error("the mount point {path} is not empty: it holds {first}")]
    NotEmpty {
        /// The mount point.
        path: PathBuf,
        /// One entry.
        first: String,
    },
    /// Something else is mounted there.
    #[error("{source_there} is already mounted at {path}")]
    Occupied {
        /// The mount point.
        path: PathBuf,
        /// What is mounted there.
        source_there: PathBuf,
    },
    /// Somebody holds files.
    #[error("{path} is busy")]
    Busy {
        /// The mount point. [`crate::holders::holders`] says who.
        path: PathBuf,
    },
    /// The mapping beneath could not be taken down.
    #[error(transparent)]
    Luks(#[from] LuksError),
    /// The mount table could not be read.
    #[error("cannot read the mount table: {why}")]
    Table {
        /// Why.
        why: String,
    },
    /// The kernel refused.
    #[error("cannot {doing} {path}: {source}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// What is mounted at `mount_point`, topmost; `None` if nothing.
pub fn mounted_at(system: &System, mount_point: &Path) -> Result<Option<Mounted>, MountError> {
    let _ = (system, mount_point);
    todo!()
}

/// Makes the mount point ready: an empty folder, mode 0755, owned by root and immutable, so that
/// nothing is ever written beneath the mount.
pub fn prepare(system: &System, mount_point: &Path) -> Result<Guard, MountError> {
    let _ = (system, mount_point);
    todo!()
}

/// Mounts the ext4 file system on `device`: nodev, nosuid, noatime. Already mounted there is done.
pub fn mount(system: &System, device: &Path, mount_point: &Path) -> Result<(), MountError> {
    let _ = (system, device, mount_point);
    todo!()
}

/// Unmounts. Not mounted is done.
pub fn unmount(system: &System, mount_point: &Path) -> Result<(), MountError> {
    let _ = (system, mount_point);
    todo!()
}

/// Is the disk still attached on which the mapping `/dev/mapper/<mapper>` lies? `None` if there is
/// no such mapping.
pub fn device_alive(system: &System, mapper: &str) -> Result<Option<bool>, MountError> {
    let _ = (system, mapper);
    todo!()
}

/// Clears up after a drive that was pulled out: takes the mount out of the tree even if files are
/// open, and the mapping down as soon as nobody holds it, so that the next unlock works. Nothing
/// to clear is done.
pub fn detach(system: &System, mount_point: &Path, mapper: &str) -> Result<Detached, MountError> {
    let _ = (system, mount_point, mapper);
    todo!()
}

/// The drop-in that makes systemd unmount `mount_point`, and so stop everything bound to the
/// mount, when the disk with that UUID is pulled out. Reload systemd after writing it.
pub fn binding(mount_point: &Path, uuid: Uuid) -> Binding {
    let _ = (mount_point, uuid);
    todo!()
}
