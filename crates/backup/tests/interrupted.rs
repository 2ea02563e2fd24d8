//! A backup that is killed leaves a clean repository with all older snapshots; so does a restore
//! leave files that the next one completes.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Silent};
use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::snapshot::{self, BackupPlan, Filter};
use appliance_backup::{OpenOptions, Repository, check};
use common::{Box, assert_same, local, noise, options, restic, run};

/// Kills its own process when this many bytes are done, or when the phase ends.
#[derive(Debug)]
struct Killer {
    phase: &'static str,
    after: u64,
}

#[derive(Debug)]
struct KillingPhase {
    after: u64,
    done: AtomicU64,
}

fn die() {
    nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL).unwrap();
}

impl ProgressSink for Killer {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        if phase.name == self.phase {
            Arc::new(KillingPhase {
                after: self.after,
                done: AtomicU64::new(0),
            })
        } else {
            Arc::new(Silent)
        }
    }
}

impl PhaseSink for KillingPhase {
    fn set_total(&self, _total: u64) {}
    fn advance(&self, done: u64) {
        if self.done.fetch_add(done, Ordering::SeqCst) + done >= self.after {
            die();
        }
    }
    fn finish(&self) {
        die();
    }
}

/// Not a test of its own: what the tests below start as another process and see killed.
#[test]
#[ignore = "run by the other tests"]
fn the_child_that_is_killed() {
    let Ok(media) = env::var("TEST_MEDIA").map(PathBuf::from) else {
        return;
    };
    let repo = PathBuf::from(env::var("TEST_REPO").unwrap());
    let after = env::var("TEST_AFTER").unwrap().parse().unwrap();
    let dest = env::var("TEST_DEST").map(PathBuf::from).ok();
    let phase = if dest.is_some() {
        "restoring"
    } else {
        "backing up"
    };
    let options = OpenOptions {
        progress: Arc::new(Killer { phase, after }),
        ..options()
    };
    let repository = Repository::open(&local(&repo), &options).unwrap();
    match dest {
        Some(dest) => {
            let snapshot = snapshot::find(&repository, "latest").unwrap();
            restore::run(
                &repository,
                &snapshot,
                &media,
                &dest,
                &RestoreOptions::default(),
            )
            .map(|_| ())
        }
        None => {
            let plan = BackupPlan {
                paths: vec![media],
                ..BackupPlan::default()
            };
            snapshot::run(&repository, &plan).map(|_| ())
        }
    }
    .unwrap();
}

/// Starts the child and waits until it has been killed.
fn killed(the_box: &Box, after: u64, dest: Option<PathBuf>) {
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "the_child_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_MEDIA", the_box.media())
        .env("TEST_REPO", the_box.repo())
        .env("TEST_AFTER", after.to_string())
        .stdout(Stdio::null());
    if let Some(dest) = dest {
        child.env("TEST_DEST", dest);
    }
    let status = child.status().unwrap();
    assert_eq!(
        status.signal(),
        Some(9),
        "the child ended by itself: {status}"
    );
}

#[test]
fn a_backup_killed_at_any_time_leaves_old_snapshots_and_a_clean_repository() {
    let the_box = Box::new();
    the_box.write("upload/old.jpg", noise(1, 2_000_000));
    let old = snapshot::run(&the_box.open(), &the_box.plan())
        .unwrap()
        .snapshot;
    let before = the_box.path("before");
    restore::run(
        &the_box.open(),
        &old,
        &the_box.media(),
        &before,
        &RestoreOptions::default(),
    )
    .unwrap();

    for film in 0..4 {
        the_box.write(
            &format!("upload/film {film}.mov"),
            noise(10 + film, 30_000_000),
        );
    }
    // At the first byte, amid packs being written, and when all packs and the index are written.
    for after in [1, 50_000_000, 100_000_000, u64::MAX] {
        killed(&the_box, after, None);
        let repository = the_box.open();
        let report = check::run(&repository, check::ReadData::All).unwrap();
        assert!(report.is_clean(), "killed after {after}: {report:?}");
        assert_eq!(
            snapshot::list(&repository, &Filter::default()).unwrap(),
            std::slice::from_ref(&old)
        );
    }
    let dest = the_box.path("restored");
    restore::run(
        &the_box.open(),
        &old,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    assert_same(&before, &dest);

    let next = snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    assert!(
        next.bytes_added < 10_000_000,
        "what was stored is used: {next:?}"
    );
    assert!(
        check::run(&the_box.open(), check::ReadData::All)
            .unwrap()
            .is_clean()
    );
    if let Some(mut restic) = restic() {
        run(restic
            .arg("-r")
            .arg(the_box.repo())
            .args(["check", "--read-data"]));
    }
}

#[test]
fn a_killed_restore_is_completed_by_the_next() {
    let the_box = Box::new();
    for film in 0..3 {
        the_box.write(
            &format!("upload/film {film}.mov"),
            noise(20 + film, 20_000_000),
        );
    }
    the_box.write_dump();
    snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    let dest = the_box.path("restored");
    for after in [1, 30_000_000, u64::MAX] {
        killed(&the_box, after, Some(dest.clone()));
    }
    let repository = the_box.open();
    let snapshot = snapshot::find(&repository, "latest").unwrap();
    let report = restore::run(
        &repository,
        &snapshot,
        &the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    assert_same(&the_box.media(), &dest);
    assert_eq!((report.bytes_restored, report.bytes_kept), (0, 60_000_004));
}
