use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

fn me(root: &Path) -> Owner {
    let metadata = fs::metadata(root).unwrap();
    Owner {
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}

#[test]
fn an_empty_media_folder_is_mended_and_then_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    assert_eq!(check(root.path(), owner).unwrap().len(), FOLDERS.len());
    mend(root.path(), owner).unwrap();
    assert_eq!(check(root.path(), owner).unwrap(), []);
    let stamp = fs::read(root.path().join("upload").join(MARKER)).unwrap();
    assert_eq!(stamp.len(), 13);
    assert!(stamp.iter().all(u8::is_ascii_digit));
    assert_eq!(mend(root.path(), owner).unwrap(), []);
    assert_eq!(
        fs::read(root.path().join("upload").join(MARKER)).unwrap(),
        stamp,
        "a second run rewrote a marker"
    );
}

#[test]
fn a_missing_marker_is_found_and_mended_without_touching_files_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    mend(root.path(), owner).unwrap();
    let photo = root.path().join("library/a.jpg");
    fs::write(&photo, b"photo").unwrap();
    let marker = root.path().join("library").join(MARKER);
    fs::remove_file(&marker).unwrap();
    assert_eq!(
        check(root.path(), owner).unwrap(),
        [Finding::MarkerMissing(marker)]
    );
    mend(root.path(), owner).unwrap();
    assert_eq!(check(root.path(), owner).unwrap(), []);
    assert_eq!(fs::read(photo).unwrap(), b"photo");
}

#[test]
fn a_marker_emptied_by_a_power_cut_counts_as_missing() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    mend(root.path(), owner).unwrap();
    let marker = root.path().join("thumbs").join(MARKER);
    fs::write(&marker, b"").unwrap();
    assert_eq!(
        mend(root.path(), owner).unwrap(),
        [Finding::MarkerMissing(marker.clone())]
    );
    assert_eq!(fs::read(marker).unwrap().len(), 13);
}

#[test]
fn a_media_folder_that_is_not_there_is_never_made() {
    let root = tempfile::tempdir().unwrap();
    let absent = root.path().join("immich_data");
    let owner = me(root.path());
    assert!(matches!(
        mend(&absent, owner),
        Err(MediaError::RootMissing(_))
    ));
    assert!(!absent.exists());
}

#[test]
fn a_file_in_a_folders_way_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    fs::write(root.path().join("upload"), b"precious").unwrap();
    assert!(matches!(
        mend(root.path(), owner),
        Err(MediaError::InTheWay(_))
    ));
    assert_eq!(fs::read(root.path().join("upload")).unwrap(), b"precious");
}

#[test]
fn a_folder_closed_to_its_owner_is_opened() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    mend(root.path(), owner).unwrap();
    let folder = root.path().join("upload");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o550)).unwrap();
    assert!(matches!(
        check(root.path(), owner).unwrap()[..],
        [Finding::NotWritable { mode: 0o550, .. }]
    ));
    mend(root.path(), owner).unwrap();
    assert_eq!(check(root.path(), owner).unwrap(), []);
}

#[test]
fn another_owner_is_found_and_mended() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    if owner.uid != 0 {
        println!("SKIPPED: only root can give files away");
        return;
    }
    let immich = Owner {
        uid: 4242,
        gid: 4243,
    };
    mend(root.path(), owner).unwrap();
    fs::write(root.path().join("upload/a.jpg"), b"").unwrap();
    symlink("/etc/passwd", root.path().join("upload/link")).unwrap();
    assert_eq!(check(root.path(), immich).unwrap().len(), 2 * FOLDERS.len());
    mend(root.path(), immich).unwrap();
    assert_eq!(check(root.path(), immich).unwrap(), []);
    assert_eq!(
        give_to(root.path(), immich).unwrap(),
        3,
        "the root, the photo, the link"
    );
    assert_eq!(give_to(root.path(), immich).unwrap(), 0);
    assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
}

