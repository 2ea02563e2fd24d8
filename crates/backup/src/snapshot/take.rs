use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustic_core::repofile::{SnapshotFile, StringList};
use rustic_core::{BackupOptions, SnapshotOptions};

use super::{BackupPlan, BackupReport, INCOMPLETE, Snapshot};
use crate::cause::{Else, explain, from_fault};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::source::{Seen, Source};

/// Takes a snapshot.
///
/// A file that cannot be read is left out and listed; if it is an original, the snapshot is kept
/// but tagged [`INCOMPLETE`] (so that what could be saved is saved) and the call fails.
///
/// # Errors
/// [`Error::UnreadableOriginals`] with the report; [`Error::Source`] if a path of the plan is not
/// there; else what befell the repository. Older snapshots are never touched, and what was stored
/// before a failure is used by the next run.
pub fn run(repository: &Repository, plan: &BackupPlan) -> Result<BackupReport> {
    let begin = Instant::now();
    let store = repository.store();
    let source = Source::new(&plan.paths, &plan.excludes, &plan.originals, store.clone())?;
    let seen = source.seen();
    let ids = repository.indexed_ids()?;
    let failed =
        |error: Box<rustic_core::RusticError>| explain(store, &error, Else::Other("back up to"));

    let snapshot = describe(plan).map_err(failed)?;
    let archived = {
        let _held = store.hold_snapshots();
        // A defect in the archiver must end as a failed backup, not as a crash.
        catch_unwind(AssertUnwindSafe(|| {
            ids.archive(&BackupOptions::default(), &source, snapshot, source.roots())
        }))
    };
    repository.forget_index();
    let mut snapshot = match archived {
        Ok(Ok(snapshot)) => snapshot,
        Ok(Err(error)) => return Err(failed(error)),
        Err(_) => return Err(other(repository, "the archiver failed".to_owned())),
    };
    // The source ends early when the store fails; such a snapshot is not the whole.
    if let Some(fault) = store.fault() {
        return Err(from_fault(store.location(), fault));
    }

    let lost = lost(&seen, &snapshot);
    let skipped = take(&seen.skipped);
    let report = BackupReport {
        snapshot: Snapshot::from_file(&snapshot),
        files_new: 0,
        files_changed: 0,
        files_unmodified: 0,
        bytes_processed: 0,
        bytes_added: 0,
        bytes_stored: 0,
        duration: begin.elapsed(),
        skipped,
        changed_while_read: take(&seen.changed),
    };
    let incomplete = lost > 0 || report.unreadable_originals().next().is_some();
    if incomplete {
        snapshot.tags.add(INCOMPLETE.to_owned());
    }
    ids.save_snapshots(vec![snapshot.clone()]).map_err(failed)?;
    if let Some(id) = store.last_snapshot() {
        snapshot.id = id.into();
    }

    let summary = snapshot.summary.clone().unwrap_or_default();
    let report = BackupReport {
        snapshot: Snapshot::from_file(&snapshot),
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        bytes_processed: summary.total_bytes_processed,
        bytes_added: summary.data_added,
        bytes_stored: summary.data_added_packed,
        duration: begin.elapsed(),
        ..report
    };
    if lost > 0 {
        let cause = format!("{lost} files were listed but did not get into the snapshot");
        return Err(other(repository, cause));
    }
    if incomplete {
        return Err(Error::UnreadableOriginals(Box::new(report)));
    }
    Ok(report)
}

fn describe(plan: &BackupPlan) -> rustic_core::RusticResult<SnapshotFile> {
    let mut tags = StringList::default();
    for tag in &plan.tags {
        tags.add(tag.clone());
    }
    let mut options = SnapshotOptions::default();
    options.label = plan.label.clone();
    options.tags = vec![tags];
    options.host = plan.host.clone();
    options.time = plan.time.clone();
    options.description = plan.description.clone();
    options.command = Some("immich-appliance backup run".to_owned());
    options.to_snapshot()
}

/// How many entries rustic_core was given, did not report on, and did not put into the snapshot.
/// None, as far as its source code tells; this is the proof.
fn lost(seen: &Arc<Seen>, snapshot: &SnapshotFile) -> u64 {
    let given = seen.entries.load(Ordering::SeqCst);
    let unread = seen.unread.load(Ordering::SeqCst);
    let stored = snapshot
        .summary
        .as_ref()
        .map_or(0, |summary| summary.total_files_processed);
    given.saturating_sub(unread).saturating_sub(stored)
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

fn other(repository: &Repository, cause: String) -> Error {
    Error::Other {
        doing: "back up to",
        repository: repository.location().to_owned(),
        cause,
    }
}
