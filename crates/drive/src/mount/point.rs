//! The bare mount point: empty, and closed to everybody, so that what misses the drive fails
//! instead of filling the SD card.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use appliance_files::{Owner, create_dir_durably};
use nix::libc;
use nix::unistd::geteuid;
use serde::Serialize;

use super::{MountError, mounted_at};
use crate::System;

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

/// Makes the mount point ready: an empty folder, mode 0755, owned by root and immutable, so that
/// nothing is ever written beneath the mount. Done twice is done. `chattr -i` undoes it.
///
/// # Errors
/// [`MountError::Occupied`] while something is mounted there, as what is beneath is out of reach;
/// [`MountError::NotEmpty`], [`MountError::NotAFolder`].
pub fn prepare(system: &System, mount_point: &Path) -> Result<Guard, MountError> {
    if let Some(there) = mounted_at(system, mount_point)? {
        return Err(MountError::Occupied {
            path: mount_point.to_owned(),
            source_there: there.source,
        });
    }
    if let Some(parent) = mount_point.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(MountError::failed("make the folder", parent))?;
    }
    if let Ok(folder) = open(mount_point)
        && flags(&folder).is_ok_and(|flags| flags & IMMUTABLE != 0)
    {
        // Even root could not set mode and owner again now.
        must_be_empty(mount_point)?;
        return Ok(Guard::Immutable);
    }
    let root = geteuid().is_root().then_some(Owner::ROOT);
    create_dir_durably(mount_point, 0o755, root).map_err(|error| {
        match error.source.raw_os_error() {
            Some(libc::ENOTDIR | libc::ELOOP) => MountError::NotAFolder {
                path: mount_point.to_owned(),
            },
            _ => MountError::failed("make the mount point", mount_point)(error.source),
        }
    })?;
    must_be_empty(mount_point)?;
    let folder = open(mount_point).map_err(MountError::failed("open", mount_point))?;
    Ok(match make_immutable(&folder) {
        Ok(()) => Guard::Immutable,
        Err(error) => Guard::Unsupported {
            why: error.to_string(),
        },
    })
}

/// Refuses to mount over files: they would be hidden.
pub(super) fn must_be_empty(mount_point: &Path) -> Result<(), MountError> {
    let data =
        fs::symlink_metadata(mount_point).map_err(MountError::failed("look at", mount_point))?;
    if !data.is_dir() {
        return Err(MountError::NotAFolder {
            path: mount_point.to_owned(),
        });
    }
    let mut entries =
        fs::read_dir(mount_point).map_err(MountError::failed("look into", mount_point))?;
    match entries.next() {
        None => Ok(()),
        Some(Ok(entry)) => Err(MountError::NotEmpty {
            path: mount_point.to_owned(),
            first: entry.file_name().to_string_lossy().into_owned(),
        }),
        Some(Err(error)) => Err(MountError::failed("look into", mount_point)(error)),
    }
}

fn open(mount_point: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(mount_point)
}

/// `FS_IMMUTABLE_FL`.
const IMMUTABLE: libc::c_long = 0x10;

nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);

fn flags(folder: &File) -> io::Result<libc::c_long> {
    let mut flags = 0;
    // SAFETY: FS_IOC_GETFLAGS writes an integer no longer than the one it is given, which lives
    // during the call, as the descriptor does.
    unsafe { get_flags(folder.as_raw_fd(), &raw mut flags) }?;
    Ok(flags)
}

fn make_immutable(folder: &File) -> io::Result<()> {
    let flags = flags(folder)? | IMMUTABLE;
    // SAFETY: FS_IOC_SETFLAGS only reads the integer, which lives during the call, as the
    // descriptor does.
    unsafe { set_flags(folder.as_raw_fd(), &raw const flags) }?;
    Ok(())
}
