//! Restoring files of a snapshot into a folder.

use std::path::{Path, PathBuf};

use appliance_backup::Error as BackupError;
use appliance_backup::names::display_name;
use appliance_backup::restore::{self, RestoreReport, check_destination};
use appliance_backup::snapshot;

use super::repository;
use crate::{Appliance, Result};

/// What is restored, and where to.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// An ID or its beginning, or "latest".
    pub snapshot: String,
    /// Only this path of the snapshot; `None` for the drive as a whole.
    pub path: Option<PathBuf>,
    /// The folder to restore into.
    pub to: PathBuf,
}

/// Restores files. Gives the snapshot's full ID and what was done.
///
/// # Errors
/// When there is no such snapshot, no such path in it, or the folder is not one to restore into.
/// What single files did not come back is in the report.
pub fn restore(appliance: &Appliance, options: &RestoreOptions) -> Result<(String, RestoreReport)> {
    let to = resolved(&options.to)?;
    let protected = [
        appliance.paths.mount_point.clone(),
        appliance.paths.media.clone(),
    ];
    check_destination(&to, &protected)?;
    let repository = repository::open(appliance)?;
    let snapshot = snapshot::find(&repository, &options.snapshot)?;
    let path = options
        .path
        .as_deref()
        .unwrap_or(&appliance.paths.mount_point);
    let report = whole_or_not(restore::run(
        &repository,
        &snapshot,
        path,
        &to,
        &restore::RestoreOptions::default(),
    ))?;
    for loss in &report.losses {
        let path = display_name(&loss.in_snapshot);
        appliance.warn(format!("{path} did not come back: {}", loss.why));
    }
    Ok((snapshot.id, report))
}

/// The report of a restore, also where single things did not come back.
pub(crate) fn whole_or_not(
    outcome: appliance_backup::Result<RestoreReport>,
) -> Result<RestoreReport> {
    match outcome {
        Err(BackupError::RestoreIncomplete(report)) => Ok(*report),
        other => Ok(other?),
    }
}

/// The folder as it really lies: links on the way to it are followed as far as it exists.
fn resolved(folder: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(folder)?;
    for existing in absolute.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
            return Ok(if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            });
        }
    }
    Ok(absolute)
}
