//! What a command has to say at its end: for people, and as one JSON document.

use std::io::Write;

use anyhow::Context;

/// What a command reports when it is done.
pub trait Report {
    /// For a person, on standard output.
    fn text(&self) -> String;
    /// For `--json`.
    ///
    /// # Errors
    /// If the report cannot be written as JSON.
    fn json(&self) -> serde_json::Result<serde_json::Value>;
}

/// Prints the report.
///
/// # Errors
/// If standard output does not take it.
pub fn print(report: &dyn Report, json: bool) -> anyhow::Result<()> {
    let mut text = if json {
        serde_json::to_string_pretty(&report.json()?)?
    } else {
        report.text()
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("cannot write the report to standard output")
}

/// A size for people, in decimal units as on a card's label.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}
