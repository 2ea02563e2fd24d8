//! Immich's media folder: its six folders, each with a marker file, without which it refuses to
//! start.
//!
//! Immich rewrites the stamp in each marker at every start, so markers stay out of checksums.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use appliance_files::{Beneath, Held, Owner};
use jiff::Timestamp;

mod folder;

pub use folder::{
    BACKUPS, ENCODED_VIDEO, FOLDERS, Folder, FolderKind, LIBRARY, PROFILE, THUMBS, UPLOAD,
};

/// The marker's name in each folder.
pub const MARKER: &str = ".immich";

/// Something that keeps Immich from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A folder is missing.
    FolderMissing(PathBuf),
    /// Something else stands where a folder should.
    NotAFolder(PathBuf),
    /// A marker is missing or empty.
    MarkerMissing(PathBuf),
    /// A folder or a marker belongs to someone else than Immich.
    WrongOwner {
        /// The folder or marker.
        path: PathBuf,
        /// Whose it is.
        is: Owner,
        /// Whose it must be.
        must_be: Owner,
    },
    /// A folder's mode keeps its owner out, or a marker's keeps its owner from writing it.
    NotWritable {
        /// The folder or marker.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Finding {
    /// The path that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::FolderMissing(path)
            | Self::NotAFolder(path)
            | Self::MarkerMissing(path)
            | Self::WrongOwner { path, .. }
            | Self::NotWritable { path, .. } => path,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path().display();
        match self {
            Self::FolderMissing(_) => write!(f, "the folder {path} is missing"),
            Self::NotAFolder(_) => write!(f, "{path} is not a folder"),
            Self::MarkerMissing(_) => write!(f, "the marker {path} is missing"),
            Self::WrongOwner { is, must_be, .. } => write!(
                f,
                "{path} belongs to {}:{}, not to Immich ({}:{})",
                is.uid, is.gid, must_be.uid, must_be.gid
            ),
            Self::NotWritable { mode, .. } => {
                write!(f, "{path} is closed to Immich (mode {mode:03o})")
            }
        }
    }
}

/// The media folder could not be looked at or mended.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no media folder; a drive that is not mounted looks like this.
    #[error("the media folder {} does not exist", .0.display())]
    RootMissing(PathBuf),
    /// Something else stands where a folder should, and it may hold data.
    #[error("{} is in the way: it should be a folder", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] appliance_files::FileError),
}

/// Holds the media folder. Immich's user can change all that is in it, at any moment; root must not
/// follow a path there.
fn open(root: &Path) -> Result<Beneath, MediaError> {
    Beneath::open(root).map_err(|error| {
        if error.is_not_found() {
            MediaError::RootMissing(root.to_owned())
        } else if error.source.kind() == io::ErrorKind::NotADirectory {
            MediaError::InTheWay(root.to_owned())
        } else {
            error.into()
        }
    })
}

/// Says what keeps Immich, running as `owner`, from starting. Changes nothing.
///
/// # Errors
/// When the media folder itself is missing or cannot be looked at.
pub fn check(root: &Path, owner: Owner) -> Result<Vec<Finding>, MediaError> {
    let media = open(root)?;
    let mut findings = Vec::new();
    for folder in FOLDERS {
        let path = folder.path(root);
        let Some(held) = media.look(Path::new(folder.name))? else {
            findings.push(Finding::FolderMissing(path));
            continue;
        };
        if !held.metadata().is_dir() {
            findings.push(Finding::NotAFolder(path));
            continue;
        }
        findings.extend(wrong_owner(&held, owner));
        findings.extend(closed(&held).map(|(finding, _)| finding));
        match media.look(&Path::new(folder.name).join(MARKER))? {
            Some(held) if is_marker(held.metadata()) => {
                findings.extend(wrong_owner(&held, owner));
                findings.extend(closed(&held).map(|(finding, _)| finding));
            }
            _ => findings.push(Finding::MarkerMissing(path.join(MARKER))),
        }
    }
    Ok(findings)
}

/// A file with something in it. One of several names may be somebody else's file.
fn is_marker(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.len() > 0 && metadata.nlink() == 1
}

fn wrong_owner(held: &Held, must_be: Owner) -> Option<Finding> {
    let is = held.owner();
    (is != must_be).then(|| Finding::WrongOwner {
        path: held.path().to_owned(),
        is,
        must_be,
    })
}

/// Whether a folder or a marker is closed to its owner, and the mode that opens it. Immich writes
/// as the owner, so only the owner's bits count.
fn closed(held: &Held) -> Option<(Finding, u32)> {
    let needed = if held.metadata().is_dir() {
        0o700
    } else {
        0o600
    };
    let mode = held.metadata().mode() & 0o777;
    let finding = Finding::NotWritable {
        path: held.path().to_owned(),
        mode,
    };
    (mode & needed != needed).then_some((finding, mode | needed))
}

/// Mends all that [`check`] finds, and gives what it found. Nothing that holds data is touched;
/// when run again it changes nothing. Whatever Immich's user does to the names meanwhile, nothing
/// outside the media folder is changed.
///
/// # Errors
/// When the media folder itself is missing (it is never made here: the drive may not be mounted),
/// when something is in a folder's way, or when a step fails; the next run completes it.
pub fn mend(root: &Path, owner: Owner) -> Result<Vec<Finding>, MediaError> {
    let media = open(root)?;
    for folder in FOLDERS {
        // Before anything is changed.
        if let Some(held) = media.look(Path::new(folder.name))?
            && !held.metadata().is_dir()
        {
            return Err(MediaError::InTheWay(folder.path(root)));
        }
    }
    let mut findings = Vec::new();
    for folder in FOLDERS {
        let name = Path::new(folder.name);
        if let Some(held) = media.look(name)? {
            mend_access(&held, owner, &mut findings)?;
        } else {
            media.create_dir(name, 0o750, Some(owner))?;
            findings.push(Finding::FolderMissing(folder.path(root)));
        }
        let marker = name.join(MARKER);
        match media.look(&marker)? {
            Some(held) if is_marker(held.metadata()) => {
                mend_access(&held, owner, &mut findings)?;
            }
            _ => {
                media.write(&marker, stamp().as_bytes(), 0o640, Some(owner))?;
                let missing = Finding::MarkerMissing(root.join(&marker));
                // A new folder lacks it anyway.
                if findings.last() != Some(&Finding::FolderMissing(folder.path(root))) {
                    findings.push(missing);
                }
            }
        }
    }
    Ok(findings)
}

fn mend_access(held: &Held, owner: Owner, findings: &mut Vec<Finding>) -> Result<(), MediaError> {
    if let Some(finding) = wrong_owner(held, owner) {
        held.give_to(owner)?;
        findings.push(finding);
    }
    if let Some((finding, mode)) = closed(held) {
        held.set_mode(mode)?;
        findings.push(finding);
    }
    Ok(())
}

/// What a marker holds: the time in milliseconds, 13 digits, as Immich writes it.
fn stamp() -> String {
    format!("{:013}", Timestamp::now().as_millisecond())
}

/// Gives everything under the media folder to Immich, as after a restore from a machine with
/// other user numbers. Symbolic links are changed themselves, never followed. Gives how many
/// files and folders changed hands.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed; the next run completes it.
pub fn give_to(root: &Path, owner: Owner) -> Result<u64, MediaError> {
    Ok(open(root)?.give_to(owner)?)
}

#[cfg(test)]
mod tests;
