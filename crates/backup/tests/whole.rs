//! "Backed up" is true: of the repository as it is now, and of the drive that is meant.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;

use appliance_backup::snapshot::{self, BackupPlan, Filter};
use appliance_backup::{Error, packs};
use common::{Box, noise, packs as packs_in};
use jiff::Zoned;

fn later(plan: &BackupPlan, hours: i64) -> BackupPlan {
    let time = &Zoned::now() + jiff::Span::new().hours(hours);
    BackupPlan {
        time: Some(time),
        ..plan.clone()
    }
}

#[test]
fn a_snapshot_made_with_the_clock_ahead_is_not_the_newest_for_ever() {
    let the_box = Box::new();
    the_box.write_dump();
    let photo = the_box.write("upload/a.jpg", b"a");
    let repository = the_box.open();
    let ahead = snapshot::run(&repository, &later(&the_box.plan(), 8760))
        .unwrap()
        .snapshot;
    fs::write(photo, b"b").unwrap();
    let next = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let last = snapshot::run(&repository, &later(&the_box.plan(), -8760))
        .unwrap()
        .snapshot;
    assert_eq!(
        snapshot::list(&repository, &Filter::default()).unwrap(),
        [ahead.clone(), next.clone(), last.clone()]
    );
    assert_eq!(snapshot::find(&repository, "latest").unwrap(), last);
    let now = Zoned::now().timestamp();
    assert_eq!(ahead.age(now), None);
    assert!(next.age(now).is_some());
}

#[test]
fn a_snapshot_of_something_else_is_not_the_latest() {
    let the_box = Box::new();
    the_box.write_dump();
    the_box.write("upload/a.jpg", b"a");
    let repository = the_box.open();
    let ours = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let hostname = the_box.path("hostname");
    fs::write(&hostname, b"pc\n").unwrap();
    let foreign = BackupPlan {
        paths: vec![hostname],
        host: Some("pc".into()),
        ..BackupPlan::default()
    };
    snapshot::run(&repository, &later(&foreign, 1)).unwrap();
    // A drive without a dump of its database, or with an empty one, is none to recover from.
    let undumped = BackupPlan {
        paths: vec![the_box.media().join("upload")],
        ..the_box.plan()
    };
    snapshot::run(&repository, &later(&undumped, 2)).unwrap();

    assert_eq!(snapshot::find(&repository, "latest").unwrap(), ours);
    let latest = snapshot::latest_library(&repository, &Filter::default()).unwrap();
    assert_eq!(latest.others, 2);
    let library = latest.library.unwrap();
    assert_eq!(library.media, the_box.media());
    assert_eq!(library.root, the_box.folder.path());
    assert_eq!(
        library.dumps,
        [the_box.media().join("backups/immich-db-backup-1.sql.gz")]
    );
}

#[test]
fn a_drive_is_recognised_whichever_of_its_folders_were_named() {
    let the_box = Box::new();
    the_box.write_dump();
    the_box.write("upload/a.jpg", b"a");
    fs::create_dir(the_box.path("secrets")).unwrap();
    let repository = the_box.open();
    let essential = BackupPlan {
        paths: ["library", "upload", "profile", "backups"]
            .map(|name| the_box.media().join(name))
            .into_iter()
            .chain([the_box.path("secrets")])
            .collect(),
        ..the_box.plan()
    };
    let whole = BackupPlan {
        paths: vec![the_box.media(), the_box.path("secrets")],
        ..the_box.plan()
    };
    for plan in [essential, whole] {
        let snapshot = snapshot::run(&repository, &plan).unwrap().snapshot;
        let library = snapshot::library(&repository, &snapshot).unwrap().unwrap();
        assert_eq!(library.media, the_box.media());
    }
}

#[test]
fn newer_snapshots_that_are_incomplete_are_told_with_what_they_lack() {
    let the_box = Box::new();
    the_box.write_dump();
    let repository = the_box.open();
    let good = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    let plan = BackupPlan {
        expected: Some(vec![snapshot::Expected {
            path: "upload/lost\n.jpg".into(),
            ..snapshot::Expected::default()
        }]),
        description: Some("nightly".into()),
        ..the_box.plan()
    };
    snapshot::run(&repository, &plan).unwrap_err();
    let latest = snapshot::latest_library(&repository, &Filter::default()).unwrap();
    assert_eq!(latest.snapshot, Some(good));
    assert_eq!(latest.incomplete.len(), 1);
    let lacks = &latest.incomplete[0].lacks;
    assert_eq!(lacks.len(), 1);
    assert!(
        lacks[0].contains("upload/lost\\n.jpg: it is not there"),
        "{lacks:?}"
    );
}

#[test]
fn a_pack_that_vanished_is_told_by_the_next_run_with_the_snapshots_that_suffer() {
    let the_box = Box::new();
    the_box.write_dump();
    let photo = the_box.write("upload/a.jpg", noise(1, 500_000));
    let repository = the_box.open();
    let first = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert!(first.packs.is_whole() && first.packs.indexed >= 2);
    let data = packs_in(&the_box.repo())
        .into_iter()
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let whole = fs::read(&data).unwrap();
    fs::remove_file(&data).unwrap();

    // The photo is still as it was, so that nothing of it is sent again: this snapshot suffers too.
    let error = snapshot::run(&the_box.open(), &the_box.plan()).unwrap_err();
    let Error::UnreadableOriginals(report) = error else {
        panic!("{error:?}")
    };
    assert!(report.not_stored.contains(&photo), "{report:?}");
    let id = data.file_name().unwrap().to_str().unwrap();
    assert_eq!(report.packs.missing, [id]);
    let suffering: Vec<_> = report.packs.suffering.iter().map(|one| &one.id).collect();
    assert_eq!(suffering, [&first.snapshot.id, &report.snapshot.id]);

    // Without the photo, the new snapshot does not suffer; the first still does, and is told.
    fs::remove_file(&photo).unwrap();
    fs::write(
        the_box.media().join("backups/immich-db-backup-1.sql.gz"),
        b"another",
    )
    .unwrap();
    let report = snapshot::run(&the_box.open(), &the_box.plan()).unwrap();
    assert_eq!(report.packs.suffering.len(), 2);

    // Shorter than the index says is as bad.
    fs::write(&data, &whole[..whole.len() / 2]).unwrap();
    let compared = packs::compare(&the_box.open()).unwrap();
    assert_eq!((compared.missing.len(), compared.shortened.len()), (0, 1));
    assert_eq!(compared.suffering.len(), 2);
    fs::write(&data, whole).unwrap();
    assert!(packs::compare(&the_box.open()).unwrap().is_whole());
}
