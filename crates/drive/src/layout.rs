//! The folders on the drive, as immich-rpi-server lays them out.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Folder of Immich's files.
pub const IMMICH_DATA: &str = "immich_data";
/// Folder of the database.
pub const POSTGRES: &str = "postgres";
/// Folder of the appliance's secrets.
pub const SECRETS: &str = "secrets";

/// A user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// User ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
}

/// Who owns the folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Owners {
    /// Owner of `immich_data`.
    pub immich: Owner,
    /// Owner of `postgres`.
    pub postgres: Owner,
    /// Owner of `secrets`: root.
    pub root: Owner,
}

impl Owners {
    /// Looks the users up by name, each with its own group.
    ///
    /// # Errors
    /// [`LayoutError::NoSuchUser`].
    pub fn by_name(immich: &str, postgres: &str) -> Result<Self, LayoutError> {
        let _ = (immich, postgres);
        todo!()
    }
}

/// Where the database cluster lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Cluster {
    /// Directly in `postgres`, as immich-rpi-server has it.
    Direct {
        /// PostgreSQL's major version.
        major: u32,
    },
    /// In `postgres/<major>`.
    Versioned {
        /// All majors found, ascending.
        majors: Vec<u32>,
    },
    /// Nowhere yet.
    None,
}

/// Something about a folder that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Finding {
    /// Missing.
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// Not a folder (a file or a link).
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Owned by another user.
    WrongOwner {
        /// The folder.
        path: PathBuf,
        /// User ID found.
        found: u32,
        /// User ID that it should be.
        expected: u32,
    },
    /// Open to more users than it should be, or closed to its owner.
    WrongMode {
        /// The folder.
        path: PathBuf,
        /// Mode found.
        found: u32,
        /// Mode that [`create`] gives.
        expected: u32,
    },
}

/// Work on the folders failed.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The machine lacks a user.
    #[error("this machine has no user {name}")]
    NoSuchUser {
        /// Name.
        name: String,
    },
    /// A file stands where a folder should be.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A PG_VERSION file does not hold a major version.
    #[error("{path} does not name a PostgreSQL version: {text:?}")]
    NotAVersion {
        /// The file.
        path: PathBuf,
        /// What it holds (its beginning).
        text: String,
    },
    /// The kernel refused.
    #[error("cannot {doing} {path}: {source}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Makes the missing folders and sets owners and modes that are wrong; tells what it mended.
/// Nothing inside the folders is touched. `postgres/<pg_major>` is made unless a cluster lies
/// directly in `postgres`.
pub fn create(root: &Path, owners: &Owners, pg_major: u32) -> Result<Vec<Finding>, LayoutError> {
    let _ = (root, owners, pg_major);
    todo!()
}

/// What is not as it should be. Changes nothing.
pub fn check(root: &Path, owners: &Owners) -> Result<Vec<Finding>, LayoutError> {
    let _ = (root, owners);
    todo!()
}

/// Where the database cluster lies.
pub fn postgres_cluster(root: &Path) -> Result<Cluster, LayoutError> {
    let _ = root;
    todo!()
}

/// The data folder for PostgreSQL `major`: `postgres` itself if a cluster lies directly in it,
/// else `postgres/<major>`.
pub fn pgdata(root: &Path, major: u32) -> Result<PathBuf, LayoutError> {
    let _ = (root, major);
    todo!()
}
