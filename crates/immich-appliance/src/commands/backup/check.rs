//! `backup check`

use appliance_backup::check::{self, CheckReport, ReadData};
use serde_json::json;

use crate::cli::BackupCheck;
use crate::context::Context;
use crate::exit::Exit;
use crate::report::Report;
use crate::steps::repository;

struct Checked(CheckReport);

/// Checks that the repository is whole.
pub fn run(context: &Context, arguments: &BackupCheck) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively_for_backup()?;
    let repository = repository::open(context)?;
    let read_data = if arguments.read_data {
        ReadData::All
    } else {
        ReadData::No
    };
    Ok(Box::new(Checked(check::run(&repository, read_data)?)))
}

impl Report for Checked {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self
            .0
            .errors
            .iter()
            .map(|error| format!("damaged: {error}"))
            .collect();
        lines.extend(self.0.notes.iter().map(|note| format!("note: {note}")));
        lines.push(if self.0.is_clean() {
            format!(
                "The repository is whole: {} snapshots checked.",
                self.0.snapshots
            )
        } else {
            format!(
                "The repository is damaged: {} findings in {} snapshots.",
                self.0.errors.len(),
                self.0.snapshots
            )
        });
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        Ok(json!({
            "clean": self.0.is_clean(),
            "errors": self.0.errors,
            "notes": self.0.notes,
            "snapshots": self.0.snapshots,
            "seconds": self.0.duration.as_secs_f64(),
        }))
    }

    fn exit(&self) -> Exit {
        if self.0.is_clean() {
            Exit::Done
        } else {
            Exit::Failed
        }
    }
}
