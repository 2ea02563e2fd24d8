//! Restoring files of a snapshot into a folder.

use std::path::PathBuf;

use appliance_backup::restore::{self, RestoreReport};
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
/// When there is no such snapshot, no such path in it, or the folder does not take the files.
pub fn restore(appliance: &Appliance, options: &RestoreOptions) -> Result<(String, RestoreReport)> {
    let repository = repository::open(appliance)?;
    let snapshot = snapshot::find(&repository, &options.snapshot)?;
    let path = options
        .path
        .as_deref()
        .unwrap_or(&appliance.paths.mount_point);
    let report = restore::run(
        &repository,
        &snapshot,
        path,
        &options.to,
        &restore::RestoreOptions::default(),
    )?;
    Ok((snapshot.id, report))
}
