//! `setup` and `greeting`: from a box that has nothing to one that is backed up, one stage after
//! the other; each can be left out, and gone on with later.

mod facts;
mod guide;
mod stages;

use serde::Serialize;

use crate::cli::{Setup, Stage};
use crate::context::Context;
use crate::report::Report;
use facts::{Facts, Noted};
use stages::{Line, Progress, lines, next};

#[derive(Debug, Serialize)]
struct Seen {
    stages: Vec<Line>,
    /// The one next command.
    next: Option<String>,
}

/// Guides through the stages; without a terminal it says what is open.
pub fn run(context: &Context, arguments: &Setup) -> anyhow::Result<Box<dyn Report>> {
    let mut noted = Noted::load(context)?;
    let before = noted.clone();
    if arguments.again {
        noted.skipped.clear();
    }
    for stage in &arguments.skip {
        if !noted.skipped.contains(stage) {
            noted.skipped.push(*stage);
        }
    }
    if noted != before {
        noted.save(context)?;
    }
    if context.ui.may_ask() {
        for stage in Stage::ALL {
            // Looked at anew: a stage may have brought a later one along.
            let facts = Facts::gather(context)?;
            let line = lines(&facts, &noted)
                .into_iter()
                .find(|line| line.stage == stage);
            if let Some(line) = line {
                guide::guide(context, &line, &facts, &mut noted)?;
            }
        }
    }
    Ok(Box::new(seen(&Facts::gather(context)?, &noted)))
}

/// The state in a few lines and the one next step, for whoever signs in.
pub fn greeting(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let facts = Facts::gather(context)?;
    let noted = Noted::load(context)?;
    let next = next(&facts, &noted);
    Ok(Box::new(Greeted {
        state: facts.in_words(),
        next,
    }))
}

fn seen(facts: &Facts, noted: &Noted) -> Seen {
    Seen {
        stages: lines(facts, noted),
        next: next(facts, noted),
    }
}

#[derive(Debug, Serialize)]
struct Greeted {
    state: String,
    next: Option<String>,
}

impl Report for Greeted {
    fn text(&self) -> String {
        match &self.next {
            Some(next) => format!("{}\nNext: {next}", self.state),
            None => self.state.clone(),
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

impl Report for Seen {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self
            .stages
            .iter()
            .map(|line| {
                let mark = match line.progress {
                    Progress::Done => "done",
                    Progress::Skipped => "left out",
                    Progress::Open => "open",
                };
                format!("{:10}{mark:10}{}", line.stage.name(), line.state)
            })
            .collect();
        lines.push(match &self.next {
            Some(next) => format!("Next: {next}"),
            None => "All is set up.".into(),
        });
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
