//! Opening, creating and joining a repository.
//!
//! A repository is a plain restic repository (format version 2). rustic_core takes no locks in it:
//! it is safe against other writers, and against itself, because it only ever adds files. What must
//! not run beside a backup is `restic prune` from elsewhere; on this machine the binary's own file
//! lock keeps two runs apart.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::progress::{ProgressSink, Silent};
use crate::target::Target;

/// How to open a repository.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Folder for a cache of the repository's index and folder trees (encrypted as in the
    /// repository); `None` for no cache. Not used for a repository in a local folder.
    pub cache_dir: Option<PathBuf>,
    /// Where progress is shown.
    pub progress: Arc<dyn ProgressSink>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            progress: Arc::new(Silent),
        }
    }
}

/// Whether a repository was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// There was none, and it was created.
    Created,
    /// It was there, and the password opened it.
    Joined,
}

/// An open repository.
#[derive(Debug)]
pub struct Repository {}

impl Repository {
    /// Opens an existing repository.
    ///
    /// # Errors
    /// [`Error`](crate::Error), among others `NoRepository`, `WrongPassword`, `Unreachable`, `Denied`.
    pub fn open(_target: &Target, _options: &OpenOptions) -> Result<Self> {
        todo!()
    }

    /// Opens the repository, or creates it if there is none. Safe to repeat: a creation that was
    /// interrupted is begun again.
    ///
    /// # Errors
    /// As [`Repository::open`], except that a missing repository is none.
    pub fn init_or_join(_target: &Target, _options: &OpenOptions) -> Result<(Self, Joined)> {
        todo!()
    }

    /// Whether there is a repository, without opening it.
    ///
    /// # Errors
    /// [`Error`](crate::Error) if the place cannot be read.
    pub fn exists(_target: &Target) -> Result<bool> {
        todo!()
    }

    /// The repository's own id, 64 hexadecimal digits.
    pub fn id(&self) -> String {
        todo!()
    }

    /// The address, without secrets.
    pub fn location(&self) -> String {
        todo!()
    }
}
