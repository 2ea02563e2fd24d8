//! Creating, joining and opening a repository, and each way in which that fails.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;

use appliance_backup::snapshot::{self, Filter};
use appliance_backup::{Error, Joined, Repository, Target};
use common::{Box, options};

#[test]
fn the_first_to_come_creates_and_the_next_joins() {
    let the_box = Box::new();
    let target = the_box.target();
    assert!(!Repository::exists(&target, &options()).unwrap());
    assert!(matches!(
        Repository::open(&target, &options()),
        Err(Error::NoRepository { .. })
    ));
    let (first, created) = Repository::init_or_join(&target, &options()).unwrap();
    let (second, joined) = Repository::init_or_join(&target, &options()).unwrap();
    assert_eq!((created, joined), (Joined::Created, Joined::Joined));
    assert_eq!(first.id(), second.id());
    assert!(Repository::exists(&target, &options()).unwrap());
}

#[test]
fn a_wrong_password_is_told_and_nothing_is_created() {
    let the_box = Box::new();
    let repository = the_box.open();
    let wrong = Target {
        password: "not it".into(),
        ..the_box.target()
    };
    for result in [
        Repository::open(&wrong, &options()).map(|_| ()),
        Repository::init_or_join(&wrong, &options()).map(|_| ()),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::WrongPassword { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("not it"));
    }
    assert_eq!(the_box.open().id(), repository.id());
}

#[test]
fn a_creation_cut_short_after_the_key_is_begun_again() {
    let the_box = Box::new();
    the_box.open();
    fs::remove_file(the_box.repo().join("config")).unwrap();
    let (_, joined) = Repository::init_or_join(&the_box.target(), &options()).unwrap();
    assert_eq!(joined, Joined::Created);
    assert_eq!(
        fs::read_dir(the_box.repo().join("keys")).unwrap().count(),
        1
    );
    the_box.write("upload/photo.jpg", b"photo");
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
}

#[test]
fn a_repository_that_lost_its_config_is_not_taken_for_an_empty_place() {
    let the_box = Box::new();
    the_box.write("upload/photo.jpg", b"photo");
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    fs::remove_file(the_box.repo().join("config")).unwrap();
    let error = Repository::init_or_join(&the_box.target(), &options()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert_eq!(
        fs::read_dir(the_box.repo().join("keys")).unwrap().count(),
        1
    );
}

#[test]
fn a_disk_that_was_pulled_is_told_and_its_mount_point_stays_empty() {
    let the_box = Box::new();
    the_box.write("upload/photo.jpg", b"photo");
    let repository = the_box.open();
    let pulled = the_box.path("pulled");
    fs::rename(the_box.repo(), &pulled).unwrap();
    fs::create_dir(the_box.repo()).unwrap();
    let error = snapshot::run(&repository, &the_box.plan()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(fs::read_dir(the_box.repo()).unwrap().count(), 0);
    let error = snapshot::list(&repository, &Filter::default()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");

    fs::remove_dir(the_box.repo()).unwrap();
    fs::rename(pulled, the_box.repo()).unwrap();
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
}
