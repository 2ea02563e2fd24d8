//! Is everything in the repository that should be there, and is it readable?

use std::time::Duration;

use crate::error::Result;
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
pub fn run(_repository: &Repository, _read_data: ReadData) -> Result<CheckReport> {
    todo!()
}