#[test]
fn a_marker_that_is_another_files_second_name_or_a_link_is_replaced_and_that_file_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let owner = me(root.path());
    mend(root.path(), owner).unwrap();
    let other = root.path().join("other");
    fs::write(&other, "other").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o400)).unwrap();
    let hard = UPLOAD.path(root.path()).join(MARKER);
    let soft = LIBRARY.path(root.path()).join(MARKER);
    for marker in [&hard, &soft] {
        fs::remove_file(marker).unwrap();
    }
    fs::hard_link(&other, &hard).unwrap();
    symlink(&other, &soft).unwrap();
    assert_eq!(
        mend(root.path(), owner).unwrap(),
        [
            Finding::MarkerMissing(soft.clone()),
            Finding::MarkerMissing(hard.clone())
        ]
    );
    assert_eq!(check(root.path(), owner).unwrap(), []);
    assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    assert_eq!(fs::metadata(&other).unwrap().mode() & 0o777, 0o400);
}

/// A folder outside the media with a file of root's, and what its state must stay.
struct Outside {
    folder: PathBuf,
}

impl Outside {
    fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        let file = folder.join(MARKER);
        fs::write(&file, "secret").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder }
    }

    fn assert_untouched(&self) {
        let file = self.folder.join(MARKER);
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600, "its mode was changed");
        assert_eq!(metadata.uid(), nix::unistd::geteuid().as_raw());
        assert_eq!(fs::read_to_string(&file).unwrap(), "secret");
        assert_eq!(
            fs::read_dir(&self.folder).unwrap().count(),
            1,
            "something was put beside it"
        );
    }
}

/// What Immich's user does while `work` runs again and again: `upload` is now a folder whose marker
/// is closed to its owner and open to all others, now a link to the folder of root's file.
fn under_attack(media: &Path, outside: &Outside, rounds: u32, mut work: impl FnMut()) {
    let (folder, spare) = (UPLOAD.path(media), media.join("spare"));
    let marker = folder.join(MARKER);
    let closed = fs::Permissions::from_mode(0o077);
    symlink(&outside.folder, &spare).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let between = media.join("between");
            let put = |from: &Path, to: &Path| {
                while fs::rename(from, to).is_err() && !done.load(Ordering::Relaxed) {
                    // Made by what is attacked.
                    let _ = fs::remove_dir_all(to);
                }
            };
            while !done.load(Ordering::Relaxed) {
                let _ = fs::set_permissions(&marker, closed.clone());
                put(&folder, &between);
                put(&spare, &folder);
                put(&folder, &spare);
                put(&between, &folder);
            }
        });
        for _ in 0..rounds {
            work();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn no_link_swapped_in_while_the_folders_are_mended_leads_root_to_another_file() {
    let parent = tempfile::tempdir().unwrap();
    let outside = Outside::new(parent.path().join("outside"));
    let media = parent.path().join("media");
    fs::create_dir(&media).unwrap();
    let owner = me(&media);
    mend(&media, owner).unwrap();
    let mut mended = 0;
    under_attack(&media, &outside, 5_000, || {
        if let Ok(findings) = mend(&media, owner) {
            mended += findings.len();
        }
    });
    outside.assert_untouched();
    assert!(mended > 0, "the attack kept everything from being mended");
}

#[test]
fn no_link_swapped_in_while_everything_is_given_to_immich_gives_away_another_file() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can give files away");
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let outside = Outside::new(parent.path().join("outside"));
    let media = parent.path().join("media");
    fs::create_dir(&media).unwrap();
    mend(&media, Owner::ROOT).unwrap();
    let mut turn = 0;
    let mut changed = 0;
    under_attack(&media, &outside, 500, || {
        turn += 1;
        let immich = Owner {
            uid: 4242 + turn % 2,
            gid: 4242,
        };
        changed += give_to(&media, immich).unwrap_or(0);
        let _ = mend(&media, immich);
    });
    outside.assert_untouched();
    assert!(changed > 0);
}
