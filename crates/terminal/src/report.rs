//! What a command has to say at its end: for people, and as one JSON document.

use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

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

/// A report made of a value that a library returned: its JSON is the value's, its text the
/// command's.
#[derive(Debug)]
pub struct Told<T> {
    value: T,
    text: String,
    exit: Exit,
}

impl<T: Serialize> Told<T> {
    /// A value, and what a person reads of it.
    pub fn new(value: T, text: impl FnOnce(&T) -> String) -> Self {
        let text = text(&value);
        Told {
            value,
            text,
            exit: Exit::Done,
        }
    }

    /// The same with another exit code, for something that was done only in part.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Told { exit, ..self }
    }
}

impl<T: Serialize> Report for Told<T> {
    fn text(&self) -> String {
        self.text.clone()
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(&self.value)
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

/// Prints the report on standard output.
///
/// # Errors
/// If standard output does not take it, for example because a pipe was closed.
pub fn print(report: &dyn Report, json: bool) -> anyhow::Result<()> {
    to_stdout(if json {
        serde_json::to_string_pretty(&report.json()?)?
    } else {
        report.text()
    })
}

/// Writes a report to standard output, its last line ended; an empty one not at all.
///
/// # Errors
/// If standard output does not take it, for example because a pipe was closed.
pub fn to_stdout(mut text: String) -> anyhow::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("cannot write the report to standard output")
}

/// Rows as columns, two spaces apart, as wide as a terminal draws them.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let missing = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(missing))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A size in bytes for people, in decimal units as on a drive's label.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 2]) -> [String; 2] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_line_up_where_characters_are_wide() {
        let rows = [row(["name", "size"]), row(["写真", "1"]), row(["é", "22"])];
        assert_eq!(table(&rows), "name  size\n写真  1\né     22");
    }

    #[test]
    fn nothing_follows_the_last_word_of_a_row() {
        assert_eq!(table(&[row(["a", ""]), row(["b", "long"])]), "a\nb  long");
        assert_eq!(table::<2>(&[]), "");
    }

    #[test]
    fn sizes_are_those_of_a_label() {
        assert_eq!(size(2_000_000_000_000), "2.00 TB");
        assert_eq!(size(512), "512 B");
    }

    #[test]
    fn a_told_value_keeps_its_own_json_and_the_exit_it_was_given() {
        let told = Told::new([1, 2], |numbers| format!("{} numbers", numbers.len()));
        assert_eq!(told.text(), "2 numbers");
        assert_eq!(told.json().unwrap(), serde_json::json!([1, 2]));
        assert_eq!(told.exit(), Exit::Done);
        assert_eq!(told.with_exit(Exit::Failed).exit(), Exit::Failed);
    }
}
