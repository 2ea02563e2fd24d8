//! The folder of the dumps, held open. It belongs to Immich's user, who can put anything into it
//! and replace it by a link at any time; nothing here follows one.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Result, failed};

/// Someone may have put any number of files there.
const MOST_NAMES: usize = 100_000;

pub(super) struct DumpFolder {
    path: PathBuf,
    folder: File,
}

impl DumpFolder {
    /// Opens a folder; a link in its place is an error.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let folder = File::options()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
            .open(path)
            .map_err(failed("open the folder", path))?;
        Ok(Self {
            path: path.to_owned(),
            folder,
        })
    }

    /// A file's path for people.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file's path that leads into this very folder, wherever it lies by now.
    pub(super) fn held_path_of(&self, name: &str) -> PathBuf {
        self.held().join(name)
    }

    fn held(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.folder.as_raw_fd()).into()
    }

    /// The names in it, as they come; no more than a hundred thousand.
    pub(super) fn names(&self) -> Result<impl Iterator<Item = String>> {
        let entries = fs::read_dir(self.held()).map_err(failed("read", &self.path))?;
        Ok(entries
            .take(MOST_NAMES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok()))
    }

    /// Whether a regular file of this name is there, and whose it is.
    pub(super) fn file_owner(&self, name: &str) -> Option<u32> {
        let found = fstatat(&self.folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        let is_file = found.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG;
        is_file.then_some(found.st_uid)
    }

    /// Makes a new file that nobody else reads or writes.
    pub(super) fn create(&self, name: &str) -> Result<File> {
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file: OwnedFd = openat(&self.folder, name, flags, Mode::from_bits_truncate(0o600))
            .map_err(|errno| failed("create", &self.path_of(name))(errno.into()))?;
        Ok(file.into())
    }

    /// Gives a file to the folder's owner, to be read by the group, and syncs it.
    pub(super) fn hand_over(&self, file: &File, name: &str) -> Result<()> {
        let path = self.path_of(name);
        let folder = self
            .folder
            .metadata()
            .map_err(failed("look at", &self.path))?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(file, Some(folder.uid()), Some(folder.gid()))
                .map_err(failed("change the owner of", &path))?;
        }
        file.set_permissions(fs::Permissions::from_mode(0o640))
            .map_err(failed("set the mode of", &path))?;
        file.sync_all().map_err(failed("sync", &path))
    }

    /// Gives a file its name, and syncs the folder. `false` when the name is taken.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<bool> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        match renameat2(&self.folder, from, &self.folder, to, flags) {
            Ok(()) => {}
            Err(Errno::EEXIST) => return Ok(false),
            Err(errno) => return Err(failed("put in place", &self.path_of(to))(errno.into())),
        }
        self.sync()?;
        Ok(true)
    }

    /// Removes a file or link; one that is not there is no error. Durable after [`sync`](Self::sync).
    pub(super) fn remove(&self, name: &str) -> Result<bool> {
        match unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(failed("remove", &self.path_of(name))(errno.into())),
        }
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.folder
            .sync_all()
            .map_err(failed("sync the folder", &self.path))
    }
}
