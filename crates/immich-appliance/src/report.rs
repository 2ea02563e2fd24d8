//! What a command has to say at its end: for people, and as one JSON document.

pub use appliance_terminal::size;
use serde::Serialize;

use crate::exit::Exit;

/// What a command reports when it is done.
pub trait Report {
    /// For a person, on standard output; may be empty.
    fn text(&self) -> String;
    /// For `--json`.
    ///
    /// # Errors
    /// If the report cannot be written as JSON.
    fn json(&self) -> serde_json::Result<serde_json::Value>;
    /// How the run ended; a report may tell of something that was done only in part.
    fn exit(&self) -> Exit {
        Exit::Done
    }
}

/// A report that is one sentence.
#[derive(Debug, Serialize)]
pub struct Said {
    /// The sentence.
    pub done: String,
    /// Whether anything was changed.
    pub changed: bool,
}

impl Said {
    /// Something was done.
    pub fn done(sentence: impl Into<String>) -> Box<dyn Report> {
        Box::new(Said {
            done: sentence.into(),
            changed: true,
        })
    }

    /// It was so already.
    pub fn already(sentence: impl Into<String>) -> Box<dyn Report> {
        Box::new(Said {
            done: sentence.into(),
            changed: false,
        })
    }
}

impl Report for Said {
    fn text(&self) -> String {
        self.done.clone()
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// Prints the report.
///
/// # Errors
/// If standard output does not take it, for example because a pipe was closed.
pub fn print(report: &dyn Report, json: bool) -> anyhow::Result<()> {
    appliance_terminal::to_stdout(if json {
        serde_json::to_string_pretty(&report.json()?)?
    } else {
        report.text()
    })
}

/// Rows as columns, two spaces apart.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let lines = rows.iter().map(|row| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
