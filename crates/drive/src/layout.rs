//! The folders on the drive, as immich-rpi-server lays them out.
//!
//! Immich and PostgreSQL own most of what is looked at here, and can swap a link in at any moment.
//! So it is all done beneath the drive's own top folder, which is root's ([`Beneath`]).

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use appliance_files::Owner;
use appliance_files::{Beneath, OwnerError};
use serde::Serialize;

/// Folder of Immich's files, unless it is configured otherwise.
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
    /// Below the drive's top folder.
    below: PathBuf,
    owner: Owner,
    /// Mode that a new folder gets.
    mode: u32,
    /// Bits that it must not have; its owner must have all of its own.
    never: u32,
}

impl Rule {
    /// immich-rpi-server's folders are more open than ours; they stay as they are as long as
    /// nobody else can write to them. PostgreSQL itself insists on 0700 or 0750.
    fn all(media: &str, owners: &Owners) -> [Self; 3] {
        let rule = |name: &str, owner, mode, never| Self {
            below: name.into(),
            owner,
            mode,
            never,
        };
        [
            rule(media, owners.immich, 0o750, 0o002),
            rule(POSTGRES, owners.postgres, 0o700, 0o027),
            rule(SECRETS, owners.secrets, 0o700, 0o077),
        ]
    }

