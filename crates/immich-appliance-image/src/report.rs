//! What a command has to say at its end: for people, and as one JSON document.

pub use appliance_terminal::size;

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
    appliance_terminal::to_stdout(if json {
        serde_json::to_string_pretty(&report.json()?)?
    } else {
        report.text()
    })
}
