//! Snapshots: taking one, listing them, looking into one.

mod browse;
mod take;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Zoned;

pub use browse::{find, latest, list, ls, ls_recursive, read_file};
pub use take::run;

pub(crate) use browse::node_at;

/// The tag of a snapshot that lacks an original.
pub const INCOMPLETE: &str = "incomplete";

/// What to back up, and how the snapshot is named.
#[derive(Debug, Clone, Default)]
pub struct BackupPlan {
    /// Folders and files, by absolute path.
    pub paths: Vec<PathBuf>,
    /// Glob patterns (as in `.gitignore`) of what is left out.
    pub excludes: Vec<String>,
    /// Folders whose files cannot be made again: one that cannot be read fails the backup.
    pub originals: Vec<PathBuf>,
    /// Tags of the snapshot.
    pub tags: Vec<String>,
    /// Label of the snapshot.
    pub label: Option<String>,
    /// Name of this machine; `None` takes the system's.
    pub host: Option<String>,
    /// Time of the snapshot; `None` takes now.
    pub time: Option<Zoned>,
    /// Free text kept with the snapshot.
    pub description: Option<String>,
}

impl BackupPlan {
    /// The folders of originals in an Immich media folder: `library`, `upload` and `profile`.
    pub fn originals_in(immich_data: &Path) -> Vec<PathBuf> {
        ["library", "upload", "profile"]
            .iter()
            .map(|name| immich_data.join(name))
            .collect()
    }
}

/// Why a file is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was there when its folder was listed and gone when it was to be read.
    Vanished,
    /// It became shorter while it was being read.
    Shrank,
    /// It cannot be read; what the system said.
    Unreadable(String),
}

/// A file or folder that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
    /// Whether it is under one of the plan's folders of originals.
    pub original: bool,
}

/// What a backup did.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// The snapshot that was written.
    pub snapshot: Snapshot,
    /// Files that the snapshot before did not have.
    pub files_new: u64,
    /// Files that differ from the snapshot before.
    pub files_changed: u64,
    /// Files that are as in the snapshot before.
    pub files_unmodified: u64,
    /// Bytes of content in the snapshot.
    pub bytes_processed: u64,
    /// Bytes that the repository did not have yet, before compression.
    pub bytes_added: u64,
    /// Bytes that the repository grew by.
    pub bytes_stored: u64,
    /// How long it took.
    pub duration: Duration,
    /// What is not in the snapshot though it was to be.
    pub skipped: Vec<Skipped>,
    /// Files that grew or changed while they were read: in the snapshot as they were then.
    pub changed_while_read: Vec<PathBuf>,
}

impl BackupReport {
    /// Originals that could not be read: those that make the backup fail. A file that vanished
    /// before it was read is not among them, its owner deleted it.
    pub fn unreadable_originals(&self) -> impl Iterator<Item = &Skipped> {
        self.skipped
            .iter()
            .filter(|skipped| skipped.original && skipped.reason != Reason::Vanished)
    }
}

/// A snapshot's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Id, 64 hexadecimal digits.
    pub id: String,
    /// When it was begun.
    pub time: Zoned,
    /// The machine it is of.
    pub host: String,
    /// Label; empty for none.
    pub label: String,
    /// Tags.
    pub tags: Vec<String>,
    /// What it holds, by absolute path.
    pub paths: Vec<PathBuf>,
    /// Whether it holds every original (it is not tagged [`INCOMPLETE`]).
    pub complete: bool,
    /// Files in it, if known.
    pub files: Option<u64>,
    /// Bytes of content in it, if known.
    pub bytes: Option<u64>,
    /// Free text.
    pub description: Option<String>,
}

impl Snapshot {
    /// The first eight digits of the id, as restic shows it.
    pub fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

/// Which snapshots to consider.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this machine.
    pub host: Option<String>,
    /// Only those with this label.
    pub label: Option<String>,
    /// Only those with all of these tags.
    pub tags: Vec<String>,
    /// Also those that lack an original.
    pub incomplete: bool,
}

/// What an entry in a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Special,
}

/// An entry in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits, as in `chmod`.
    pub mode: u32,
    /// When it was last modified.
    pub modified: Option<jiff::Timestamp>,
}
