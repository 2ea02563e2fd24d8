//! Looking into the repository.

use std::path::PathBuf;

use appliance_backup::snapshot::{self, Entry, Filter, Snapshot};

use super::repository;
use crate::{Appliance, Result};

/// All snapshots, incomplete ones included, oldest first.
///
/// # Errors
/// When the repository cannot be opened or read.
pub fn snapshots(appliance: &Appliance) -> Result<Vec<Snapshot>> {
    let repository = repository::open(appliance)?;
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    Ok(snapshot::list(&repository, &all)?)
}

/// What is listed of a snapshot.
#[derive(Debug, Clone)]
pub struct ListOptions {
    /// An ID or its beginning, or "latest".
    pub snapshot: String,
    /// The folder; `None` for the drive's own.
    pub path: Option<PathBuf>,
    /// Also what is in its folders.
    pub recursive: bool,
}

/// The files of a snapshot, and its full ID.
///
/// # Errors
/// When there is no such snapshot, or no such folder in it.
pub fn list(appliance: &Appliance, options: &ListOptions) -> Result<(String, Vec<Entry>)> {
    let repository = repository::open(appliance)?;
    let snapshot = snapshot::find(&repository, &options.snapshot)?;
    let path = options
        .path
        .as_deref()
        .unwrap_or(&appliance.paths.mount_point);
    let entries = if options.recursive {
        snapshot::ls_recursive(&repository, &snapshot, path)?
    } else {
        snapshot::ls(&repository, &snapshot, path)?
    };
    Ok((snapshot.id, entries))
}
