//! What a recovery could not bring back, kept on the drive.

use appliance_backup::names::display_name;
use appliance_backup::restore::Loss;
use appliance_files::Document;
use serde::{Deserialize, Serialize};

use crate::Paths;

const HEADING: &str = "\
# What the recovery of this drive could not bring back. Look for these files elsewhere.

";

/// All that did not come back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Each file or folder.
    #[serde(default)]
    pub lost: Vec<Lost>,
}

/// A file or folder that did not come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Its path in the snapshot, harmless to show.
    pub path: String,
    /// Why, in plain words.
    pub why: String,
}

impl From<&Loss> for Lost {
    fn from(loss: &Loss) -> Self {
        Lost {
            path: display_name(&loss.in_snapshot),
            why: loss.why.clone(),
        }
    }
}

pub(super) fn document(paths: &Paths) -> Document<Losses> {
    Document::new(paths.recovery_losses(), HEADING)
}
