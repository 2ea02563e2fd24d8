//! `backup restore`

use std::path::PathBuf;

use appliance_backup::restore::{self, RestoreOptions, RestoreReport};
use appliance_backup::snapshot;
use serde_json::json;

use crate::cli::BackupRestore;
use crate::context::Context;
use crate::report::{Report, size};
use crate::steps::repository;

struct Restored {
    snapshot: String,
    to: PathBuf,
    report: RestoreReport,
}

/// Restores files of a snapshot into a folder.
pub fn run(context: &Context, arguments: &BackupRestore) -> anyhow::Result<Box<dyn Report>> {
    let repository = repository::open(context)?;
    let snapshot = snapshot::find(&repository, &arguments.snapshot)?;
    let path = arguments
        .path
        .as_deref()
        .unwrap_or_else(|| context.mount_point());
    let report = restore::run(
        &repository,
        &snapshot,
        path,
        &arguments.to,
        &RestoreOptions::default(),
    )?;
    Ok(Box::new(Restored {
        snapshot: snapshot.id,
        to: arguments.to.clone(),
        report,
    }))
}

impl Report for Restored {
    fn text(&self) -> String {
        format!(
            "Restored {} files ({}) into {}; {} were there already.",
            self.report.files_restored,
            size(self.report.bytes_restored),
            self.to.display(),
            self.report.files_kept
        )
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        Ok(json!({
            "snapshot": self.snapshot,
            "to": self.to,
            "files_restored": self.report.files_restored,
            "files_kept": self.report.files_kept,
            "bytes_restored": self.report.bytes_restored,
            "bytes_kept": self.report.bytes_kept,
        }))
    }
}
