//! Is everything in the repository that should be there, and is it readable?

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustic_core::repofile::SnapshotFile;
use rustic_core::{CheckOptions, ReadSubsetOption};

use crate::cause::{Else, brief, explain, from_fault};
use crate::error::{Error, Result};
use crate::repository::Repository;

/// How much of the stored data is read back, beside the structure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ReadData {
    /// None: index, snapshots and folder trees, and that every pack is there in its full length.
    #[default]
    No,
    /// A random part of about this many percent.
    Percent(f64),
    /// The `part`th of `of` parts; running all of them reads everything.
    Part {
        /// Which part, from 1.
        part: u32,
        /// Of how many.
        of: u32,
    },
    /// All of it.
    All,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    /// Damage: something cannot be restored.
    pub errors: Vec<String>,
    /// Harmless findings, such as packs that an interrupted backup left behind.
    pub notes: Vec<String>,
    /// Snapshots that were checked.
    pub snapshots: usize,
    /// How long it took.
    pub duration: Duration,
}

impl CheckReport {
    /// Whether no damage was found.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Checks the repository. Damage is in the report, not an error of the call.
///
/// # Errors
/// What kept the check from being made.
pub fn run(repository: &Repository, read_data: ReadData) -> Result<CheckReport> {
    let begin = Instant::now();
    let mut report = CheckReport::default();

    // rustic_core's own list of snapshots leaves out those it cannot read.
    let mut trees = Vec::new();
    let snapshots = repository
        .raw()
        .stream_files::<SnapshotFile>()
        .map_err(|error| explain(repository.store(), &error, Else::Damaged))?;
    for snapshot in snapshots {
        match snapshot {
            Ok((_, snapshot)) => trees.push(snapshot.tree),
            Err(error) => report.errors.push(format!(
                "a snapshot cannot be read: {}",
                brief(&error.to_string())
            )),
        }
    }
    report.snapshots = trees.len();

    let mut options = CheckOptions::default().read_data(read_data != ReadData::No);
    options.read_data_subset = match read_data {
        ReadData::No | ReadData::All => ReadSubsetOption::All,
        ReadData::Percent(percent) => ReadSubsetOption::Percentage(percent),
        ReadData::Part { part, of } => ReadSubsetOption::IdSubSet((part, of.max(1))),
    };
    // Data that can be decrypted but not unpacked makes rustic_core panic.
    let found = catch_unwind(AssertUnwindSafe(|| {
        repository.raw().check_with_trees(options, trees)
    }));
    match found {
        Ok(Ok(results)) => {
            for (level, finding) in results.0 {
                let text = brief(&finding.to_string());
                // The types have no public names; their Debug texts are what can be told apart.
                if text.to_lowercase().contains("cached file") {
                    repository.drop_cache();
                    report.notes.push(text);
                } else if format!("{level:?}") == "Warn" {
                    report.notes.push(text);
                } else {
                    report.errors.push(text);
                }
            }
        }
        Ok(Err(error)) => match explain(repository.store(), &error, Else::Damaged) {
            Error::Damaged { cause, .. } => report.errors.push(cause),
            other => return Err(other),
        },
        Err(_) => report.errors.push("data cannot be unpacked".to_owned()),
    }
    // What the check took for damage was the server failing.
    if let Some(fault) = repository.store().fault() {
        return Err(from_fault(repository.location(), fault));
    }
    report.duration = begin.elapsed();
    Ok(report)
}
