//! How far a recovery has come, kept on the drive that is recovered onto.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::Step;

/// The file's name, at the top of the drive.
pub const FILE_NAME: &str = "recovery-in-progress.toml";

/// What is remembered of a recovery that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The full ID of the snapshot.
    pub snapshot: String,
    /// The lasting steps that are done.
    #[serde(default)]
    pub done: Vec<Step>,
}

/// Reading or writing the progress failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the recovery's progress in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what this tool writes.
    #[error("the recovery's progress in {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// It could not be written as TOML.
    #[error("cannot write down the recovery's progress")]
    Encode(#[from] toml::ser::Error),
    /// The file could not be written.
    #[error("cannot keep the recovery's progress")]
    Write(#[from] appliance_files::Error),
}

/// Reads the progress of a recovery on the drive mounted at `root`; `None` if none is
/// under way.
///
/// # Errors
/// If the file is there and cannot be read, or is damaged.
pub fn read(root: &Path) -> Result<Option<Progress>, Error> {
    let path = root.join(FILE_NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path, source }),
    };
    toml::from_str(&text)
        .map(Some)
        .map_err(|source| Error::Damaged { path, source })
}

/// Writes the progress durably.
///
/// # Errors
/// If the drive does not take the file.
pub fn write(root: &Path, progress: &Progress) -> Result<(), Error> {
    let text = toml::to_string(progress)?;
    appliance_files::write_durably(&root.join(FILE_NAME), text.as_bytes(), 0o600)?;
    Ok(())
}

/// Forgets the progress, once the recovery is finished.
///
/// # Errors
/// If the file cannot be removed.
pub fn clear(root: &Path) -> Result<(), Error> {
    appliance_files::remove_durably(&root.join(FILE_NAME))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_back_and_cleared() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(root.path()).unwrap(), None);
        let progress = Progress {
            repository: "/mnt/usb".into(),
            snapshot: "abc".into(),
            done: vec![Step::CreateDrive, Step::RestoreFiles],
        };
        write(root.path(), &progress).unwrap();
        assert_eq!(read(root.path()).unwrap(), Some(progress));
        clear(root.path()).unwrap();
        assert_eq!(read(root.path()).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(FILE_NAME), "snapshot = 3").unwrap();
        let error = read(root.path()).unwrap_err();
        assert!(error.to_string().contains(FILE_NAME), "{error}");
    }
}
