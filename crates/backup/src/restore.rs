//! Getting files back.

mod content;
mod job;
mod metadata;

use std::path::PathBuf;
use std::time::Duration;

pub use job::run;

/// Whose the restored files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// The owners in the snapshot, by number. Needs root.
    #[default]
    Numeric,
    /// Whoever runs the restore.
    Mine,
}

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Whose the files are.
    pub owners: Owners,
}

/// Something that could not be restored as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or folder at the destination.
    pub path: PathBuf,
    /// What failed and why.
    pub what: String,
}

/// What a restore did.
#[derive(Debug, Clone, Default)]
pub struct RestoreReport {
    /// Files written.
    pub files_restored: u64,
    /// Files that were there already with the right content, as read back.
    pub files_kept: u64,
    /// Folders made or found.
    pub folders: u64,
    /// Links and special files made or found.
    pub others: u64,
    /// Bytes written.
    pub bytes_restored: u64,
    /// Bytes that were there already.
    pub bytes_kept: u64,
    /// What could not be restored as it was.
    pub problems: Vec<Problem>,
    /// How long it took.
    pub duration: Duration,
}
