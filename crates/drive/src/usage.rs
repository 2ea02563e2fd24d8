//! Space on a mounted file system.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use serde::Serialize;

/// Space of one file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Size of the file system.
    pub total: u64,
    /// Space taken by files and metadata.
    pub used: u64,
    /// Space an ordinary user may still take (without the blocks reserved for root).
    pub available: u64,
}

/// The space could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the disk space of {path}: {source}")]
pub struct UsageError {
    /// The path asked about.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Space of the file system that holds `path`.
pub fn usage(path: &Path) -> Result<Usage, UsageError> {
    let stat = statvfs(path).map_err(|errno| UsageError {
        path: path.to_owned(),
        source: errno.into(),
    })?;
    let unit = stat.fragment_size();
    Ok(Usage {
        total: stat.blocks() * unit,
        used: stat.blocks().saturating_sub(stat.blocks_free()) * unit,
        available: stat.blocks_available() * unit,
    })
}
