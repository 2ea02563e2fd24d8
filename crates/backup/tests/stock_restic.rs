//! The repository is a plain restic repository: the restic of the system reads what we write, and
//! we read what it writes.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;

use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::snapshot::{self, Filter};
use appliance_backup::{Joined, Repository, check};
use common::{Box, assert_same, noise, odd_things, options, restic, run};

/// restic keeps links to names that are no valid UTF-8 only from 0.16 on.
fn without_raw_link(the_box: &Box) {
    fs::remove_file(the_box.media().join("library/dangling")).unwrap();
}

#[test]
fn restic_lists_checks_and_restores_what_we_backed_up() {
    let Some(mut snapshots) = restic() else {
        return;
    };
    let the_box = Box::new();
    odd_things(&the_box);
    without_raw_link(&the_box);
    let snapshot = snapshot::run(&the_box.open(), &the_box.plan())
        .unwrap()
        .snapshot;

    let listed = run(snapshots
        .arg("-r")
        .arg(the_box.repo())
        .args(["snapshots", "--json"]));
    assert!(
        listed.contains(&snapshot.id) && listed.contains("\"hostname\":\"box\""),
        "{listed}"
    );
    let mut check = restic().unwrap();
    let checked = run(check
        .arg("-r")
        .arg(the_box.repo())
        .args(["check", "--read-data"]));
    assert!(checked.contains("no errors were found"), "{checked}");
    let dest = the_box.path("restored");
    let mut restore = restic().unwrap();
    run(restore
        .arg("-r")
        .arg(the_box.repo())
        .args(["restore", &snapshot.id, "--target"])
        .arg(&dest));

    let restored = dest.join(the_box.media().strip_prefix("/").unwrap());
    assert_same(&the_box.media(), &restored);
}

#[test]
fn restic_restores_one_photo_identical() {
    let Some(mut dump) = restic() else { return };
    let the_box = Box::new();
    let photo = the_box.write("upload/Über photo.jpg", noise(1, 4_000_000));
    the_box.write("upload/other.jpg", noise(2, 10));
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    let output = dump
        .arg("-r")
        .arg(the_box.repo())
        .args(["dump", "latest"])
        .arg(&photo)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(output.stdout == fs::read(photo).unwrap());
}

#[test]
fn we_join_check_restore_and_extend_a_repository_that_restic_made() {
    let Some(mut init) = restic() else { return };
    let the_box = Box::new();
    odd_things(&the_box);
    without_raw_link(&the_box);
    run(init.arg("-r").arg(the_box.repo()).arg("init"));
    let mut backup = restic().unwrap();
    run(backup
        .arg("-r")
        .arg(the_box.repo())
        .arg("backup")
        .arg(the_box.media()));

    let (repository, joined) = Repository::init_or_join(&the_box.target(), &options()).unwrap();
    assert_eq!(joined, Joined::Joined);
    assert!(
        check::run(&repository, check::ReadData::All)
            .unwrap()
            .is_clean()
    );
    let theirs = snapshot::latest(&repository, &Filter::default())
        .unwrap()
        .unwrap();
    let dest = the_box.path("restored");
    restore::run(
        &repository,
        &theirs,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    assert_same(&the_box.media(), &dest);

    let ours = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert!(
        ours.bytes_added < 1_000_000,
        "the content is known already: {ours:?}"
    );
    let mut again = restic().unwrap();
    let checked = run(again
        .arg("-r")
        .arg(the_box.repo())
        .args(["check", "--read-data"]));
    assert!(checked.contains("no errors were found"), "{checked}");
}
