//! The folders on the drive, as immich-rpi-server lays them out.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use appliance_files::Owner;
use appliance_files::{OwnerError, create_dir_durably, give_to};
use serde::Serialize;

/// Folder of Immich's files.
pub const IMMICH_DATA: &str = "immich_data";
/// Folder of the database.
pub const POSTGRES: &str = "postgres";
/// Folder of the appliance's secrets.
pub const SECRETS: &str = "secrets";

/// Who owns the folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// Owner of `immich_data`.
    pub immich: Owner,
    /// Owner of `postgres`.
    pub postgres: Owner,
    /// Owner of `secrets`: root, but for tests.
    pub secrets: Owner,
}

impl Owners {
    /// Looks the users up by name, each with the group of the same name.
    ///
    /// # Errors
    /// [`LayoutError::Owner`] when this machine lacks one.
    pub fn by_name(immich: &str, postgres: &str) -> Result<Self, LayoutError> {
        Ok(Self {
            immich: Owner::lookup(immich, immich)?,
            postgres: Owner::lookup(postgres, postgres)?,
            secrets: Owner::ROOT,
        })
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

impl Cluster {
    /// The versions of a database that is there, but not for a server of this major version:
    /// such a server would not start on it, or would start beside it with an empty one.
    pub fn needs_other_than(&self, major: u32) -> Option<Vec<u32>> {
        match self {
            Self::Direct { major: found } if *found != major => Some(vec![*found]),
            Self::Versioned { majors } if !majors.contains(&major) => Some(majors.clone()),
            _ => None,
        }
    }
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
    /// The machine lacks a user or group.
    #[error(transparent)]
    Owner(#[from] OwnerError),
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

/// What one folder should be.
struct Rule {
    path: PathBuf,
    owner: Owner,
    /// Mode that a new folder gets.
    mode: u32,
    /// Bits that it must not have; its owner must have all of its own.
    never: u32,
}

impl Rule {
    /// immich-rpi-server's folders are more open than ours; they stay as they are as long as
    /// nobody else can write to them. PostgreSQL itself insists on 0700 or 0750.
    fn all(root: &Path, owners: &Owners) -> [Self; 3] {
        let rule = |name, owner, mode, never| Self {
            path: root.join(name),
            owner,
            mode,
            never,
        };
        [
            rule(IMMICH_DATA, owners.immich, 0o750, 0o002),
            rule(POSTGRES, owners.postgres, 0o700, 0o027),
            rule(SECRETS, owners.secrets, 0o700, 0o077),
        ]
    }

    fn check(&self) -> Result<Option<Finding>, LayoutError> {
        let path = self.path.clone();
        let data = match fs::symlink_metadata(&path) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(Finding::Missing { path }));
            }
            Err(error) => return Err(LayoutError::failed("look at", &path)(error)),
        };
        let mode = data.mode() & 0o7777;
        Ok(if !data.is_dir() {
            Some(Finding::NotAFolder { path })
        } else if data.uid() != self.owner.uid {
            Some(Finding::WrongOwner {
                path,
                found: data.uid(),
                expected: self.owner.uid,
            })
        } else if mode & self.never != 0 || mode & 0o700 != 0o700 {
            Some(Finding::WrongMode {
                path,
                found: mode,
                expected: self.mode,
            })
        } else {
            None
        })
    }

    /// Makes it so; tells what was wrong.
    fn enforce(&self) -> Result<Option<Finding>, LayoutError> {
        let finding = self.check()?;
        match &finding {
            None => {}
            Some(Finding::NotAFolder { path }) => {
                return Err(LayoutError::NotAFolder { path: path.clone() });
            }
            Some(_) => {
                create_dir_durably(&self.path, self.mode, Some(self.owner))?;
            }
        }
        Ok(finding)
    }
}

impl From<appliance_files::Error> for LayoutError {
    fn from(error: appliance_files::Error) -> Self {
        Self::Failed {
            doing: error.action,
            path: error.path,
            source: error.source,
        }
    }
}

impl LayoutError {
    fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Failed {
            doing,
            path,
            source,
        }
    }
}

