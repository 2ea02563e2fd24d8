//! `backup check`

use appliance::backup::check::check;
use appliance_terminal::{Exit, Report, Told};
use serde_json::json;

use crate::cli::BackupCheck;
use crate::run::Run;

/// Checks that the repository is whole.
pub fn run(run: &Run, arguments: &BackupCheck) -> anyhow::Result<Box<dyn Report>> {
    let report = check(&run.appliance(), arguments.read_data)?;
    let damaged = report
        .errors
        .iter()
        .map(|error| format!("damaged: {error}"));
    let notes = report.notes.iter().map(|note| format!("note: {note}"));
    let mut lines: Vec<String> = damaged.chain(notes).collect();
    let (exit, end) = if report.is_clean() {
        let end = format!(
            "The repository is undamaged: {} snapshots checked.",
            report.snapshots
        );
        (Exit::Done, end)
    } else {
        let end = format!(
            "The repository is damaged: {} problems in {} snapshots.",
            report.errors.len(),
            report.snapshots
        );
        (Exit::Failed, end)
    };
    lines.push(end);
    let document = json!({
        "clean": report.is_clean(),
        "errors": report.errors,
        "notes": report.notes,
        "snapshots": report.snapshots,
        "seconds": report.duration.as_secs_f64(),
    });
    Ok(Box::new(
        Told::new(document, |_| lines.join("\n")).with_exit(exit),
    ))
}
