use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustic_core::repofile::{SnapshotFile, StringList};
use rustic_core::{BackupOptions, Id, SnapshotOptions};

use super::browse::{SEQUENCE, list};
use super::expected::{Comparison, Expectation, Held};
use super::{BackupPlan, BackupReport, Filter, INCOMPLETE, Reason, Snapshot};
use crate::cause::{Else, explain, from_fault};
use crate::error::{Error, Result};
use crate::names::display_name;
use crate::packs::{self, PackComparison};
use crate::repository::{IndexedIds, Repository};
use crate::source::disk::{Disk, RealDisk};
use crate::source::{Seen, Source};

/// How often the files are walked at most. Only what changed is read again.
const MOST_PASSES: u32 = 4;
/// How many of the things that it lacks a snapshot names in its description.
const MOST_NAMED: usize = 20;
/// How a line of a snapshot's description begins that names something it lacks.
pub(super) const LACKS: &str = "lacks ";

/// Takes a snapshot.
///
/// What cannot be read is left out and listed; if it is an original, the snapshot is kept but
/// tagged [`INCOMPLETE`] (so that what could be saved is saved) and the call fails. The files are
/// walked again (and only what changed is read) as long as originals came or went meanwhile: a
/// photo that is moved from a folder that was not yet walked to one that was is in neither at
/// first. At last the plan's list of expected originals is held against the snapshot, and the
/// packs that the index names against those that are stored.
///
/// # Errors
/// [`Error::UnreadableOriginals`] with the report; [`Error::Source`] if a path of the plan is not
/// there; [`Error::SourceGone`] if one went away; else what befell the repository. Older snapshots
/// are never touched, and what was stored before a failure is used by the next run.
pub fn run(repository: &Repository, plan: &BackupPlan) -> Result<BackupReport> {
    run_on(repository, plan, Arc::new(RealDisk::default()))
}

pub(crate) fn run_on(
    repository: &Repository,
    plan: &BackupPlan,
    disk: Arc<dyn Disk>,
) -> Result<BackupReport> {
    let begin = Instant::now();
    let store = repository.store();
    let failed =
        |error: Box<rustic_core::RusticError>| explain(store, &error, Else::Other("back up to"));
    let media = plan.media.as_deref();
    let expectation = plan
        .expected
        .as_ref()
        .map(|expected| Expectation::new(expected, media));
    let source = Source::new(plan, store.clone(), disk)?;
    let mut described = describe(plan).map_err(failed)?;
    let before = before(repository, &described)?;
    described.tags.add(format!("{SEQUENCE}{}", before.sequence));

    let held = store.hold_snapshots();
    let mut taken = Taken::pass(repository, described.clone(), source, before.parent)?;
    let mut compared = taken.compare(repository, expectation.as_ref())?;
    let mut passes = 1;
    while passes < MOST_PASSES && compared.may_find_more(&taken, expectation.as_ref()) {
        let missing = compared.comparison.missing.len();
        let walked_again = taken.source.again();
        let parent = Some(*taken.snapshot.id);
        let first = taken;
        taken = Taken::pass(repository, described.clone(), walked_again, parent)?;
        taken.take_over(&first);
        compared = taken.compare(repository, expectation.as_ref())?;
        passes += 1;
        let still = compared.comparison.missing.len();
        if taken.is_settled(&compared) && still == missing {
            break;
        }
    }
    drop(held);

    finish(repository, taken, compared, passes, begin)
}

/// What the repository holds already of this machine and label.
struct Before {
    parent: Option<Id>,
    /// The number of the snapshot to be taken.
    sequence: u64,
}

fn before(repository: &Repository, described: &SnapshotFile) -> Result<Before> {
    let filter = Filter {
        host: Some(described.hostname.clone()),
        label: Some(described.label.clone()),
        incomplete: true,
        ..Filter::default()
    };
    let snapshots = list(repository, &filter)?;
    let count = |snapshot: &Snapshot| snapshot.sequence;
    Ok(Before {
        sequence: snapshots
            .iter()
            .filter_map(count)
            .max()
            .map_or(1, |last| last.saturating_add(1)),
        parent: snapshots.last().and_then(|last| last.id.parse().ok()),
    })
}

