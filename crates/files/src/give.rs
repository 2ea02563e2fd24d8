use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use walkdir::WalkDir;

use crate::{Error, Owner, Result};

/// Gives a folder and all that is in it to `owner`, as when it comes from a machine with other
/// user numbers. Symbolic links are changed themselves, never followed, and other file systems
/// mounted in it are left alone. The folder itself goes last: while it has its old owner, the
/// work is not done. Gives how many files and folders changed hands.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed; the next run completes it.
pub fn give_to(folder: &Path, owner: Owner) -> Result<u64> {
    let mut changed = 0;
    let walk = WalkDir::new(folder)
        .contents_first(true)
        .same_file_system(true);
    for entry in walk {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_path_buf();
            Error::at("read", &path)(io::Error::from(error))
        })?;
        let path = entry.path();
        let metadata = entry
            .metadata()
            .map_err(|error| Error::at("look at", path)(io::Error::from(error)))?;
        if !belongs_to(&metadata, owner) {
            lchown(path, Some(owner.uid), Some(owner.gid))
                .map_err(Error::at("change the owner of", path))?;
            changed += 1;
        }
    }
    Ok(changed)
}

fn belongs_to(metadata: &Metadata, owner: Owner) -> bool {
    metadata.uid() == owner.uid && metadata.gid() == owner.gid
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn everything_changes_hands_but_what_a_link_points_to() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: only root can give files away");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("photos");
        fs::create_dir_all(folder.join("2020")).unwrap();
        fs::write(folder.join("2020/a.jpg"), b"").unwrap();
        fs::write(root.path().join("outside"), b"").unwrap();
        symlink(root.path().join("outside"), folder.join("2020/link")).unwrap();
        let owner = Owner {
            uid: 4242,
            gid: 4243,
        };

        assert_eq!(give_to(&folder, owner).unwrap(), 4);
        for path in [
            "photos",
            "photos/2020",
            "photos/2020/a.jpg",
            "photos/2020/link",
        ] {
            let metadata = fs::symlink_metadata(root.path().join(path)).unwrap();
            assert!(belongs_to(&metadata, owner), "{path}");
        }
        assert_eq!(fs::metadata(root.path().join("outside")).unwrap().uid(), 0);
        assert_eq!(give_to(&folder, owner).unwrap(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("missing");
        let error = give_to(&missing, Owner::ROOT).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.path, missing);
    }
}
