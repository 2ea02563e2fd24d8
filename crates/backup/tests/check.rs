//! Damage is found, and told from what an interrupted backup leaves behind.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use appliance_backup::check::{self, CheckReport, ReadData};
use appliance_backup::snapshot::{self, Filter};
use appliance_backup::{Error, Repository};
use common::{Box, noise, options, packs};

fn backed_up() -> Box {
    let the_box = Box::new();
    the_box.write("upload/photo.jpg", noise(1, 3_000_000));
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    the_box
}

fn check(the_box: &Box, read_data: ReadData) -> CheckReport {
    check::run(&the_box.open(), read_data).unwrap()
}

fn largest_pack(the_box: &Box) -> PathBuf {
    let packs = packs(&the_box.repo());
    packs
        .into_iter()
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn the_file_in(folder: &Path) -> PathBuf {
    fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
}

#[test]
fn a_sound_repository_is_clean_however_much_is_read() {
    let the_box = backed_up();
    for read_data in [
        ReadData::No,
        ReadData::Percent(50.0),
        ReadData::Part { part: 1, of: 2 },
        ReadData::All,
    ] {
        let report = check(&the_box, read_data);
        assert!(
            report.is_clean() && report.notes.is_empty(),
            "{read_data:?} {report:?}"
        );
        assert_eq!(report.snapshots, 1);
    }
}

#[test]
fn a_missing_or_truncated_pack_is_found_without_reading_data() {
    let the_box = backed_up();
    let pack = largest_pack(&the_box);
    let whole = fs::read(&pack).unwrap();
    fs::write(&pack, &whole[..whole.len() - 1]).unwrap();
    let report = check(&the_box, ReadData::No);
    assert!(
        !report.is_clean() && report.errors.iter().all(|error| !error.contains('\n')),
        "{report:?}"
    );
    fs::remove_file(&pack).unwrap();
    assert!(!check(&the_box, ReadData::No).is_clean());
    fs::write(&pack, whole).unwrap();
    assert!(check(&the_box, ReadData::No).is_clean());
}

#[test]
fn one_flipped_bit_of_data_is_found_when_data_is_read() {
    let the_box = backed_up();
    flip(&largest_pack(&the_box), 100_000);
    assert!(check(&the_box, ReadData::No).is_clean());
    let report = check(&the_box, ReadData::All);
    assert!(
        !report.is_clean() && report.errors.iter().all(|error| !error.contains('\n')),
        "{report:?}"
    );
}

#[test]
fn damaged_index_and_folder_trees_are_found() {
    let the_box = backed_up();
    let index = the_file_in(&the_box.repo().join("index"));
    let whole = fs::read(&index).unwrap();
    flip(&index, 40);
    assert!(!check(&the_box, ReadData::No).is_clean());
    fs::write(&index, whole).unwrap();

    let trees = packs(&the_box.repo());
    let trees = trees
        .iter()
        .min_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let length = usize::try_from(fs::metadata(trees).unwrap().len()).unwrap();
    for at in (0..length).step_by(length / 8) {
        flip(trees, at);
        assert!(
            !check(&the_box, ReadData::All).is_clean(),
            "a flipped bit at {at} is not found"
        );
        flip(trees, at);
    }
    assert!(check(&the_box, ReadData::All).is_clean());
}

#[test]
fn a_damaged_snapshot_is_found_and_the_others_can_be_used() {
    let the_box = backed_up();
    let damaged = the_file_in(&the_box.repo().join("snapshots"));
    the_box.write("upload/other.jpg", b"other");
    let good = snapshot::run(&the_box.open(), &the_box.plan())
        .unwrap()
        .snapshot;
    fs::write(&damaged, b"garbage").unwrap();
    let report = check(&the_box, ReadData::No);
    assert_eq!(
        (report.errors.len(), report.snapshots),
        (1, 1),
        "{report:?}"
    );
    let listed = snapshot::list(&the_box.open(), &Filter::default()).unwrap();
    assert_eq!(listed, [good]);
}

#[test]
fn what_an_interrupted_backup_left_behind_is_a_note() {
    let the_box = backed_up();
    let index: Vec<_> = fs::read_dir(the_box.repo().join("index"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    the_box.write("upload/second.jpg", noise(2, 2_000_000));
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    // As if cut after the packs and before the index.
    for entry in fs::read_dir(the_box.repo().join("index")).unwrap() {
        let path = entry.unwrap().path();
        if !index.contains(&path) {
            fs::remove_file(path).unwrap();
        }
    }
    let newest = snapshot::list(&the_box.open(), &Filter::default())
        .unwrap()
        .pop()
        .unwrap();
    fs::remove_file(the_box.repo().join("snapshots").join(newest.id)).unwrap();
    fs::write(
        the_box
            .repo()
            .join("data/00")
            .join("0".repeat(64) + "-tmp-"),
        b"cut",
    )
    .unwrap();
    let report = check(&the_box, ReadData::All);
    assert!(report.is_clean() && !report.notes.is_empty(), "{report:?}");
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    assert!(check(&the_box, ReadData::All).is_clean());
}

#[test]
fn a_damaged_config_is_told_when_opening() {
    let the_box = backed_up();
    flip(&the_box.repo().join("config"), 20);
    let error = Repository::open(&the_box.target(), &options()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
}
