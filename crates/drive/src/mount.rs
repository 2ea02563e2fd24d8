//! Mounting the drive, and getting rid of one that was pulled out.
//!
//! # When the drive is pulled out
//!
//! The kernel removes the disk, but nothing above it: the mapping stays and fails every read and
//! write, the mount stays, and systemd, which looks at the mapping's device only, sees nothing
//! amiss. So `unlock` starts the target of [`binding`], which ties the mount unit to the disk
//! itself. When that goes, systemd stops the target and with it the mount unit, first everything
//! that requires it (the services), and unmounts. What is left is the mapping, and a mount that
//! somebody still uses; the next `unlock` sees [`crate::state::DriveState::Gone`] and clears both
//! with [`detach`].

mod binding;
mod gone;
mod point;

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

pub use appliance_blockdev::Mounted;
use appliance_blockdev::mounts;
use nix::errno::Errno;
use nix::libc;
use sys_mount::{MountFlags, UnmountFlags};

pub use binding::{Binding, binding};
pub use gone::{Detached, detach, device_alive};
pub(crate) use gone::{Mapping, mapping, number_alive};
pub use point::{Guard, prepare};

use crate::System;
use crate::luks::LuksError;

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

impl MountError {
    fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Failed {
            doing,
            path,
            source,
        }
    }
}

/// How often the same place is unmounted, should mounts be stacked there.
const STACKED: usize = 8;

/// What is mounted at `mount_point`, topmost; `None` if nothing.
///
/// # Errors
/// [`MountError::Table`].
pub fn mounted_at(system: &System, mount_point: &Path) -> Result<Option<Mounted>, MountError> {
    let mounts = mounts(system).map_err(|error| MountError::Table {
        why: error.to_string(),
    })?;
    // The table holds real paths. A dead mount may refuse the look-up: then as it is.
    let real = fs::canonicalize(mount_point).unwrap_or_else(|_| mount_point.to_owned());
    Ok(mounts.into_iter().rfind(|mount| mount.at == real))
}

/// Mounts the ext4 file system on `device`: nodev, nosuid, noatime, read-only from the first error
/// on. Already mounted there is done. Call [`prepare`] before.
///
/// # Errors
/// [`MountError::Occupied`], [`MountError::NotEmpty`], [`MountError::NotAFolder`].
pub fn mount(system: &System, device: &Path, mount_point: &Path) -> Result<(), MountError> {
    const DOING: &str = "mount the drive at";
    if let Some(there) = mounted_at(system, mount_point)? {
        let data = fs::metadata(device).map_err(MountError::failed("look at", device))?;
        let number = (
            nix::sys::stat::major(data.rdev()),
            nix::sys::stat::minor(data.rdev()),
        );
        let same = data.file_type().is_block_device()
            && (u64::from(there.number.0), u64::from(there.number.1)) == number;
        return if same {
            Ok(())
        } else {
            Err(MountError::Occupied {
                path: mount_point.to_owned(),
                source_there: there.source,
            })
        };
    }
    point::must_be_empty(mount_point)?;
    sys_mount::Mount::builder()
        .fstype("ext4")
        .flags(MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOATIME)
        .data("errors=remount-ro")
        .mount(device, mount_point)
        .map(drop)
        .map_err(MountError::failed(DOING, mount_point))
}

/// Unmounts. Not mounted is done. A process standing in the mount point holds it, so this one
/// steps out (to `/`) if it must.
///
/// # Errors
/// [`MountError::Busy`] when anybody holds files.
pub fn unmount(system: &System, mount_point: &Path) -> Result<(), MountError> {
    take_down(system, mount_point, UnmountFlags::empty()).map(|_| ())
}

/// Unmounts whatever is stacked at `mount_point`, never through a link; tells if there was
/// anything.
fn take_down(system: &System, mount_point: &Path, how: UnmountFlags) -> Result<bool, MountError> {
    // The crate's own NOFOLLOW is the flag of open(2), which umount2(2) refuses.
    let how = how | UnmountFlags::from_bits_retain(libc::UMOUNT_NOFOLLOW);
    let mut done = false;
    for _ in 0..STACKED {
        if mounted_at(system, mount_point)?.is_none() {
            return Ok(done);
        }
        if std::env::current_dir().is_ok_and(|here| here.starts_with(mount_point)) {
            std::env::set_current_dir("/")
                .map_err(MountError::failed("step into", "/".as_ref()))?;
        }
        sys_mount::unmount(mount_point, how).map_err(|error| {
            match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EBUSY) => MountError::Busy {
                    path: mount_point.to_owned(),
                },
                _ => MountError::failed("unmount", mount_point)(error),
            }
        })?;
        done = true;
    }
    Err(MountError::Busy {
        path: mount_point.to_owned(),
    })
}
