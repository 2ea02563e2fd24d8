//! Getting files back.

mod content;
mod destination;
mod job;
mod metadata;

use std::path::PathBuf;
use std::time::Duration;

pub use destination::{DestinationRefusal, check_destination};
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

/// Something that came back, but not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or folder at the destination.
    pub path: PathBuf,
    /// What failed and why.
    pub what: String,
}

/// A file or folder that did not come back, or lacks its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where it would be at the destination. Nothing stands there under its name.
    pub path: PathBuf,
    /// Its path in the snapshot.
    pub in_snapshot: PathBuf,
    /// Whether it is a folder, of which all that was in it is lost too.
    pub is_folder: bool,
    /// Why, in plain words.
    pub why: String,
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
    /// What did not come back at all. Everything else did.
    pub losses: Vec<Loss>,
    /// What came back, but not as it was: another owner, mode or time.
    pub problems: Vec<Problem>,
    /// How long it took.
    pub duration: Duration,
}