/// A walk through the files, and the snapshot that came of it, not yet saved.
struct Taken {
    snapshot: SnapshotFile,
    source: Source,
    seen: Arc<Seen>,
    index: IndexedIds,
    /// Entries that rustic_core was given and that got lost on their way.
    lost: u64,
}

impl Taken {
    fn pass(
        repository: &Repository,
        described: SnapshotFile,
        source: Source,
        parent: Option<Id>,
    ) -> Result<Self> {
        let store = repository.store();
        let seen = source.seen();
        let mut options = BackupOptions::default();
        match parent {
            Some(parent) => {
                options.parent_opts.parents = vec![parent.to_hex().as_str().to_owned()];
            }
            None => options.parent_opts.force = true,
        }
        let ids = repository.indexed_ids()?;
        // A defect in the archiver must end as a failed backup, not as a crash.
        let archived = catch_unwind(AssertUnwindSafe(|| {
            ids.archive(&options, &source, described, source.roots())
        }));
        repository.forget_index();
        let snapshot = match archived {
            Ok(Ok(snapshot)) => snapshot,
            Ok(Err(error)) => return Err(explain(store, &error, Else::Other("back up to"))),
            Err(_) => return Err(other(repository, "the archiver failed".to_owned())),
        };
        // The source ends early when the store fails; such a snapshot is not the whole.
        if let Some(fault) = store.fault() {
            return Err(from_fault(store.location(), fault));
        }
        Ok(Self {
            lost: lost(&seen, &snapshot),
            index: repository.indexed_ids()?,
            snapshot,
            source,
            seen,
        })
    }

    /// Makes the report one of all walks: what the first sent was not there before, though for the
    /// second it was.
    fn take_over(&mut self, first: &Self) {
        self.snapshot.parent = first.snapshot.parent;
        self.snapshot.parents.clone_from(&first.snapshot.parents);
        self.snapshot.time.clone_from(&first.snapshot.time);
        let Some((summary, earlier)) = self
            .snapshot
            .summary
            .as_mut()
            .zip(first.snapshot.summary.as_ref())
        else {
            return;
        };
        summary.files_new += earlier.files_new;
        summary.files_changed += earlier.files_changed;
        summary.files_unmodified = summary
            .total_files_processed
            .saturating_sub(summary.files_new + summary.files_changed);
        summary.data_added += earlier.data_added;
        summary.data_added_packed += earlier.data_added_packed;
    }

    /// Proves the snapshot: all that it names is stored, and it holds what the list names.
    fn compare(
        &self,
        repository: &Repository,
        expectation: Option<&Expectation>,
    ) -> Result<Compared> {
        let unsettled = self.source.unsettled()?;
        let stored = packs::stored(repository)?;
        let mut held = Held::default();
        let tree = self.snapshot.tree;
        let not_stored = packs::each_file(repository, &self.index, &stored, tree, |path, node| {
            if expectation.is_some() {
                held.add(path, node);
            }
        })?;
        Ok(Compared {
            comparison: expectation
                .map(|expectation| expectation.compare(&held))
                .unwrap_or_default(),
            has_list: expectation.is_some(),
            unsettled,
            not_stored,
            stored,
        })
    }

    fn vanished(&self) -> bool {
        let skipped = self.seen.skipped.lock();
        skipped
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|skipped| skipped.original && skipped.reason == Reason::Vanished)
    }

    /// Whether no original came or went while the files were walked.
    fn is_settled(&self, compared: &Compared) -> bool {
        compared.unsettled.is_empty() && !self.vanished()
    }
}

/// What a snapshot was held against.
struct Compared {
    comparison: Comparison,
    has_list: bool,
    unsettled: Vec<PathBuf>,
    not_stored: Vec<PathBuf>,
    stored: packs::Stored,
}

