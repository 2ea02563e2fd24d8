use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use crate::{FileError, Owner, Result};

/// Writes a file so that, whenever the power is cut, the path holds either the whole old contents
/// or the whole new ones.
///
/// `mode` holds whatever the umask; the owner is the running user. The contents are never
/// readable by anyone else on the way: the temporary file is made with mode 0600. A symbolic link
/// at `path` is replaced, not followed. A power cut can leave one temporary file behind, named
/// `.NAME.XXXXXX.tmp` beside the path.
///
/// # Errors
/// When any step fails; the old contents are then still in place.
pub fn write_durably(path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    write(path, contents, mode, None)
}

/// As [`write_durably`], for a file that belongs to someone else: the owner is set before the
/// file gets its name.
///
/// # Errors
/// As [`write_durably`]; also when the running user may not give files away.
pub fn write_durably_owned(path: &Path, contents: &[u8], mode: u32, owner: Owner) -> Result<()> {
    write(path, contents, mode, Some(owner))
}

pub(crate) fn write(path: &Path, contents: &[u8], mode: u32, owner: Option<Owner>) -> Result<()> {
    let name = path.file_name().ok_or_else(|| FileError {
        action: "write to",
        path: path.to_path_buf(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"),
    })?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let folder = folder_of(path);

    let mut temporary = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(FileError::at("make a temporary file in", folder))?;
    temporary
        .write_all(contents)
        .map_err(FileError::at("write to", path))?;
    settle(temporary.as_file(), path, mode, owner)?;
    temporary
        .persist(path)
        .map_err(|failed| FileError::at("put in place", path)(failed.error))?;
    sync_dir(folder)
}

/// Removes a file for good: the folder is synced, so that a power cut does not bring it back.
/// Gives whether there was a file; a missing one is no error.
///
/// # Errors
/// When the file cannot be removed or the folder cannot be synced.
pub fn remove_durably(path: &Path) -> Result<bool> {
    let existed = match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(FileError::at("remove", path)(error)),
    };
    let folder = folder_of(path);
    // Synced also when the file is gone already: the run before may have been cut in between.
    match sync_dir(folder) {
        Err(error) if !existed && error.is_not_found() => Ok(false),
        other => other.map(|()| existed),
    }
}

/// Makes one folder with exactly this mode and owner (`None`: the running user's for a new
/// folder, unchanged for an old one), and syncs it and its parent. Gives whether it is new.
///
/// A folder that exists gets the mode and the owner too, so that a run cut short is completed by
/// the next. Parents are not made: a missing one may be a drive that is not mounted.
///
/// # Errors
/// When the parent is missing, when something else than a folder (also a symbolic link) stands
/// there, or when a step fails.
pub fn create_dir_durably(path: &Path, mode: u32, owner: Option<Owner>) -> Result<bool> {
    // Private until the owner is set; then opened up to the mode asked for.
    let created = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(FileError::at("make the folder", path)(error)),
    };
    let folder = OpenOptions::new()
        .read(true)
        .custom_flags((nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_NOFOLLOW).bits())
        .open(path)
        .map_err(FileError::at("open as a folder", path))?;
    settle(&folder, path, mode, owner)?;
    sync_dir(folder_of(path))?;
    Ok(created)
}

/// Syncs a folder, so that names added, changed and removed in it survive a power cut.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_dir(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::at("sync the folder", path))
}

/// Gives an open file or folder its owner and mode and syncs it. The owner goes first: changing
/// it clears mode bits.
fn settle(file: &File, path: &Path, mode: u32, owner: Option<Owner>) -> Result<()> {
    if let Some(Owner { uid, gid }) = owner {
        fchown(file, Some(uid), Some(gid)).map_err(FileError::at("change the owner of", path))?;
    }
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(FileError::at("change the mode of", path))?;
    file.sync_all().map_err(FileError::at("sync", path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_holds_the_new_contents_and_exactly_the_mode_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.toml");
        for (contents, bits) in [("one", 0o600), ("another", 0o666), ("", 0o400)] {
            write_durably(&path, contents.as_bytes(), bits).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            assert_eq!(mode(&path), bits);
        }
        assert_eq!(names(folder.path()), ["state.toml"]);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "kept").unwrap();
        let error = write_durably(&path, b"new", 0o600).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot put in place {}", path.display())
        );
        assert_eq!(names(folder.path()), ["taken"]);
        assert_eq!(fs::read_to_string(path.join("kept")).unwrap(), "kept");
    }

    #[test]
    fn a_link_at_the_path_is_replaced_and_its_target_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "untouched").unwrap();
        symlink(&target, &link).unwrap();
        write_durably(&link, b"new", 0o600).unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        let error = write_durably(Path::new("/"), b"", 0o600).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/file");
        assert!(write_durably(&path, b"", 0o600).unwrap_err().is_not_found());
        assert!(
            create_dir_durably(&path, 0o700, None)
                .unwrap_err()
                .is_not_found()
        );
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        let full = FileError::at("write to", Path::new("/x"))(nix::errno::Errno::ENOSPC.into());
        assert!(full.is_storage_full() && !full.is_not_found());
        let denied = FileError::at("write to", Path::new("/x"))(nix::errno::Errno::EACCES.into());
        assert!(!denied.is_storage_full());
    }

    #[test]
    fn files_and_folders_can_belong_to_someone_else() {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root may give files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner {
            uid: 1234,
            gid: 4321,
        };
        let (file, sub) = (folder.path().join("file"), folder.path().join("sub"));
        write_durably_owned(&file, b"x", 0o640, owner).unwrap();
        create_dir_durably(&sub, 0o2750, Some(owner)).unwrap();
        for (path, bits) in [(&file, 0o640), (&sub, 0o2750)] {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), (owner.uid, owner.gid));
            assert_eq!(mode(path), bits);
        }
    }

    #[test]
    fn a_folder_is_made_once_and_mended_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("sub");
        assert!(create_dir_durably(&sub, 0o700, None).unwrap());
        fs::write(sub.join("kept"), "kept").unwrap();
        fs::set_permissions(&sub, Permissions::from_mode(0o777)).unwrap();
        assert!(!create_dir_durably(&sub, 0o700, None).unwrap());
        assert_eq!(mode(&sub), 0o700);
        assert_eq!(names(&sub), ["kept"]);
    }

    #[test]
    fn a_link_or_a_file_in_place_of_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(folder.path(), &link).unwrap();
        for path in [&file, &link] {
            let error = create_dir_durably(path, 0o700, None).unwrap_err();
            assert_eq!(error.action, "open as a folder");
        }
    }

    #[test]
    fn removing_says_whether_there_was_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(remove_durably(&path).unwrap());
        assert!(!remove_durably(&path).unwrap());
        assert!(!remove_durably(&folder.path().join("absent/file")).unwrap());
        assert!(remove_durably(folder.path()).is_err());
    }
}
