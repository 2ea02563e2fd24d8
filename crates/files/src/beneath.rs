//! Work in a folder whose contents somebody else can change at any moment.
//!
//! Root that changes a mode or an owner by path can be led anywhere by a link swapped in between
//! looking and doing. Here every path is looked up by the kernel beneath a folder that is held
//! open, never through a symbolic link, and what was looked at is the very thing that is changed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::{Gid, Uid, fchownat};

use crate::write::write;
use crate::{FileError, Owner, Result, create_dir_durably, remove_durably};

/// A folder held open, and everything beneath it.
///
/// The paths of its methods are relative, and may not hold `..`. A symbolic link on the way is an
/// error (`ELOOP`). Needs Linux 5.6 and a mounted `/proc`.
#[derive(Debug)]
pub struct Beneath {
    folder: File,
    path: PathBuf,
}

/// Something beneath a folder, held: it stays the same thing whatever happens to its name.
#[derive(Debug)]
pub struct Held {
    file: File,
    metadata: Metadata,
    path: PathBuf,
}

impl Beneath {
    /// Holds the folder at `path`. The way to it is followed as it is, so it must be one that only
    /// root can change; its last part may not be a symbolic link.
    ///
    /// # Errors
    /// When it is missing (see [`FileError::is_not_found`]) or no folder.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
            .map_err(FileError::at("open as a folder", path))?;
        Ok(Self {
            folder,
            path: path.to_owned(),
        })
    }

    /// The path that it was opened by, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder beneath it.
    ///
    /// # Errors
    /// When it is missing or no folder, or a link is on the way.
    pub fn folder(&self, below: &Path) -> Result<Self> {
        let path = self.path.join(below);
        let folder = self
            .resolve(below, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map_err(FileError::at("open as a folder", &path))?;
        Ok(Self { folder, path })
    }

    /// What is at `below`, of whatever kind; a link in its place is held itself. `None` where
    /// nothing is.
    ///
    /// # Errors
    /// When a link is on the way to it, or it cannot be looked at.
    pub fn look(&self, below: &Path) -> Result<Option<Held>> {
        let path = self.path.join(below);
        let held = self.resolve(below, OFlag::O_PATH).and_then(|file| {
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        match held {
            Ok((file, metadata)) => Ok(Some(Held {
                file,
                metadata,
                path,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::at("look at", &path)(error)),
        }
    }

    /// Opens a regular file for reading. Waits for nobody: anything else (a pipe, a device, a
    /// link) is an error.
    ///
    /// # Errors
    /// When it is missing or no regular file.
    pub fn open_file(&self, below: &Path) -> Result<File> {
        let path = self.path.join(below);
        let failed = FileError::at("open", &path);
        let opened = self.resolve(below, OFlag::O_PATH).and_then(|held| {
            if !held.metadata()?.is_file() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not a regular file",
                ));
            }
            // The thing that was looked at, by its descriptor.
            File::open(descriptor(&held))
        });
        opened.map_err(failed)
    }

    /// The names in it, in order.
    ///
    /// # Errors
    /// When it cannot be listed to its end.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let mut names = fs::read_dir(descriptor(&self.folder))
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.file_name()))
                    .collect::<io::Result<Vec<_>>>()
            })
            .map_err(FileError::at("list", &self.path))?;
        names.sort();
        Ok(names)
    }

    /// As [`create_dir_durably`].
    ///
    /// # Errors
    /// As there, and when a link is on the way.
    pub fn create_dir(&self, below: &Path, mode: u32, owner: Option<Owner>) -> Result<bool> {
        self.at(below, |path| create_dir_durably(path, mode, owner))
    }

    /// As [`crate::write_durably`], or with an owner as [`crate::write_durably_owned`].
    ///
    /// # Errors
    /// As there, and when a link is on the way.
    pub fn write(
        &self,
        below: &Path,
        contents: &[u8],
        mode: u32,
        owner: Option<Owner>,
    ) -> Result<()> {
        self.at(below, |path| write(path, contents, mode, owner))
    }

    /// As [`remove_durably`].
    ///
    /// # Errors
    /// As there, and when a link is on the way.
    pub fn remove(&self, below: &Path) -> Result<bool> {
        self.at(below, remove_durably)
    }

    /// What the folder itself is.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn metadata(&self) -> Result<Metadata> {
        self.folder
            .metadata()
            .map_err(FileError::at("look at", &self.path))
    }

    /// Gives the folder itself to `owner`, and nothing in it. Gives whether that was a change.
    ///
    /// # Errors
    /// When the owner cannot be changed.
    pub fn give_alone(&self, owner: Owner) -> Result<bool> {
        give(&self.folder, &self.metadata()?, &self.path, owner)
    }

    /// Sets the permission bits of the folder itself.
    ///
    /// # Errors
    /// When the mode cannot be changed.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        set_mode(&self.folder, &self.path, mode)
    }

    /// Gives the folder and all that is in it to `owner`. Symbolic links are changed themselves;
    /// other file systems mounted in it are left alone. The folder itself goes last: while it has
    /// its old owner, the work is not done. What vanishes meanwhile is nobody's any more. Gives how
    /// many files and folders changed hands.
    ///
    /// # Errors
    /// When a folder cannot be read or an owner cannot be changed; the next run completes it.
    pub fn give_to(&self, owner: Owner) -> Result<u64> {
        let metadata = self.metadata()?;
        let mut changed = 0;
        for name in self.names()? {
            let Some(held) = self.look(Path::new(&name))? else {
                continue;
            };
            if held.metadata.dev() != metadata.dev() {
                continue;
            }
            changed += if held.metadata.is_dir() {
                let folder = Self {
                    folder: held.file,
                    path: held.path,
                };
                folder.give_to(owner)?
            } else {
                held.give_to(owner)?.into()
            };
        }
        Ok(changed + u64::from(give(&self.folder, &metadata, &self.path, owner)?))
    }

    /// Opens without following a link anywhere.
    fn resolve(&self, below: &Path, flags: OFlag) -> io::Result<File> {
        let plain = below
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || below.as_os_str().is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path does not lie beneath the folder",
            ));
        }
        let how = OpenHow::new()
            .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        Ok(openat2(self.folder.as_fd(), below, how)?.into())
    }

    /// Runs `work` on a path whose folder is held, so that only its last part is a name.
    fn at<T>(&self, below: &Path, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let failed = |error| FileError::at("look up", &self.path.join(below))(error);
        let name = below.file_name().map(OsStr::to_owned).ok_or_else(|| {
            failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path names no file",
            ))
        })?;
        let parent = match below.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => Some(
                self.resolve(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)
                    .map_err(failed)?,
            ),
            _ => None,
        };
        let folder = parent.as_ref().unwrap_or(&self.folder);
        work(&descriptor(folder).join(name)).map_err(|error| FileError {
            // Not the descriptor's path, which says nothing to anybody.
            path: self.path.join(below),
            ..error
        })
    }
}