    fn check(&self, drive: &Beneath) -> Result<Option<Finding>, LayoutError> {
        let path = drive.path().join(&self.below);
        let Some(held) = drive.look(&self.below)? else {
            return Ok(Some(Finding::Missing { path }));
        };
        let mode = held.metadata().mode() & 0o7777;
        Ok(if !held.metadata().is_dir() {
            Some(Finding::NotAFolder { path })
        } else if held.owner().uid != self.owner.uid {
            Some(Finding::WrongOwner {
                path,
                found: held.owner().uid,
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
    fn enforce(&self, drive: &Beneath) -> Result<Option<Finding>, LayoutError> {
        let finding = self.check(drive)?;
        match &finding {
            None => {}
            Some(Finding::NotAFolder { path }) => {
                return Err(LayoutError::NotAFolder { path: path.clone() });
            }
            Some(_) => {
                drive.create_dir(&self.below, self.mode, Some(self.owner))?;
            }
        }
        Ok(finding)
    }
}

/// The drive's top folder, which must be root's alone: whoever can write to it could put a link of
/// his own in the place of any folder. Another machine may have left it otherwise.
fn top(root: &Path, owners: &Owners) -> Result<(Beneath, Option<Finding>), LayoutError> {
    let drive = Beneath::open(root)?;
    let path = root.to_owned();
    let metadata = drive.metadata()?;
    let mode = metadata.mode() & 0o7777;
    let finding = if metadata.uid() != owners.secrets.uid {
        Some(Finding::WrongOwner {
            path,
            found: metadata.uid(),
            expected: owners.secrets.uid,
        })
    } else if mode & 0o022 != 0 {
        Some(Finding::WrongMode {
            path,
            found: mode,
            expected: mode & !0o022,
        })
    } else {
        None
    };
    Ok((drive, finding))
}

impl From<appliance_files::FileError> for LayoutError {
    fn from(error: appliance_files::FileError) -> Self {
        Self::Failed {
            doing: error.action,
            path: error.path,
            source: error.source,
        }
    }
}

/// Makes the missing folders and sets owners and modes that are wrong; tells what it mended.
/// Nothing inside the folders is touched. `postgres/<pg_major>` is made unless a cluster lies
/// directly in `postgres`.
///
/// # Errors
/// [`LayoutError::NotAFolder`] when something else is in the way.
pub fn create(
    root: &Path,
    media: &str,
    owners: &Owners,
    pg_major: u32,
) -> Result<Vec<Finding>, LayoutError> {
    let (drive, finding) = top(root, owners)?;
    if let Some(finding) = &finding {
        drive.give_alone(owners.secrets)?;
        drive.set_mode(match finding {
            Finding::WrongMode { expected, .. } => *expected,
            _ => 0o755,
        })?;
    }
    let mut mended = Vec::from_iter(finding);
    for rule in Rule::all(media, owners) {
        mended.extend(rule.enforce(&drive)?);
    }
    let below = pgdata_in(&drive, pg_major)?;
    if below != Path::new(POSTGRES) {
        let rule = Rule {
            below,
            owner: owners.postgres,
            mode: 0o700,
            never: 0o027,
        };
        mended.extend(rule.enforce(&drive)?);
    }
    Ok(mended)
}

/// Gives the media and the database to this machine's users where the drive comes from a machine
/// with other user numbers, which shows in who owns the folder. Tells how many files and folders
/// changed hands. An interrupted run is completed by the next.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed.
pub fn adopt(root: &Path, media: &str, owners: &Owners, pg_major: u32) -> Result<u64, LayoutError> {
    let drive = Beneath::open(root)?;
    let data = pgdata_in(&drive, pg_major)?;
    let mut changed = 0;
    for (folder, owner) in [
        (Path::new(media), owners.immich),
        (Path::new(POSTGRES), owners.postgres),
        (data.as_path(), owners.postgres),
    ] {
        let foreign = drive
            .look(folder)?
            .is_some_and(|held| held.metadata().is_dir() && held.owner().uid != owner.uid);
        if foreign {
            changed += drive.folder(folder)?.give_to(owner)?;
        }
    }
    Ok(changed)
}

/// What is not as it should be. Changes nothing.
///
/// # Errors
/// When a folder cannot be looked at.
pub fn check(root: &Path, media: &str, owners: &Owners) -> Result<Vec<Finding>, LayoutError> {
    let (drive, finding) = top(root, owners)?;
    let mut findings = Vec::from_iter(finding);
    for rule in Rule::all(media, owners) {
        findings.extend(rule.check(&drive)?);
    }
    Ok(findings)
}

/// Where the database cluster lies. An empty folder prepared for one is none yet.
///
/// # Errors
/// [`LayoutError::NotAVersion`] when a `PG_VERSION` makes no sense.
pub fn postgres_cluster(root: &Path) -> Result<Cluster, LayoutError> {
    let drive = Beneath::open(root)?;
    let postgres = Path::new(POSTGRES);
    if let Some(major) = version_in(&drive, postgres)? {
        return Ok(Cluster::Direct { major });
    }
    if drive.look(postgres)?.is_none() {
        return Ok(Cluster::None);
    }
    let mut majors = Vec::new();
    for name in drive.folder(postgres)?.names()? {
        // Only what is named after its version is ours to start.
        let named: Option<u32> = name.to_str().and_then(|name| name.parse().ok());
        if let Some(named) = named
            && version_in(&drive, &postgres.join(name))? == Some(named)
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
fn version_in(drive: &Beneath, folder: &Path) -> Result<Option<u32>, LayoutError> {
    let below = folder.join("PG_VERSION");
    let path = drive.path().join(&below);
    // The folder missing, or no folder at all.
    let is_folder = drive
        .look(folder)?
        .is_some_and(|held| held.metadata().is_dir());
    if !is_folder || drive.look(&below)?.is_none() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // It is as long as PostgreSQL's user wants it.
    drive
        .open_file(&below)?
        .take(32)
        .read_to_end(&mut bytes)
        .map_err(|source| LayoutError::Failed {
            doing: "read",
            path: path.clone(),
            source,
        })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.trim().parse() {
        Ok(major) => Ok(Some(major)),
        Err(_) => Err(LayoutError::NotAVersion { path, text }),
    }
}

/// The data folder for PostgreSQL `major`: `postgres` itself if a cluster lies directly in it
/// (whatever its version, which the caller compares), else `postgres/<major>`.
///
/// # Errors
/// As [`postgres_cluster`].
pub fn pgdata(root: &Path, major: u32) -> Result<PathBuf, LayoutError> {
    Ok(root.join(pgdata_in(&Beneath::open(root)?, major)?))
}

fn pgdata_in(drive: &Beneath, major: u32) -> Result<PathBuf, LayoutError> {
    let postgres = PathBuf::from(POSTGRES);
    Ok(match version_in(drive, &postgres)? {
        Some(_) => postgres,
        None => postgres.join(major.to_string()),
    })
}

#[cfg(test)]
mod tests;
