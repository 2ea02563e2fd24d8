//! Retention removes what it says, and never the last good backup.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;

use appliance_backup::forget::{self, Retention};
use appliance_backup::snapshot::{self, BackupPlan, Expected, Filter, Snapshot};
use appliance_backup::{Error, Repository};
use common::Box;
use jiff::{Span, Zoned};

const NONE: Retention = Retention {
    last: 0,
    daily: 0,
    weekly: 0,
    monthly: 0,
    yearly: 0,
};

fn now() -> Zoned {
    "2026-11-25T12:00[UTC]".parse().unwrap()
}

/// Takes a snapshot with a time so many days before now.
fn take(the_box: &Box, repository: &Repository, days: i64, whole: bool) -> Snapshot {
    fs::write(the_box.media().join("upload/day.jpg"), format!("{days}")).unwrap();
    let lost = Expected {
        path: "upload/lost.jpg".into(),
        ..Expected::default()
    };
    let plan = BackupPlan {
        time: Some(&now() - Span::new().days(days)),
        expected: (!whole).then(|| vec![lost]),
        ..the_box.plan()
    };
    match snapshot::run(repository, &plan) {
        Ok(report) => report.snapshot,
        Err(Error::UnreadableOriginals(report)) => report.snapshot,
        Err(error) => panic!("{error:?}"),
    }
}

fn ids(snapshots: &[Snapshot]) -> Vec<&str> {
    snapshots.iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn what_is_kept_is_said_with_its_reasons_and_only_the_rest_goes() {
    let the_box = Box::new();
    the_box.write_dump();
    let repository = the_box.open();
    let pc = BackupPlan {
        host: Some("pc".into()),
        time: Some(&now() - Span::new().days(900)),
        ..the_box.plan()
    };
    let pc = snapshot::run(&repository, &pc).unwrap().snapshot;
    let old = take(&the_box, &repository, 400, true);
    let partial = take(&the_box, &repository, 30, false);
    let yesterday = take(&the_box, &repository, 1, true);
    let ahead = take(&the_box, &repository, -30, true);
    let newest = take(&the_box, &repository, 0, true);
    let failed = take(&the_box, &repository, 0, false);

    let plan = forget::plan(&repository, "box", "", NONE, &now()).unwrap();
    assert_eq!(
        ids(&plan.remove),
        ids(&[old.clone(), partial.clone(), yesterday.clone()])
    );
    let kept: Vec<_> = plan.keep.iter().map(|(kept, _)| kept.clone()).collect();
    assert_eq!(
        ids(&kept),
        ids(&[ahead.clone(), newest.clone(), failed.clone()])
    );
    assert!(plan.keep.iter().all(|(_, why)| !why.is_empty()));
    let yearly = Retention { yearly: 2, ..NONE };
    let yearly = forget::plan(&repository, "box", "", yearly, &now()).unwrap();
    assert_eq!(ids(&yearly.remove), ids(&[partial, yesterday]));

    assert_eq!(forget::carry_out(&repository, &plan).unwrap(), 3);
    assert_eq!(forget::carry_out(&repository, &plan).unwrap(), 0);
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    let left = snapshot::list(&repository, &all).unwrap();
    assert_eq!(ids(&left), ids(&[pc, ahead, newest.clone(), failed]));
    assert_eq!(snapshot::find(&repository, "latest").unwrap(), newest);
}

#[test]
fn a_plan_made_for_another_state_is_refused() {
    let the_box = Box::new();
    the_box.write_dump();
    let repository = the_box.open();
    take(&the_box, &repository, 2, true);
    let newest = take(&the_box, &repository, 1, true);
    let plan = forget::plan(&repository, "box", "", NONE, &now()).unwrap();
    assert_eq!(plan.remove.len(), 1);
    fs::remove_file(the_box.repo().join("snapshots").join(&newest.id)).unwrap();
    assert!(forget::carry_out(&repository, &plan).is_err());
    let left = snapshot::list(&repository, &Filter::default()).unwrap();
    assert_eq!(left.len(), 1, "the last one is not removed");
}
