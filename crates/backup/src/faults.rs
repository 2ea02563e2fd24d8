//! Every single call to the disk that is backed up and to the storage of the repository fails in
//! turn. After each, the run has failed loudly, or the snapshot is marked incomplete, or it
//! restores to what was there. Never anything else.
//!
//! The calls are enumerated by running once without a fault. The usual tests try the most telling
//! fault of each call; with `APPLIANCE_LONG=1` they try all.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

#[path = "../tests/common/mod.rs"]
mod common;
mod disk;
mod meddling;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Box as TestBox, describe, noise, options};

use crate::restore::{self, RestoreOptions};
use crate::snapshot::{self, BackupPlan, BackupReport, Expected, INCOMPLETE};
use crate::{Error, Repository};

/// A call by what it does, to what, and how often that was done before.
type Call = (String, u32);

/// Counts calls, and says when it is the turn of the one that fails.
#[derive(Debug, Default)]
struct Script {
    counts: Mutex<BTreeMap<String, u32>>,
    victim: Option<Call>,
}

impl Script {
    fn failing(victim: Call) -> Arc<Self> {
        Arc::new(Self {
            victim: Some(victim),
            ..Self::default()
        })
    }

    /// Notes a call; whether it fails.
    fn turn(&self, what: &str) -> bool {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(what.to_owned()).or_default();
        let now = (what.to_owned(), *count);
        *count += 1;
        self.victim.as_ref() == Some(&now)
    }

    fn calls(&self) -> BTreeSet<Call> {
        let counts = self.counts.lock().unwrap();
        let all = counts
            .iter()
            .flat_map(|(what, count)| (0..*count).map(move |nth| (what.clone(), nth)));
        all.collect()
    }
}

fn long() -> bool {
    std::env::var_os("APPLIANCE_LONG").is_some_and(|value| value == "1")
}

/// A small library with one of everything that is reached by another call.
fn library() -> TestBox {
    let the_box = TestBox::in_memory();
    the_box.write("upload/u/ab/photo.jpg", noise(1, 3_000));
    let named = the_box.write("library/admin/2026/named.jpg", noise(2, 2_000));
    // Where the file system has none, there is one kind of call less.
    let _ = xattr::set(named, "user.rating", b"5");
    the_box.write("library/admin/2026/named.jpg.xmp", b"<xmp/>");
    std::os::unix::fs::symlink("2026", the_box.media().join("library/admin/link")).unwrap();
    the_box.write("profile/face.jpg", b"face");
    the_box.write("thumbs/t.webp", b"thumbnail");
    the_box.write_dump();
    the_box
}

fn plan(the_box: &TestBox) -> BackupPlan {
    let expected = [
        ("upload/u/ab/photo.jpg", Some(3_000)),
        ("library/admin/2026/named.jpg", Some(2_000)),
        ("library/admin/2026/named.jpg.xmp", None),
        ("profile/face.jpg", Some(4)),
    ];
    let expected = expected.map(|(path, size)| Expected {
        path: path.into(),
        size,
        sha1: None,
    });
    BackupPlan {
        expected: Some(expected.into()),
        ..the_box.plan()
    }
}

/// What is in a media folder, but for what Immich can make again.
fn originals(media: &Path) -> Vec<String> {
    let mut lines = describe(media);
    lines.retain(|line| !line.starts_with("\"thumbs"));
    lines
}

/// How a run ended; panics if it is neither loud nor right.
fn judge(
    the_box: &TestBox,
    what: &str,
    was: &[String],
    result: Result<BackupReport, Error>,
) -> &'static str {
    let report = match result {
        Err(Error::UnreadableOriginals(report)) => {
            assert!(!report.snapshot.complete, "{what}");
            assert!(
                report.snapshot.tags.contains(&INCOMPLETE.to_owned()),
                "{what}"
            );
            assert!(!report.snapshot.lacks.is_empty(), "{what}");
            return "incomplete";
        }
        Err(_) => return "failed",
        Ok(report) => report,
    };
    let derived = the_box.media().join("thumbs");
    for skipped in &report.skipped {
        let harmless = skipped.path.starts_with(&derived)
            || the_box.media().starts_with(&skipped.path) && skipped.path != the_box.media();
        assert!(harmless, "{what}: complete without {skipped:?}");
    }
    let repository = Repository::open(&the_box.target(), &options()).unwrap();
    let found = snapshot::find(&repository, &report.snapshot.id)
        .unwrap_or_else(|error| panic!("{what}: reported, and not there: {error}"));
    let dest = the_box.path("restored");
    let _ = std::fs::remove_dir_all(&dest);
    let restored = restore::run(
        &repository,
        &found,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    );
    if let Err(error) = restored {
        panic!("{what}: complete, and does not restore: {error:?}");
    }
    assert_eq!(originals(&dest), was, "{what}");
    "whole"
}

/// Tries faults one by one and prints how many there were and how they ended.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    fn add(&mut self, end: &'static str) {
        *self.0.entry(end).or_default() += 1;
    }

    fn print(&self, of: &str) {
        let all: u32 = self.0.values().sum();
        println!("{all} faults of {of} tried: {:?}", self.0);
        if !long() {
            println!("SKIPPED: the further kinds of faults, as APPLIANCE_LONG=1 is not set");
        }
        assert!(all > 20, "so few calls cannot be all");
    }
}

/// The repository of the box, fresh.
fn fresh(the_box: &TestBox) {
    let _ = std::fs::remove_dir_all(the_box.repo());
    common::ready(&the_box.repo());
}
