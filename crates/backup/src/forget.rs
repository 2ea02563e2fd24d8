//! Retention: which snapshots are kept, as a plan to look at and then to carry out.
//!
//! Only the snapshots of one machine and label are looked at, as the repository may hold others.
//! Removing snapshots frees no space by itself: what only they held stays until a prune.

use jiff::Zoned;
use rustic_core::KeepOptions;
use rustic_core::repofile::{SnapshotFile, SnapshotId};

use crate::cause::{Else, brief, explain};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::snapshot::{Filter, Snapshot, list};

/// How many snapshots are kept: the newest, and the newest of so many days, weeks, months, years
/// that have one. Zero keeps none for that reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest ones. At least one is kept whatever this says.
    pub last: u32,
    /// One of each of so many days.
    pub daily: u32,
    /// One of each of so many weeks.
    pub weekly: u32,
    /// One of each of so many months.
    pub monthly: u32,
    /// One of each of so many years.
    pub yearly: u32,
}

/// What a retention keeps and removes. Nothing is done yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetPlan {
    /// What is kept, oldest first, each with its reasons in plain words.
    pub keep: Vec<(Snapshot, Vec<String>)>,
    /// What is removed, oldest first.
    pub remove: Vec<Snapshot>,
}

/// Plans the retention for the snapshots of a machine and label. Kept besides what the retention
/// says: the newest complete snapshot, what is newer than it, and what has a time in the future,
/// as its age is unknown. Incomplete ones before the newest complete one go.
///
/// # Errors
/// What befell the repository.
pub fn plan(
    repository: &Repository,
    host: &str,
    label: &str,
    retention: Retention,
    now: &Zoned,
) -> Result<ForgetPlan> {
    let filter = Filter {
        host: Some(host.to_owned()),
        label: Some(label.to_owned()),
        incomplete: true,
        ..Filter::default()
    };
    let snapshots = list(repository, &filter)?;
    let reasons = kept(repository, &snapshots, retention, now)?;
    Ok(decide(snapshots, &reasons, now))
}

/// The plan, given for which reasons the retention keeps which snapshots.
fn decide(snapshots: Vec<Snapshot>, reasons: &[(String, Vec<String>)], now: &Zoned) -> ForgetPlan {
    let newest = snapshots.iter().rposition(|snapshot| snapshot.complete);
    let mut plan = ForgetPlan::default();
    for (at, snapshot) in snapshots.into_iter().enumerate() {
        let mut why: Vec<String> = reasons
            .iter()
            .filter(|(id, _)| *id == snapshot.id)
            .flat_map(|(_, why)| why.clone())
            .collect();
        match newest {
            None => why.push("no snapshot is complete".to_owned()),
            Some(newest) if at == newest => why.push("the newest complete one".to_owned()),
            Some(newest) if at > newest => {
                why.push("newer than the newest complete one".to_owned())
            }
            Some(_) => {}
        }
        if snapshot.age(now.timestamp()).is_none() {
            why.push("its time is in the future".to_owned());
        }
        match why.is_empty() {
            true => plan.remove.push(snapshot),
            false => plan.keep.push((snapshot, why)),
        }
    }
    plan
}

/// What rustic_core's rules keep of the complete snapshots of known age, and why.
fn kept(
    repository: &Repository,
    snapshots: &[Snapshot],
    retention: Retention,
    now: &Zoned,
) -> Result<Vec<(String, Vec<String>)>> {
    let mut files = Vec::new();
    for snapshot in snapshots {
        if !snapshot.complete || snapshot.age(now.timestamp()).is_none() {
            continue;
        }
        let id = id(repository, snapshot)?;
        let mut file = repository.reading(|| repository.raw().get_file::<SnapshotFile>(&id))?;
        file.id = id;
        files.push(file);
    }
    let kept = options(retention).apply(files, now).map_err(|error| {
        let cause = brief(&error.to_string());
        other(repository, cause)
    })?;
    Ok(kept
        .into_iter()
        .filter(|decided| decided.keep)
        .map(|decided| {
            let id = decided.snapshot.id.to_hex().as_str().to_owned();
            (id, decided.reasons)
        })
        .collect())
}

fn options(retention: Retention) -> KeepOptions {
    let count = |count: u32| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let mut options = KeepOptions::default();
    options.keep_last = count(retention.last.max(1));
    options.keep_daily = count(retention.daily);
    options.keep_weekly = count(retention.weekly);
    options.keep_monthly = count(retention.monthly);
    options.keep_yearly = count(retention.yearly);
    options
}

/// Removes what a plan removes. Safe to repeat: what is gone already is passed over. Refuses if a
/// complete snapshot that the plan keeps is not there any more, as it was then made for another
/// state.
///
/// Returns how many were removed.
///
/// # Errors
/// What befell the repository, among others `Denied` if the key may not remove.
pub fn carry_out(repository: &Repository, plan: &ForgetPlan) -> Result<usize> {
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    let there = list(repository, &all)?;
    let is_there = |wanted: &Snapshot| there.iter().any(|snapshot| snapshot.id == wanted.id);
    let mut complete = plan.keep.iter().filter(|(kept, _)| kept.complete);
    if !complete.all(|(kept, _)| is_there(kept)) {
        let cause = "a snapshot that was to be kept is gone; plan anew".to_owned();
        return Err(other(repository, cause));
    }
    let ids = plan
        .remove
        .iter()
        .filter(|snapshot| is_there(snapshot))
        .map(|snapshot| id(repository, snapshot))
        .collect::<Result<Vec<_>>>()?;
    repository
        .raw()
        .delete_snapshots(&ids)
        .map_err(|error| explain(repository.store(), &error, Else::Other("remove from")))?;
    Ok(ids.len())
}

fn id(repository: &Repository, snapshot: &Snapshot) -> Result<SnapshotId> {
    snapshot.id.parse().map_err(|_| Error::NoSnapshot {
        repository: repository.location().to_owned(),
        wanted: snapshot.id.clone(),
    })
}

fn other(repository: &Repository, cause: String) -> Error {
    Error::Other {
        doing: "remove snapshots from",
        repository: repository.location().to_owned(),
        cause,
    }
}
