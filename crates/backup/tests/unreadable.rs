//! What cannot be read is told, and an original that cannot be read fails the backup.
//!
//! Root reads everything whatever its mode, so these tests run as an ordinary user.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};

use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Silent};
use appliance_backup::restore::{self, Owners, RestoreOptions};
use appliance_backup::snapshot::{self, BackupPlan, BackupReport, Filter, INCOMPLETE, Reason};
use appliance_backup::{Error, OpenOptions, Repository, check};
use common::{Box, noise, options};

/// Gives up root's rights, in all threads of this test program.
fn as_ordinary_user() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::seteuid(nix::unistd::Uid::from_raw(65534)).unwrap();
        }
    });
}

fn forbid(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
}

fn allow(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

fn failure(result: Result<BackupReport, Error>) -> BackupReport {
    match result {
        Err(Error::UnreadableOriginals(report)) => *report,
        other => panic!("expected the backup to fail, got {other:?}"),
    }
}

#[test]
fn an_original_that_cannot_be_read_fails_the_backup_and_the_rest_is_saved() {
    as_ordinary_user();
    let the_box = Box::new();
    the_box.write("upload/good.jpg", noise(1, 1000));
    the_box.write_dump();
    let repository = the_box.open();
    let complete = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;

    let bad = the_box.write("upload/bad.jpg", noise(2, 1000));
    forbid(&bad);
    let report = failure(snapshot::run(&repository, &the_box.plan()));
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].path, bad);
    assert!(report.skipped[0].original);
    assert!(matches!(&report.skipped[0].reason, Reason::Unreadable(why) if why.contains("denied")));
    assert!(!report.snapshot.complete);
    assert!(report.snapshot.tags.contains(&INCOMPLETE.to_owned()));

    // Kept, but not what "the last good backup" means.
    assert_eq!(
        snapshot::latest(&repository, &Filter::default()).unwrap(),
        Some(complete.clone())
    );
    assert_eq!(snapshot::find(&repository, "latest").unwrap(), complete);
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    assert_eq!(
        snapshot::latest(&repository, &all).unwrap(),
        Some(report.snapshot.clone())
    );
    assert!(
        check::run(&repository, check::ReadData::All)
            .unwrap()
            .is_clean()
    );
    let mine = RestoreOptions {
        owners: Owners::Mine,
    };
    let dest = the_box.path("restored");
    restore::run(
        &repository,
        &report.snapshot,
        &the_box.media(),
        &dest,
        &mine,
    )
    .unwrap();
    assert_eq!(
        fs::read(dest.join("upload/good.jpg")).unwrap(),
        noise(1, 1000)
    );

    allow(&bad);
    let mended = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert!(mended.snapshot.complete && mended.skipped.is_empty());
}

#[test]
fn a_folder_of_originals_that_cannot_be_listed_fails_the_backup() {
    as_ordinary_user();
    let the_box = Box::new();
    the_box.write("library/user/photo.jpg", b"photo");
    let folder = the_box.media().join("library/user");
    let repository = the_box.open();
    for mode in [0o000, 0o300, 0o600] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let report = failure(snapshot::run(&repository, &the_box.plan()));
        allow(&folder);
        assert!(
            report
                .skipped
                .iter()
                .all(|skipped| skipped.path.starts_with(&folder)),
            "{mode:o} {report:?}"
        );
        assert_eq!(report.skipped.len(), 1, "{mode:o}");
    }
}

#[test]
fn another_file_that_cannot_be_read_is_told_and_does_not_fail_the_backup() {
    as_ordinary_user();
    let the_box = Box::new();
    let thumbnail = the_box.write("thumbs/t.webp", b"thumbnail");
    forbid(&thumbnail);
    let repository = the_box.open();
    let report = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(
        (report.skipped[0].path.as_path(), report.skipped[0].original),
        (thumbnail.as_path(), false)
    );
    assert!(report.snapshot.complete);
}

#[test]
fn a_read_that_fails_half_way_is_told() {
    as_ordinary_user();
    let the_box = Box::new();
    // Has a size of one page, and reading it is an error.
    let broken = Path::new("/sys/devices/virtual/net/lo/speed");
    if fs::read(broken).is_ok() || fs::metadata(broken).is_err() {
        println!("SKIPPED: {} can be read or is not there", broken.display());
        return;
    }
    let plan = BackupPlan {
        paths: vec![the_box.media(), broken.into()],
        originals: vec![broken.into()],
        ..the_box.plan()
    };
    let repository = the_box.open();
    let report = failure(snapshot::run(&repository, &plan));
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].path, broken);
    assert!(matches!(report.skipped[0].reason, Reason::Unreadable(_)));
}

/// Does something to the files when they have been listed and are about to be read.
#[derive(Debug)]
struct Meddler(Mutex<Option<Meddling>>);

struct Meddling(std::boxed::Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

#[derive(Debug)]
struct MeddlingPhase(Arc<Meddler>);

impl ProgressSink for MeddlingSink {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        match phase.name.as_str() {
            "backing up" => Arc::new(MeddlingPhase(Arc::clone(&self.0))),
            _ => Arc::new(Silent),
        }
    }
}

#[derive(Debug)]
struct MeddlingSink(Arc<Meddler>);

impl PhaseSink for MeddlingPhase {
    fn set_total(&self, _total: u64) {}
    // The first part of the first file has been read, the others wait.
    fn advance(&self, _done: u64) {
        if let Some(meddle) = self.0.0.lock().unwrap().take() {
            (meddle.0)();
        }
    }
    fn finish(&self) {}
}

/// Backs up one long file that is changed by `meddle` once its reading has begun.
fn meddled(the_box: &Box, meddle: impl FnOnce() + Send + 'static) -> Result<BackupReport, Error> {
    the_box.open();
    let meddler = Arc::new(Meddler(Mutex::new(Some(Meddling(std::boxed::Box::new(
        meddle,
    ))))));
    let options = OpenOptions {
        progress: Arc::new(MeddlingSink(meddler)),
        ..options()
    };
    let repository = Repository::open(&the_box.target(), &options).unwrap();
    let result = snapshot::run(&repository, &the_box.plan());
    assert!(
        check::run(&repository, check::ReadData::All)
            .unwrap()
            .is_clean()
    );
    result
}

const LONG: usize = 80_000_000;

#[test]
fn a_file_that_grows_while_it_is_read_is_saved_as_listed_and_told() {
    as_ordinary_user();
    let the_box = Box::new();
    let film = the_box.write("upload/film.mov", noise(1, LONG));
    let growing = film.clone();
    let report = meddled(&the_box, move || {
        use std::io::Write;
        let mut file = fs::File::options().append(true).open(growing).unwrap();
        file.write_all(b"more").unwrap();
    })
    .unwrap();
    assert_eq!(report.changed_while_read, [film]);
    assert_eq!(report.bytes_processed, LONG as u64);
}

#[test]
fn an_original_that_shrinks_while_it_is_read_fails_the_backup() {
    as_ordinary_user();
    let the_box = Box::new();
    let film = the_box.write("upload/film.mov", noise(1, LONG));
    let shrinking = film.clone();
    let report = failure(meddled(&the_box, move || {
        fs::File::options()
            .write(true)
            .open(shrinking)
            .unwrap()
            .set_len(10)
            .unwrap();
    }));
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(
        (report.skipped[0].path.as_path(), &report.skipped[0].reason),
        (film.as_path(), &Reason::Shrank)
    );
}