impl Held {
    /// What it was when it was looked at.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it was when it was looked at.
    pub fn owner(&self) -> Owner {
        owner_of(&self.metadata)
    }

    /// Gives it to `owner`; a link itself, not what it points to. Gives whether that was a change.
    ///
    /// # Errors
    /// When the owner cannot be changed.
    pub fn give_to(&self, owner: Owner) -> Result<bool> {
        give(&self.file, &self.metadata, &self.path, owner)
    }

    /// Sets the permission bits of a file or a folder.
    ///
    /// # Errors
    /// When it is anything else, or the mode cannot be changed.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        if self.metadata.is_file() || self.metadata.is_dir() {
            set_mode(&self.file, &self.path, mode)
        } else {
            Err(FileError::at("change the mode of", &self.path)(
                Errno::ELOOP.into(),
            ))
        }
    }
}

fn owner_of(metadata: &Metadata) -> Owner {
    Owner {
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}

fn give(file: &File, metadata: &Metadata, path: &Path, owner: Owner) -> Result<bool> {
    if owner_of(metadata) == owner {
        return Ok(false);
    }
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    fchownat(file, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
        .map_err(|errno| FileError::at("change the owner of", path)(errno.into()))?;
    Ok(true)
}

fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    // fchmod does not take such a descriptor, and fchmodat2 needs Linux 6.6.
    fs::set_permissions(descriptor(file), Permissions::from_mode(mode))
        .map_err(FileError::at("change the mode of", path))
}

/// The kernel's name of what a descriptor stands for: no look-up of ours can be led elsewhere.
fn descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    /// `media`, which somebody else can change, beside `outside`, which is root's.
    fn tree() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (media, outside) = (root.path().join("media"), root.path().join("outside"));
        fs::create_dir(&media).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("key"), "secret").unwrap();
        fs::set_permissions(outside.join("key"), Permissions::from_mode(0o600)).unwrap();
        (root, media, outside)
    }

    #[test]
    fn a_link_on_the_way_is_never_followed_whatever_is_done() {
        let (_root, media, outside) = tree();
        symlink(&outside, media.join("library")).unwrap();
        let beneath = Beneath::open(&media).unwrap();
        let key = Path::new("library/key");
        assert!(beneath.look(key).is_err());
        assert!(beneath.open_file(key).is_err());
        assert!(beneath.folder(Path::new("library")).is_err());
        assert!(beneath.write(key, b"x", 0o666, None).is_err());
        assert!(beneath.remove(key).is_err());
        assert!(
            beneath
                .create_dir(Path::new("library/new"), 0o777, None)
                .is_err()
        );
        assert!(
            beneath
                .create_dir(Path::new("library"), 0o777, None)
                .is_err()
        );
        assert_eq!(fs::read_to_string(outside.join("key")).unwrap(), "secret");
        assert_eq!(mode(&outside.join("key")), 0o600);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn paths_that_lead_out_of_the_folder_are_refused() {
        let (_root, media, outside) = tree();
        let beneath = Beneath::open(&media).unwrap();
        let absolute = outside.join("key");
        for path in ["../outside/key", "", ".", "..", "a/../../outside/key"] {
            assert!(beneath.look(Path::new(path)).is_err(), "{path:?}");
            assert!(beneath.write(Path::new(path), b"", 0o600, None).is_err());
        }
        assert!(beneath.look(&absolute).is_err());
        assert!(beneath.open_file(&absolute).is_err());
    }

    #[test]
    fn a_link_is_held_itself_and_its_mode_never_set() {
        let (_root, media, outside) = tree();
        symlink(outside.join("key"), media.join("marker")).unwrap();
        let beneath = Beneath::open(&media).unwrap();
        let held = beneath.look(Path::new("marker")).unwrap().unwrap();
        assert!(held.metadata().is_symlink());
        assert!(held.set_mode(0o777).is_err());
        assert_eq!(mode(&outside.join("key")), 0o600);
    }

    #[test]
    fn what_was_looked_at_is_what_is_changed_though_its_name_was_swapped() {
        let (_root, media, outside) = tree();
        let (file, moved) = (media.join("marker"), media.join("moved"));
        fs::write(&file, "").unwrap();
        let beneath = Beneath::open(&media).unwrap();
        let held = beneath.look(Path::new("marker")).unwrap().unwrap();
        fs::rename(&file, &moved).unwrap();
        symlink(outside.join("key"), &file).unwrap();
        held.set_mode(0o777).unwrap();
        assert_eq!(mode(&moved), 0o777);
        assert_eq!(mode(&outside.join("key")), 0o600);
    }

    #[test]
    fn no_race_of_swapped_links_leads_a_mode_or_an_owner_outside() {
        let (root, media, outside) = tree();
        let (folder, spare) = (media.join("folder"), media.join("spare"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("key"), "").unwrap();
        symlink(&outside, &spare).unwrap();
        let done = AtomicBool::new(false);
        let mut changes = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let between = root.path().join("between");
                while !done.load(Ordering::Relaxed) {
                    for (from, to) in [(&folder, &between), (&spare, &folder), (&between, &spare)] {
                        let _ = fs::rename(from, to);
                    }
                }
            });
            let beneath = Beneath::open(&media).unwrap();
            for round in 0..20_000_u32 {
                let bits = if round % 2 == 0 { 0o777 } else { 0o666 };
                if let Ok(Some(held)) = beneath.look(Path::new("folder/key"))
                    && held.set_mode(bits).is_ok()
                {
                    changes += 1;
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(changes > 0, "the race was never won by us");
        assert_eq!(mode(&outside.join("key")), 0o600);
    }

    #[test]
    fn a_pipe_is_refused_instead_of_waited_for() {
        let (_root, media, _) = tree();
        nix::unistd::mkfifo(&media.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let beneath = Beneath::open(&media).unwrap();
        let error = beneath.open_file(Path::new("pipe")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn files_and_folders_are_made_read_and_removed_beneath() {
        use std::io::Read;
        let (_root, media, _) = tree();
        let beneath = Beneath::open(&media).unwrap();
        let (folder, file) = (Path::new("library"), Path::new("library/marker"));
        assert!(beneath.look(folder).unwrap().is_none());
        assert!(beneath.create_dir(folder, 0o750, None).unwrap());
        assert!(!beneath.create_dir(folder, 0o700, None).unwrap());
        assert_eq!(mode(&media.join("library")), 0o700);
        beneath.write(file, b"made", 0o640, None).unwrap();
        assert_eq!(mode(&media.join(file)), 0o640);
        let mut text = String::new();
        let mut opened = beneath.open_file(file).unwrap();
        opened.read_to_string(&mut text).unwrap();
        assert_eq!(text, "made");
        let library = beneath.folder(folder).unwrap();
        assert_eq!(library.names().unwrap(), ["marker"]);
        assert!(beneath.remove(file).unwrap());
        assert!(!beneath.remove(file).unwrap());
        // A failure names the path that a person knows.
        let error = beneath.write(Path::new("absent/x"), b"", 0o600, None);
        assert_eq!(error.unwrap_err().path, media.join("absent/x"));
        let error = beneath.write(folder, b"", 0o600, None);
        assert_eq!(error.unwrap_err().path, media.join(folder));
    }
}