impl Compared {
    fn may_find_more(&self, taken: &Taken, expectation: Option<&Expectation>) -> bool {
        let found_elsewhere = || {
            expectation.is_some_and(|expectation| {
                let missing = &self.comparison.missing;
                missing.iter().any(|one| expectation.may_be_found(one))
            })
        };
        !taken.is_settled(self) || found_elsewhere()
    }
}

/// Saves the snapshot with all that is known of it by now.
fn finish(
    repository: &Repository,
    taken: Taken,
    compared: Compared,
    passes: u32,
    begin: Instant,
) -> Result<BackupReport> {
    let store = repository.store();
    let failed =
        |error: Box<rustic_core::RusticError>| explain(store, &error, Else::Other("back up to"));
    let settled = taken.is_settled(&compared);
    let Taken {
        mut snapshot,
        seen,
        index,
        lost,
        ..
    } = taken;
    let summary = snapshot.summary.clone().unwrap_or_default();
    let mut report = BackupReport {
        snapshot: Snapshot::from_file(&snapshot),
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        bytes_processed: summary.total_bytes_processed,
        bytes_added: summary.data_added,
        bytes_stored: summary.data_added_packed,
        duration: begin.elapsed(),
        skipped: take(&seen.skipped),
        changed_while_read: take(&seen.changed),
        comparison: compared.comparison,
        not_stored: compared.not_stored,
        unsettled: match compared.has_list {
            // What the list names is there, whatever else came and went.
            true => Vec::new(),
            false => compared.unsettled,
        },
        passes,
        packs: PackComparison::default(),
    };
    if compared.has_list || passes > 1 && settled {
        // Gone in the walk before, and in the last one nothing came or went: it was deleted.
        for skipped in &mut report.skipped {
            skipped.original &= skipped.reason != Reason::Vanished;
        }
    }
    let lacks: Vec<String> = report
        .lacking()
        .map(|lack| format!("{LACKS}{}: {}", display_name(&lack.path), lack.why))
        .collect();
    let incomplete = lost > 0 || !lacks.is_empty();
    if incomplete {
        snapshot.tags.add(INCOMPLETE.to_owned());
        snapshot.description = Some(with_lacks(snapshot.description.take(), &lacks));
    }
    index
        .save_snapshots(vec![snapshot.clone()])
        .map_err(failed)?;
    confirm(repository, &mut snapshot)?;
    report.snapshot = Snapshot::from_file(&snapshot);
    report.packs = packs::suffering(repository, compared.stored)?;
    report.duration = begin.elapsed();
    if lost > 0 {
        let cause = format!("{lost} files were listed but did not get into the snapshot");
        return Err(other(repository, cause));
    }
    if incomplete {
        return Err(Error::UnreadableOriginals(Box::new(report)));
    }
    Ok(report)
}

/// That the snapshot, and the index that it needs, are really there; and under which id.
fn confirm(repository: &Repository, snapshot: &mut SnapshotFile) -> Result<()> {
    let store = repository.store();
    let Some(id) = store.last_snapshot() else {
        return Err(other(repository, "no snapshot was written".to_owned()));
    };
    snapshot.id = id.into();
    // A server that says "written" and has nothing is no server to trust with this.
    let lost = store
        .lost_write()
        .map_err(|fault| from_fault(store.location(), fault))?;
    match lost {
        None => Ok(()),
        Some((tpe, id)) => Err(Error::Damaged {
            repository: repository.location().to_owned(),
            cause: format!("the {tpe} file {id} was written and is not there as it was written"),
        }),
    }
}

fn with_lacks(description: Option<String>, lacks: &[String]) -> String {
    let more = lacks.len().saturating_sub(MOST_NAMED);
    let lines = description
        .into_iter()
        .chain(lacks.iter().take(MOST_NAMED).cloned())
        .chain((more > 0).then(|| format!("{LACKS}{more} more")));
    lines.collect::<Vec<_>>().join("\n")
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
