//! `setup` and `greeting`: from a box that has nothing to one that is backed up, one stage after
//! the other; each can be left out, and gone on with later.

mod guide;

use appliance::Appliance;
use appliance::health::look;
use appliance::setup::{Decisions, Stage, StageLine, StageProgress, next, stages};
use appliance_terminal::{Report, Told};
use serde::Serialize;

use crate::cli::Setup;
use crate::run::Run;

#[derive(Debug, Serialize)]
struct Seen {
    stages: Vec<StageLine>,
    /// The one next command.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct Greeted {
    state: String,
    next: Option<String>,
}

/// Guides through the stages; without a terminal it says what is open.
pub fn run(run: &Run, arguments: &Setup) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.appliance();
    let mut decisions = decided(&appliance, arguments)?;
    if run.ui.may_ask() {
        for stage in Stage::ALL {
            // Looked at anew: a stage may have brought a later one along.
            let condition = look(&appliance)?;
            let line = stages(&condition, &decisions)
                .into_iter()
                .find(|line| line.stage == stage);
            if let Some(line) = line {
                guide::guide(run, &line, &condition, &mut decisions)?;
            }
        }
    }
    let condition = look(&appliance)?;
    let seen = Seen {
        stages: stages(&condition, &decisions),
        next: next(&condition, &decisions),
    };
    Ok(Box::new(Told::new(seen, text)))
}

/// What was decided before, with what the arguments decide.
fn decided(appliance: &Appliance, arguments: &Setup) -> anyhow::Result<Decisions> {
    let mut decisions = Decisions::load(appliance)?;
    let before = decisions.clone();
    if arguments.again {
        decisions.skipped.clear();
    }
    for stage in &arguments.skip {
        if !decisions.skipped.contains(stage) {
            decisions.skipped.push(*stage);
        }
    }
    if decisions != before {
        decisions.save(appliance)?;
    }
    Ok(decisions)
}

/// The state in a few lines and the one next step, for whoever signs in.
pub fn greeting(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.appliance();
    let condition = look(&appliance)?;
    let greeted = Greeted {
        state: condition.in_one_line(),
        next: next(&condition, &Decisions::load(&appliance)?),
    };
    Ok(Box::new(Told::new(greeted, |greeted| {
        match &greeted.next {
            Some(next) => format!("{}\nNext: {next}", greeted.state),
            None => greeted.state.clone(),
        }
    })))
}

fn text(seen: &Seen) -> String {
    let line = |line: &StageLine| {
        let mark = match line.progress {
            StageProgress::Done => "done",
            StageProgress::Skipped => "skipped",
            StageProgress::Open => "open",
        };
        format!("{:10}{mark:10}{}", line.stage.name(), line.state)
    };
    let mut lines: Vec<String> = seen.stages.iter().map(line).collect();
    lines.push(match &seen.next {
        Some(next) => format!("Next: {next}"),
        None => "Everything is set up.".into(),
    });
    lines.join("\n")
}
