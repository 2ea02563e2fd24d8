//! Setting the box up, stage after stage: which are done, and which a person left out.

use appliance_files::Document;
use serde::{Deserialize, Serialize};

use crate::health::{Condition, DriveCondition, NextStep};
use crate::remote::Remote;
use crate::{Appliance, Result};

/// A stage of setting up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The encrypted drive, with Immich running from it.
    Drive,
    /// A repository, and a first backup in it.
    Backups,
    /// Reaching the box from outside through a Tailscale network.
    Remote,
    /// The sheet of paper with which everything is recovered.
    Kit,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Stage; 4] = [Stage::Drive, Stage::Backups, Stage::Remote, Stage::Kit];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Drive => "drive",
            Stage::Backups => "backups",
            Stage::Remote => "remote",
            Stage::Kit => "kit",
        }
    }

    /// What it is about.
    pub fn doc(self) -> &'static str {
        match self {
            Stage::Drive => "The encrypted drive, with Immich running from it",
            Stage::Backups => "A repository, and a first backup in it",
            Stage::Remote => "Access from anywhere, through a Tailscale network",
            Stage::Kit => "The sheet of paper that makes a recovery possible",
        }
    }
}

/// What a person decided, kept on the card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    /// The stages left out.
    pub skipped: Vec<Stage>,
    /// Whether the sheet is kept.
    pub kit: bool,
}

impl Decisions {
    /// Reads them; nothing is decided at first.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn load(appliance: &Appliance) -> Result<Self> {
        Ok(document(appliance).read()?.unwrap_or_default())
    }

    /// Writes them down.
    ///
    /// # Errors
    /// When the card does not take the file.
    pub fn save(&self, appliance: &Appliance) -> Result<()> {
        appliance.make_state_folder()?;
        Ok(document(appliance).write(self)?)
    }
}

fn document(appliance: &Appliance) -> Document<Decisions> {
    Document::new(appliance.paths.setup(), "")
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageProgress {
    /// There is nothing left to do.
    Done,
    /// A person left it out.
    Skipped,
    /// It waits.
    Open,
}

/// A stage as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageLine {
    /// Which.
    pub stage: Stage,
    /// How far it is.
    pub progress: StageProgress,
    /// In words.
    pub state: String,
}

/// How far each stage is.
pub fn stages(condition: &Condition, decisions: &Decisions) -> Vec<StageLine> {
    let line = |stage| {
        let (done, state) = look(stage, condition, decisions);
        StageLine {
            stage,
            progress: match done {
                true => StageProgress::Done,
                false if decisions.skipped.contains(&stage) => StageProgress::Skipped,
                false => StageProgress::Open,
            },
            state,
        }
    };
    Stage::ALL.into_iter().map(line).collect()
}

fn look(stage: Stage, condition: &Condition, decisions: &Decisions) -> (bool, String) {
    let (done, state) = match stage {
        Stage::Drive => match (&condition.drive, condition.server.is_up()) {
            (DriveCondition::Absent(_), _) if condition.remembered.is_none() => {
                (false, "there is no drive for the photos yet")
            }
            (DriveCondition::Absent(_) | DriveCondition::Gone, _) => {
                (false, "the drive is not attached")
            }
            (DriveCondition::Occupied { .. }, _) => {
                (false, "something else is in the drive's place")
            }
            (DriveCondition::Locked(_) | DriveCondition::Unlocked(_), _) => {
                (false, "the drive is locked")
            }
            (DriveCondition::Mounted { .. }, false) => {
                (false, "the drive is unlocked, and Immich is not running")
            }
            (DriveCondition::Mounted { .. }, true) => (true, "Immich runs from the drive"),
        },
        Stage::Backups => match (&condition.backup.repository, &condition.backup.last_good) {
            (Some(repository), Some(_)) => return (true, format!("backed up to {repository}")),
            (Some(_), None) => (false, "the repository is set up, with no backup in it yet"),
            (None, _) => (false, "there is no backup"),
        },
        Stage::Remote => match condition.remote.as_ref().map(Remote::is_joined) {
            Some(true) => (true, "the box is in a Tailscale network"),
            Some(false) => (false, "Tailscale is installed and not signed in"),
            None => (false, "reachable at home only; Tailscale is not running"),
        },
        Stage::Kit if decisions.kit => (true, "the sheet is in a safe place"),
        Stage::Kit => (
            false,
            "nobody has confirmed yet that the sheet is in a safe place",
        ),
    };
    (done, state.to_owned())
}

/// The one next command; `None` when all is well. What keeps the photos from being seen comes
/// before everything else.
pub fn next(condition: &Condition, decisions: &Decisions) -> Option<String> {
    if let Some(
        step @ (NextStep::AttachDrive | NextStep::Unlock | NextStep::FinishRecovery { .. }),
    ) = condition.next_step()
    {
        return Some(step.text());
    }
    let open = stages(condition, decisions)
        .into_iter()
        .any(|line| line.progress == StageProgress::Open);
    open.then(|| "immich-appliance setup".into())
}