/// Makes the missing folders and sets owners and modes that are wrong; tells what it mended.
/// Nothing inside the folders is touched. `postgres/<pg_major>` is made unless a cluster lies
/// directly in `postgres`.
///
/// # Errors
/// [`LayoutError::NotAFolder`] when something else is in the way.
pub fn create(root: &Path, owners: &Owners, pg_major: u32) -> Result<Vec<Finding>, LayoutError> {
    let mut mended = Vec::new();
    for rule in Rule::all(root, owners) {
        mended.extend(rule.enforce()?);
    }
    let path = pgdata(root, pg_major)?;
    if path != root.join(POSTGRES) {
        let rule = Rule {
            path,
            owner: owners.postgres,
            mode: 0o700,
            never: 0o027,
        };
        mended.extend(rule.enforce()?);
    }
    Ok(mended)
}

/// Gives the media and the database to this machine's users where the drive comes from a machine
/// with other user numbers, which shows in who owns the folder. Tells how many files and folders
/// changed hands. An interrupted run is completed by the next.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed.
pub fn adopt(root: &Path, owners: &Owners, pg_major: u32) -> Result<u64, LayoutError> {
    let data = pgdata(root, pg_major)?;
    let mut changed = 0;
    for (folder, owner) in [
        (root.join(IMMICH_DATA), owners.immich),
        (root.join(POSTGRES), owners.postgres),
        (data, owners.postgres),
    ] {
        let foreign = match fs::symlink_metadata(&folder) {
            Ok(metadata) => metadata.is_dir() && metadata.uid() != owner.uid,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(LayoutError::failed("look at", &folder)(error)),
        };
        if foreign {
            changed += give_to(&folder, owner)?;
        }
    }
    Ok(changed)
}

/// What is not as it should be. Changes nothing.
///
/// # Errors
/// When a folder cannot be looked at.
pub fn check(root: &Path, owners: &Owners) -> Result<Vec<Finding>, LayoutError> {
    let mut findings = Vec::new();
    for rule in Rule::all(root, owners) {
        findings.extend(rule.check()?);
    }
    Ok(findings)
}

/// Where the database cluster lies. An empty folder prepared for one is none yet.
///
/// # Errors
/// [`LayoutError::NotAVersion`] when a `PG_VERSION` makes no sense.
pub fn postgres_cluster(root: &Path) -> Result<Cluster, LayoutError> {
    let postgres = root.join(POSTGRES);
    if let Some(major) = version_in(&postgres)? {
        return Ok(Cluster::Direct { major });
    }
    let entries = match fs::read_dir(&postgres) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Cluster::None),
        Err(error) => return Err(LayoutError::failed("look into", &postgres)(error)),
    };
    let mut majors = Vec::new();
    for entry in entries {
        let entry = entry.map_err(LayoutError::failed("look into", &postgres))?;
        // Only what is named after its version is ours to start.
        let named: Option<u32> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(named) = named
            && version_in(&entry.path())? == Some(named)
        {
            majors.push(named);
        }
    }
    majors.sort_unstable();
    Ok(if majors.is_empty() {
        Cluster::None
    } else {
        Cluster::Versioned { majors }
    })
}

/// The major version of the cluster directly in `folder`; `None` if there is none.
fn version_in(folder: &Path) -> Result<Option<u32>, LayoutError> {
    let path = folder.join("PG_VERSION");
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).into_owned();
            match text.trim().parse() {
                Ok(major) => Ok(Some(major)),
                Err(_) => Err(LayoutError::NotAVersion { path, text }),
            }
        }
        // The folder missing, or no folder at all.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(LayoutError::failed("read", &path)(error)),
    }
}

/// The data folder for PostgreSQL `major`: `postgres` itself if a cluster lies directly in it
/// (whatever its version, which the caller compares), else `postgres/<major>`.
///
/// # Errors
/// As [`postgres_cluster`].
pub fn pgdata(root: &Path, major: u32) -> Result<PathBuf, LayoutError> {
    let postgres = root.join(POSTGRES);
    Ok(match version_in(&postgres)? {
        Some(_) => postgres,
        None => postgres.join(major.to_string()),
    })
}

#[cfg(test)]
mod tests;
