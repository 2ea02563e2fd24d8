//! What can go wrong with a backup, told apart by what a person has to do about it.

use std::io;
use std::path::PathBuf;

use crate::names::display_name;
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
    #[error("no space is left in the repository {repository}: {cause}")]
    NoSpace {
        /// Address of the repository.
        repository: String,
        /// What the system or the server said.
        cause: String,
    },
    /// The bucket is in another region than the address names. Nothing is wrong with network or
    /// key: the address has to name the right one.
    #[error(
        "the bucket of {repository} is in {}: {cause}",
        right.as_deref().map_or("another region".to_owned(), |right| format!("the region {right}"))
    )]
    WrongRegion {
        /// Address of the repository.
        repository: String,
        /// The bucket's region, if the server told.
        right: Option<String>,
        /// What the server said.
        cause: String,
    },
    /// The server refuses because this machine's clock is wrong.
    #[error("the clock of this machine is {}, so {repository} refuses it: {cause}", skew(*ahead_seconds))]
    ClockSkewed {
        /// Address of the repository.
        repository: String,
        /// By how many seconds this machine's clock is ahead of the server's (negative: behind),
        /// if the server told its time.
        ahead_seconds: Option<i64>,
        /// What the server said.
        cause: String,
    },
    /// The provider's account has reached what it may spend or use, or is closed.
    #[error(
        "the account of {repository} has reached a limit that its owner set, or is closed: {cause}"
    )]
    SpendingCap {
        /// Address of the repository.
        repository: String,
        /// What the server said.
        cause: String,
    },
    /// The key may not list what is in the bucket, which a backup needs.
    #[error("the access key may not list the bucket of {repository}: {cause}")]
    MayNotList {
        /// Address of the repository.
        repository: String,
        /// What the server said.
        cause: String,
    },
    /// The bucket (with Object Lock, say) takes only what comes with a checksum of another kind
    /// than the one that is sent.
    #[error("the bucket of {repository} wants another checksum: {cause}")]
    ChecksumMissing {
        /// Address of the repository.
        repository: String,
        /// What the server said.
        cause: String,
    },
    /// Nobody that this machine trusts vouches for the server's certificate, or it is out of date
    /// by this machine's clock.
    #[error("the certificate of {repository} is not trusted: {cause}")]
    Certificate {
        /// Address of the repository.
        repository: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Files of the repository are in an archive (Glacier, say) and have to be brought back there
    /// first, with the provider's tools.
    #[error("files of {repository} are in an archive and have to be brought back first: {cause}")]
    Archived {
        /// Address of the repository.
        repository: String,
        /// What the server said.
        cause: String,
    },
    /// The server answers, and only that it has too much to do.
    #[error("the server of {repository} has too much to do: {cause}")]
    Busy {
        /// Address of the repository.
        repository: String,
        /// What the server said.
        cause: String,
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
    #[error("cannot back up {}", display_name(path))]
    Source {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder to back up went away while it was being backed up. No snapshot was saved.
    #[error("{} went away during the backup: {cause}", display_name(path))]
    SourceGone {
        /// The folder.
        path: PathBuf,
        /// What is there now.
        cause: String,
    },
    /// The snapshot was written, and lacks at least one original: it is kept, marked incomplete.
    #[error(
        "the backup is incomplete: it lacks {} of the originals or folders, the first is {}",
        .0.lacking().count(),
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
    #[error("the snapshot {snapshot} does not hold {}", display_name(path))]
    NotInSnapshot {
        /// Short id of the snapshot.
        snapshot: String,
        /// The path that was asked for.
        path: PathBuf,
    },
    /// Writing what is being restored failed.
    #[error("cannot restore to {}", display_name(path))]
    Destination {
        /// The file or folder being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The restore ran to its end, and some things did not come back, or not as they were.
    #[error(
        "{} files or folders did not come back, {} came back with another owner, mode or time",
        .0.losses.len(),
        .0.problems.len()
    )]
    RestoreIncomplete(Box<RestoreReport>),
    /// The file with the repository's address cannot be read, written or understood.
    #[error("cannot use the settings in {}: {cause}", display_name(path))]
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

/// How wrong a clock is, in words.
fn skew(ahead_seconds: Option<i64>) -> String {
    let Some(ahead) = ahead_seconds else {
        return "wrong".to_owned();
    };
    let size = ahead.unsigned_abs();
    let size = match (size / 86_400, size / 3600, size / 60) {
        (0, 0, 0) => format!("{size} seconds"),
        (0, 0, minutes) => format!("{minutes} minutes"),
        (0, hours, _) => format!("{hours} hours"),
        (days, ..) => format!("{days} days"),
    };
    format!("{size} {}", if ahead < 0 { "behind" } else { "ahead" })
}

fn first(report: &BackupReport) -> String {
    report
        .lacking()
        .next()
        .map(|lack| format!("{} ({})", display_name(&lack.path), lack.why))
        .unwrap_or_default()
}
