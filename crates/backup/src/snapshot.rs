//! Snapshots: taking one, listing them, looking into one.

mod browse;
mod expected;
mod library;
mod order;
mod take;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Zoned;

use crate::names::display_name;
use crate::packs::PackComparison;

pub use browse::{find, latest, list, ls, ls_recursive, read_file};
pub use expected::{Comparison, Expected, MissingOriginal, MovedOriginal};
pub use library::{Latest, Library, latest_library, library};
pub use order::in_order;
pub use take::run;

pub(crate) use browse::{node_at, tree_of};
#[cfg(test)]
pub(crate) use take::run_on;

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
    /// Folders whose files can be made again. Where any are given, everything else counts as
    /// original: the database's dumps and the secrets too.
    pub derived: Vec<PathBuf>,
    /// Immich's media folder: below it no link is followed, and what the list of expected
    /// originals names is relative to it.
    pub media: Option<PathBuf>,
    /// The originals that the snapshot has to hold, from the dump of this run; `None` if there is
    /// no such list. What it lacks of them is named, and makes it incomplete.
    pub expected: Option<Vec<Expected>>,
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

    /// The folders in an Immich media folder that Immich can make again: `thumbs` and
    /// `encoded-video`.
    pub fn derived_in(immich_data: &Path) -> Vec<PathBuf> {
        ["thumbs", "encoded-video"]
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
    /// It cannot be read; what the system said. Of a folder: not all that is in it is known.
    Unreadable(String),
    /// It is in the snapshot without its extended attributes; what the system said.
    WithoutAttributes(String),
    /// It is a link that leads out of what is backed up; the link was saved, and not what is
    /// behind it.
    LeadsOut(PathBuf),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanished => f.write_str("it was gone before it was read"),
            Self::Shrank => f.write_str("it became shorter while it was read"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::WithoutAttributes(why) => {
                write!(f, "its extended attributes cannot be read: {why}")
            }
            Self::LeadsOut(target) => write!(
                f,
                "it is a link to {}, outside of what is backed up",
                display_name(target)
            ),
        }
    }
}

/// A file or folder that is not in the snapshot, or not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
    /// Whether it cannot be made again, or may hold something that cannot.
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
    /// What came of the list of expected originals.
    pub comparison: Comparison,
    /// Files and folders of the snapshot of which a part is not in the repository.
    pub not_stored: Vec<PathBuf>,
    /// Folders of originals in which something came or went during the last walk, where there
    /// was no list to tell that nothing is missing.
    pub unsettled: Vec<PathBuf>,
    /// How often the files were walked.
    pub passes: u32,
    /// Packs that the repository lost, and the snapshots that suffer.
    pub packs: PackComparison,
}

/// Something that a snapshot lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The file or folder.
    pub path: PathBuf,
    /// Why, in plain words.
    pub why: String,
}

impl BackupReport {
    /// All that makes the snapshot incomplete, each with its reason.
    pub fn lacking(&self) -> impl Iterator<Item = Lack> {
        let skipped = self.unreadable_originals().map(|skipped| Lack {
            path: skipped.path.clone(),
            why: skipped.reason.to_string(),
        });
        let missing = self.comparison.missing.iter().map(|missing| Lack {
            path: missing.path.clone(),
            why: missing.why.clone(),
        });
        let because = |why: &'static str| {
            move |path: &PathBuf| Lack {
                path: path.clone(),
                why: why.to_owned(),
            }
        };
        let not_stored = self
            .not_stored
            .iter()
            .map(because("a part of it is not in the repository any more"));
        let unsettled = self
            .unsettled
            .iter()
            .map(because("files came and went in it during the whole backup"));
        skipped.chain(missing).chain(not_stored).chain(unsettled)
    }

    /// Originals that could not be read: they make the backup fail.
    pub fn unreadable_originals(&self) -> impl Iterator<Item = &Skipped> {
        self.skipped.iter().filter(|skipped| skipped.original)
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
    /// The snapshot that it was compared with when it was taken.
    pub parent: Option<String>,
    /// How many snapshots of this machine and label there had been with it, where it was counted.
    pub sequence: Option<u64>,
    /// What it lacks, as far as it says so: each with its reason, harmless to show.
    pub lacks: Vec<String>,
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
