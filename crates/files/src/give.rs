use std::path::Path;

use crate::{Beneath, Owner, Result};

/// Gives a folder and all that is in it to `owner`, as when it comes from a machine with other
/// user numbers; see [`Beneath::give_to`]. The way to the folder must be one that only root can
/// change.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed; the next run completes it.
pub fn give_to(folder: &Path, owner: Owner) -> Result<u64> {
    Beneath::open(folder)?.give_to(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

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
            assert_eq!((metadata.uid(), metadata.gid()), (4242, 4243), "{path}");
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
