//! How far a recovery has come, kept on the drive that is recovered onto.

use appliance_files::Document;
use serde::{Deserialize, Serialize};

use super::plan::{RecoveryGoal, RecoveryStep};
use crate::Paths;

/// What is remembered of a recovery that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryProgress {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The full ID of the snapshot.
    pub snapshot: String,
    /// The lasting steps that are done.
    #[serde(default)]
    pub done: Vec<RecoveryStep>,
}

impl RecoveryProgress {
    pub(super) fn new(goal: RecoveryGoal, done: &[RecoveryStep]) -> Self {
        RecoveryProgress {
            repository: goal.repository,
            snapshot: goal.snapshot,
            done: done.to_vec(),
        }
    }
}

/// Where it is kept; there is none where no recovery is under way.
pub(crate) fn document(paths: &Paths) -> Document<RecoveryProgress> {
    Document::new(paths.recovery_progress(), "")
}
