//! What can go wrong with a backup, told apart by what a person has to do about it.

use std::io;
use std::path::PathBuf;

use crate::restore::RestoreReport;
use crate::snapshot::BackupReport;

/// The result of a backup operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A backup operation that failed. `repository` is the address without secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository is there, and this password opens none of its keys.
    #[error("the password does not open the repository {repository}")]
    WrongPassword {
        /// Address of the repository.
        repository: String,
    },
    /// The place can be read, and holds no repository.
    #[error("there is no repository at {repository}")]
    NoRepository {
        /// Address of the place.
        repository: String,
    },
    /// The server, the disk or the network does not answer.
    #[error("cannot reach the repository {repository}: {cause}")]
    Unreachable {
        /// Address of the repository.
        repository: String,
        /// What the system said.
        cause: String,
    },
    /// The server or the file system refuses: wrong access key, missing permission.
    #[error("access to the repository {repository} is denied: {cause}")]
    Denied {
        /// Address of the repository.
        repository: String,
        /// What the system said.
        cause: String,
    },
    /// The server answers, and the bucket does not exist.
    #[error("the bucket of {repository} does not exist")]
    NoBucket {
        /// Address of the repository.
        repository: String,
    },
    /// The repository's disk or quota is full.
    #[error("no space is left in the repository {repository}")]
    NoSpace {
        /// Address of the repository.
        repository: String,
    },
    /// Something in the repository is missing or not what it should be.
    #[error("the repository {repository} is damaged: {cause}")]
    Damaged {
        /// Address of the repository.
        repository: String,
        /// What was found.
        cause: String,
    },
    /// A folder to back up cannot be opened at all.
    #[error("cannot back up {}", path.display())]
    Source {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The snapshot was written, and lacks at least one original: it is kept, marked incomplete.
    #[error(
        "{} of the originals could not be read, the first is {}",
        .0.unreadable_originals().count(),
        first(.0)
    )]
    UnreadableOriginals(Box<BackupReport>),
    /// No snapshot answers to this name.
    #[error("there is no snapshot {wanted} in {repository}")]
    NoSnapshot {
        /// Address of the repository.
        repository: String,
        /// What was asked for: an id, the beginning of one, or "latest".
        wanted: String,
    },
    /// Several snapshots answer to this name.
    #[error("several snapshots in {repository} begin with {wanted}")]
    AmbiguousSnapshot {
        /// Address of the repository.
        repository: String,
        /// What was asked for.
        wanted: String,
    },
    /// The snapshot does not hold this path.
    #[error("the snapshot {snapshot} does not hold {}", path.display())]
    NotInSnapshot {
        /// Short id of the snapshot.
        snapshot: String,
        /// The path that was asked for.
        path: PathBuf,
    },
    /// Writing what is being restored failed.
    #[error("cannot restore to {}", path.display())]
    Destination {
        /// The file or folder being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The restore ran to its end, and some things could not be restored as they were.
    #[error("{} files or folders could not be restored as they were", .0.problems.len())]
    RestoreIncomplete(Box<RestoreReport>),
    /// The file with the repository's address cannot be read, written or understood.
    #[error("cannot use the settings in {}: {cause}", path.display())]
    Settings {
        /// The settings file.
        path: PathBuf,
        /// What is wrong, without any of its content.
        cause: String,
    },
    /// Anything else.
    #[error("cannot {doing} the repository {repository}: {cause}")]
    Other {
        /// What was being done, as a verb phrase that the repository follows.
        doing: &'static str,
        /// Address of the repository.
        repository: String,
        /// The essential cause.
        cause: String,
    },
}

fn first(report: &BackupReport) -> String {
    report
        .unreadable_originals()
        .next()
        .map(|skipped| skipped.path.display().to_string())
        .unwrap_or_default()
}
