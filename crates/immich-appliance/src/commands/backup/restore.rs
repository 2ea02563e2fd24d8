//! `backup restore`

use appliance::backup::restore::{RestoreOptions, restore};
use appliance_backup::names::display_name;
use appliance_terminal::{Exit, Report, Told, size};
use serde_json::json;

use crate::cli::BackupRestore;
use crate::run::Run;

/// Restores files of a snapshot into a folder.
pub fn run(run: &Run, arguments: &BackupRestore) -> anyhow::Result<Box<dyn Report>> {
    let options = RestoreOptions {
        snapshot: arguments.snapshot.clone(),
        path: arguments.path.clone(),
        to: arguments.to.clone(),
    };
    let (snapshot, report) = restore(&run.appliance(), &options)?;
    let text = format!(
        "Restored {} files ({}) into {}; {} were there already.",
        report.files_restored,
        size(report.bytes_restored),
        arguments.to.display(),
        report.files_kept
    );
    let lost = report.losses.len() + report.problems.len();
    let document = json!({
        "snapshot": snapshot,
        "to": arguments.to,
        "files_restored": report.files_restored,
        "files_kept": report.files_kept,
        "bytes_restored": report.bytes_restored,
        "bytes_kept": report.bytes_kept,
        "losses": report.losses.iter().map(|loss| json!({
            "path": display_name(&loss.in_snapshot),
            "why": loss.why,
        })).collect::<Vec<_>>(),
    });
    let exit = if lost == 0 {
        Exit::Done
    } else {
        Exit::WithLosses
    };
    Ok(Box::new(Told::new(document, |_| text).with_exit(exit)))
}
