//! The disk of the repository, or of a restore, is full.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::snapshot::{self, Filter};
use appliance_backup::{Error, Repository, check};
use common::{Box, assert_same, local, noise, options, ready};
use nix::mount::{MsFlags, mount, umount};

/// A small disk, unmounted in the end.
struct Disk(PathBuf);

impl Disk {
    fn new(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mounted = mount(
            Some("tmpfs"),
            &path,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options.as_str()),
        );
        if let Err(error) = mounted {
            println!("SKIPPED: a small disk cannot be mounted here ({error})");
            return None;
        }
        Some(Self(path))
    }

    fn grow(&self, size: &str) {
        let options = format!("size={size}");
        mount(
            None::<&Path>,
            &self.0,
            None::<&Path>,
            MsFlags::MS_REMOUNT,
            Some(options.as_str()),
        )
        .unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount(&self.0);
    }
}

#[test]
fn a_full_repository_is_told_keeps_its_snapshots_and_goes_on_when_there_is_space() {
    let the_box = Box::new();
    let Some(disk) = Disk::new(the_box.path("disk"), "60m") else {
        return;
    };
    let target = local(&disk.0.join("repo"));
    ready(&disk.0.join("repo"));
    let open = || Repository::init_or_join(&target, &options()).unwrap().0;
    the_box.write("upload/first.jpg", noise(1, 5_000_000));
    let good = snapshot::run(&open(), &the_box.plan()).unwrap().snapshot;

    for film in 0..4 {
        the_box.write(
            &format!("upload/film {film}.mov"),
            noise(10 + film, 40_000_000),
        );
    }
    let error = snapshot::run(&open(), &the_box.plan()).unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    assert_eq!(
        snapshot::list(&open(), &Filter::default()).unwrap(),
        std::slice::from_ref(&good)
    );
    let report = check::run(&open(), check::ReadData::All).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let dest = the_box.path("restored");
    restore::run(
        &open(),
        &good,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    assert_eq!(
        fs::read(dest.join("upload/first.jpg")).unwrap(),
        noise(1, 5_000_000)
    );

    disk.grow("400m");
    let next = snapshot::run(&open(), &the_box.plan()).unwrap();
    assert_eq!(next.bytes_processed, 165_000_000);
    assert!(
        check::run(&open(), check::ReadData::All)
            .unwrap()
            .is_clean()
    );
}

#[test]
fn no_space_for_a_new_repository_is_told_and_the_next_try_succeeds() {
    let the_box = Box::new();
    let Some(disk) = Disk::new(the_box.path("disk"), "4k") else {
        return;
    };
    let target = local(&disk.0.join("repo"));
    let error = Repository::init_or_join(&target, &options()).unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    disk.grow("10m");
    Repository::init_or_join(&target, &options()).unwrap();
}

#[test]
fn a_restore_that_fills_the_disk_says_so_and_is_completed_when_there_is_space() {
    let the_box = Box::new();
    for film in 0..3 {
        the_box.write(&format!("upload/film {film}.mov"), noise(film, 20_000_000));
    }
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let Some(disk) = Disk::new(the_box.path("disk"), "50m") else {
        return;
    };
    let dest = disk.0.join("media");
    let restore = || {
        restore::run(
            &repository,
            &snapshot,
            &the_box.media(),
            &dest,
            &RestoreOptions::default(),
        )
    };
    match restore() {
        Err(Error::Destination { source, .. }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull)
        }
        other => panic!("{other:?}"),
    }
    disk.grow("100m");
    restore().unwrap();
    assert_same(&the_box.media(), &dest);
}
