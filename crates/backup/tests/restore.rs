//! What was backed up comes back as it was.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::path::Path;

use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::{Error, snapshot};
use common::{Box, assert_same, noise, odd_things};

#[test]
fn everything_comes_back_as_it_was() {
    let the_box = Box::new();
    odd_things(&the_box);
    let repository = the_box.open();
    let report = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);

    let dest = the_box.path("restored");
    let options = RestoreOptions::default();
    let first = restore::run(
        &repository,
        &report.snapshot,
        &the_box.media(),
        &dest,
        &options,
    )
    .unwrap();
    assert_same(&the_box.media(), &dest);
    assert_eq!(first.files_kept, 0);

    let again = restore::run(
        &repository,
        &report.snapshot,
        &the_box.media(),
        &dest,
        &options,
    )
    .unwrap();
    assert_same(&the_box.media(), &dest);
    assert_eq!(
        (again.bytes_restored, again.bytes_kept),
        (0, first.bytes_restored)
    );
}

#[test]
fn a_sparse_file_comes_back_without_taking_its_length() {
    use std::os::unix::fs::MetadataExt;
    let the_box = Box::new();
    odd_things(&the_box);
    let repository = the_box.open();
    let report = snapshot::run(&repository, &the_box.plan()).unwrap();
    let (file, dest) = (
        the_box.media().join("upload/sparse.mov"),
        the_box.path("restored"),
    );
    restore::run(
        &repository,
        &report.snapshot,
        &file,
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    let restored = dest.join("sparse.mov");
    assert_eq!(fs::read(&file).unwrap(), fs::read(&restored).unwrap());
    assert!(fs::metadata(restored).unwrap().blocks() * 512 < 40_000_000);
}

#[test]
fn a_half_written_file_is_repaired_and_what_is_right_is_kept() {
    let the_box = Box::new();
    let film = the_box.write("upload/film.mov", noise(7, 30_000_000));
    the_box.write("upload/photo.jpg", noise(8, 10_000));
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let dest = the_box.path("restored");
    let restore = || {
        restore::run(
            &repository,
            &snapshot,
            &the_box.media(),
            &dest,
            &RestoreOptions::default(),
        )
    };
    restore().unwrap();

    // Cut short, as by a power cut; overwritten in its middle; of the right size and time but empty.
    let restored = dest.join("upload/film.mov");
    let cut = fs::File::options().write(true).open(&restored).unwrap();
    cut.set_len(20_000_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&cut, b"garbage", 1_000_000).unwrap();
    let zeros = fs::File::options()
        .write(true)
        .open(dest.join("upload/photo.jpg"))
        .unwrap();
    let time = zeros.metadata().unwrap().modified().unwrap();
    zeros.set_len(0).unwrap();
    zeros.set_len(10_000).unwrap();
    zeros.set_modified(time).unwrap();

    let report = restore().unwrap();
    assert_same(&the_box.media(), &dest);
    assert!(fs::read(film).unwrap() == fs::read(restored).unwrap());
    assert!(
        report.bytes_kept > 10_000_000,
        "the right parts are not read anew: {report:?}"
    );
}

#[test]
fn what_stands_in_the_way_is_replaced_but_never_a_folder() {
    let the_box = Box::new();
    the_box.write("upload/photo.jpg", b"photo");
    the_box.write("upload/folder.jpg", b"photo");
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let dest = the_box.path("restored");
    fs::create_dir_all(dest.join("upload/folder.jpg")).unwrap();
    fs::write(dest.join("upload/folder.jpg/other"), b"other").unwrap();
    fs::write(dest.join("elsewhere"), b"not mine").unwrap();
    std::os::unix::fs::symlink("../elsewhere", dest.join("upload/photo.jpg")).unwrap();

    let error = restore::run(
        &repository,
        &snapshot,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap_err();
    let Error::RestoreIncomplete(report) = error else {
        panic!("{error:?}")
    };
    assert_eq!(report.losses.len(), 1);
    assert_eq!(report.losses[0].path, dest.join("upload/folder.jpg"));
    assert_eq!(fs::read(dest.join("upload/photo.jpg")).unwrap(), b"photo");
    assert!(
        fs::symlink_metadata(dest.join("upload/photo.jpg"))
            .unwrap()
            .is_file()
    );
    assert_eq!(fs::read(dest.join("elsewhere")).unwrap(), b"not mine");
    assert_eq!(
        fs::read(dest.join("upload/folder.jpg/other")).unwrap(),
        b"other"
    );
}

#[test]
fn a_damaged_pack_costs_its_files_and_no_others() {
    let the_box = Box::new();
    the_box.write("upload/one.jpg", noise(1, 40_000_000));
    let repository = the_box.open();
    snapshot::run(&repository, &the_box.plan()).unwrap();
    let before = common::packs(&the_box.repo());
    the_box.write("upload/two.jpg", noise(2, 2_000_000));
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let pack = common::packs(&the_box.repo())
        .into_iter()
        .filter(|pack| !before.contains(pack))
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[1000] ^= 1;
    fs::write(&pack, bytes).unwrap();

    let dest = the_box.path("restored");
    let error = restore::run(
        &the_box.open(),
        &snapshot,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap_err();
    let Error::RestoreIncomplete(report) = error else {
        panic!("{error:?}")
    };
    let lost: Vec<_> = report
        .losses
        .iter()
        .map(|loss| (loss.path.clone(), loss.in_snapshot.clone(), loss.is_folder))
        .collect();
    let two = "upload/two.jpg";
    assert_eq!(lost, [(dest.join(two), the_box.media().join(two), false)]);
    assert!(report.problems.is_empty());
    // Neither empty nor in part, under whatever name.
    assert_eq!(fs::read_dir(dest.join("upload")).unwrap().count(), 1);
    let (was, is) = (
        the_box.media().join("upload/one.jpg"),
        dest.join("upload/one.jpg"),
    );
    assert!(fs::read(was).unwrap() == fs::read(is).unwrap());
}

#[test]
fn a_path_that_is_not_in_the_snapshot_is_named() {
    let the_box = Box::new();
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let error = restore::run(
        &repository,
        &snapshot,
        Path::new("/no/such"),
        &the_box.path("restored"),
        &RestoreOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(error, Error::NotInSnapshot { .. }), "{error:?}");
    assert!(!the_box.path("restored").exists());
}

#[test]
fn a_lost_file_leaves_nothing_under_its_name_and_all_others_come_back() {
    let the_box = Box::new();
    the_box.write("upload/one.jpg", noise(1, 100_000));
    let repository = the_box.open();
    snapshot::run(&repository, &the_box.plan()).unwrap();
    let before = common::packs(&the_box.repo());
    the_box.write("upload/two.jpg", noise(2, 2_000_000));
    the_box.write("library/three.jpg", noise(3, 1_000_000));
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    // The pack with the content of the two is gone.
    let pack = common::packs(&the_box.repo())
        .into_iter()
        .filter(|pack| !before.contains(pack))
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    fs::remove_file(pack).unwrap();

    // What an earlier run left of them counts as little: empty, or without its end.
    let dest = the_box.path("restored");
    fs::create_dir_all(dest.join("upload")).unwrap();
    fs::create_dir_all(dest.join("library")).unwrap();
    fs::write(dest.join("upload/two.jpg"), b"").unwrap();
    fs::write(dest.join("library/three.jpg"), &noise(3, 1_000_000)[..1000]).unwrap();
    for _ in 0..2 {
        let error = restore::run(
            &the_box.open(),
            &snapshot,
            &the_box.media(),
            &dest,
            &RestoreOptions::default(),
        )
        .unwrap_err();
        let Error::RestoreIncomplete(report) = error else {
            panic!("{error:?}")
        };
        let lost: Vec<_> = report
            .losses
            .iter()
            .map(|loss| loss.in_snapshot.clone())
            .collect();
        let media = the_box.media();
        assert_eq!(
            lost,
            [
                media.join("library/three.jpg"),
                media.join("upload/two.jpg")
            ]
        );
        assert!(report.losses.iter().all(|loss| !loss.why.is_empty()));
        assert_eq!(
            fs::read(dest.join("upload/one.jpg")).unwrap(),
            noise(1, 100_000)
        );
        assert_eq!(fs::read_dir(dest.join("upload")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(dest.join("library")).unwrap().count(), 0);
    }
}

#[test]
fn a_restore_that_was_cut_goes_on_with_what_it_had_and_leaves_no_part_behind() {
    let the_box = Box::new();
    let film = the_box.write("upload/film.mov", noise(7, 30_000_000));
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let dest = the_box.path("restored");
    let restore = || {
        restore::run(
            &repository,
            &snapshot,
            &the_box.media(),
            &dest,
            &RestoreOptions::default(),
        )
        .unwrap()
    };
    restore();
    let restored = dest.join("upload/film.mov");
    let cut = fs::File::options().write(true).open(&restored).unwrap();
    cut.set_len(20_000_000).unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(dest.join("upload")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let report = restore();
    assert!(report.bytes_kept > 10_000_000, "{report:?}");
    assert_eq!(names(), ["film.mov"]);
    assert!(fs::read(film).unwrap() == fs::read(restored).unwrap());
}
