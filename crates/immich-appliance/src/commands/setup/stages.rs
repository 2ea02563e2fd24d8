//! Which stages are done, and which command comes next. Pure.

use serde::Serialize;

use super::facts::{Drive, Facts, Noted};
use crate::cli::Stage;

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// There is nothing left to do.
    Done,
    /// A person left it out.
    Skipped,
    /// It waits.
    Open,
}

/// A stage as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which.
    pub stage: Stage,
    /// How far it is.
    pub progress: Progress,
    /// In words.
    pub state: String,
}

/// All stages.
pub fn lines(facts: &Facts, noted: &Noted) -> Vec<Line> {
    Stage::ALL
        .into_iter()
        .map(|stage| {
            let (done, state) = look(stage, facts, noted);
            let progress = match done {
                true => Progress::Done,
                false if noted.skipped.contains(&stage) => Progress::Skipped,
                false => Progress::Open,
            };
            Line {
                stage,
                progress,
                state,
            }
        })
        .collect()
}

fn look(stage: Stage, facts: &Facts, noted: &Noted) -> (bool, String) {
    match stage {
        Stage::Drive => match (facts.drive, facts.running) {
            (Drive::None, _) => (false, "there is no drive for the photos yet".into()),
            (Drive::Missing, _) => (false, "the drive is not attached".into()),
            (Drive::Locked, _) => (false, "the drive is locked".into()),
            (Drive::Open, false) => (false, "the drive is open, and Immich does not run".into()),
            (Drive::Open, true) => (true, "Immich runs from the drive".into()),
        },
        Stage::Backups => match (&facts.backed_up, facts.repository) {
            (Some(repository), _) => (true, format!("backed up to {repository}")),
            (None, true) => (
                false,
                "the repository is there, and no backup in it yet".into(),
            ),
            (None, false) => (false, "there is no backup".into()),
        },
        Stage::Remote => match facts.tailnet {
            Some(true) => (true, "the Tailscale network is joined".into()),
            Some(false) => (false, "Tailscale is installed and not signed in".into()),
            None => (
                false,
                "reached at home only; Tailscale is not installed".into(),
            ),
        },
        Stage::Kit if noted.kit => (true, "the sheet is kept".into()),
        Stage::Kit => (false, "nobody said yet that the sheet is kept".into()),
    }
}

/// The one next command; `None` when all is well.
pub fn next(facts: &Facts, noted: &Noted) -> Option<String> {
    match (facts.drive, facts.running) {
        (Drive::Missing, _) => {
            return Some("attach the drive, then: immich-appliance status".into());
        }
        (Drive::Locked, _) => return Some("immich-appliance unlock --start".into()),
        _ => {}
    }
    let open = lines(facts, noted)
        .into_iter()
        .any(|line| line.progress == Progress::Open);
    open.then(|| "immich-appliance setup".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> Facts {
        Facts {
            drive: Drive::None,
            running: false,
            repository: false,
            backed_up: None,
            tailnet: None,
            addresses: Vec::new(),
            uuid: None,
        }
    }

    fn finished() -> Facts {
        Facts {
            drive: Drive::Open,
            running: true,
            repository: true,
            backed_up: Some("s3:https://example.org/photos".into()),
            tailnet: Some(true),
            ..new()
        }
    }

    fn progress(facts: &Facts, noted: &Noted) -> Vec<Progress> {
        lines(facts, noted)
            .into_iter()
            .map(|line| line.progress)
            .collect()
    }

    #[test]
    fn a_new_box_has_everything_before_it_and_the_next_step_is_setup() {
        let noted = Noted::default();
        assert_eq!(progress(&new(), &noted), [Progress::Open; 4]);
        assert_eq!(
            next(&new(), &noted).as_deref(),
            Some("immich-appliance setup")
        );
    }

    #[test]
    fn a_locked_drive_comes_before_everything_else() {
        let locked = Facts {
            drive: Drive::Locked,
            ..finished()
        };
        assert_eq!(
            next(&locked, &Noted::default()).as_deref(),
            Some("immich-appliance unlock --start")
        );
    }

    #[test]
    fn what_is_left_out_is_asked_no_more_and_what_is_done_counts_as_done() {
        let noted = Noted {
            skipped: vec![Stage::Remote, Stage::Drive],
            kit: true,
        };
        let here = Facts {
            tailnet: None,
            ..finished()
        };
        assert_eq!(
            progress(&here, &noted),
            [
                Progress::Done,
                Progress::Done,
                Progress::Skipped,
                Progress::Done
            ]
        );
        assert_eq!(next(&here, &noted), None);
        assert!(next(&here, &Noted::default()).is_some());
    }
}
