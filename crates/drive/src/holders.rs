//! Who holds files under a mount point.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// A process that keeps a mount point busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process ID.
    pub pid: i32,
    /// Short command name.
    pub command: String,
    /// One of the files it holds.
    pub path: PathBuf,
    /// How it holds it.
    pub how: How,
}

/// How a process holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Working directory.
    WorkingDirectory,
    /// Root directory.
    Root,
    /// Open file.
    OpenFile,
    /// Mapped file.
    Mapped,
}

/// The process table could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the process table: {why}")]
pub struct HoldersError {
    /// Why.
    pub why: String,
}

/// Every process holding something at or under `mount_point`, one entry each, in the order of
/// their IDs. Processes that end meanwhile or may not be looked into are passed over.
///
/// # Errors
/// When `/proc` cannot be listed.
pub fn holders(mount_point: &Path) -> Result<Vec<Holder>, HoldersError> {
    let _ = mount_point;
    todo!()
}
