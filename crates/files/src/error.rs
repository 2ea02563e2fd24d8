use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed: what was being done, to which path, and (as source) why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// What was being done, as a verb phrase that the path follows: "write to".
    pub action: &'static str,
    /// The file or folder it was done to.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl FileError {
    /// Names the action and the path that an I/O error belongs to; made for `map_err`.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self {
            action,
            path,
            source,
        }
    }

    /// Whether the path, or a folder on the way to it, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the file system has no room left (disk or quota).
    pub fn is_storage_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, FileError>;
