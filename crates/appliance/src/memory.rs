//! What the box remembers, on the card: which drive is its own, and for each drive and repository
//! how the backups went. A backup of another drive, or to another repository, is no backup of
//! this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use appliance_drive::find::KnownDrive;
use appliance_files::{Document, Lock, create_dir_durably};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Context as _;
use crate::{Appliance, Result};

const HEADING: &str = "\
# What immich-appliance remembers about this machine. It writes this file itself.
# It may be deleted: the next unlock and the next backup write it anew.

";
/// Another run holds the lock only while it writes a small file.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many histories are kept: of drives and repositories that were used before, too.
const MOST_HISTORIES: usize = 50;

/// What the box remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The drive that belongs to this box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<RememberedDrive>,
    /// How the backups went, by drive and repository; the last one used comes last.
    #[serde(rename = "backup", skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<BackupHistory>,
}

/// A drive, remembered when it was first used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedDrive {
    /// What tells it from others, also when its header is gone.
    #[serde(flatten)]
    pub known: KnownDrive,
    /// When it was first used here.
    pub first_used: Timestamp,
}

/// How the backups of one drive to one repository went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHistory {
    /// The drive's UUID.
    pub drive: Uuid,
    /// The repository's address, without credentials.
    pub repository: String,
    /// The last backup that was made in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<GoodBackup>,
    /// The failure of the last backup, if it failed; a success takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed: Option<FailedBackup>,
}

/// A backup that was made in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodBackup {
    /// When it was done, by the box's clock.
    pub time: Timestamp,
    /// The snapshot's ID.
    pub snapshot: String,
    /// How many files the snapshot holds.
    pub files: u64,
    /// How many bytes these files have together.
    pub bytes: u64,
    /// How many rows of each kind the database dump in it has: "assets", "albums", …
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
}

/// A backup that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedBackup {
    /// When it failed, by the box's clock.
    pub time: Timestamp,
    /// Why, as the person was told; holds no secrets.
    pub reason: String,
}

/// How old something is that was written down with the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Age {
    /// So many hours.
    Hours(f64),
    /// Its time lies in the future: the clock was, or is, wrong. It may be of any age.
    Unknown,
}

impl Age {
    /// Small differences between two clocks are no sign of a wrong one.
    const TOLERANCE_HOURS: f64 = 0.25;

    /// The age of something of this time.
    pub fn of(time: Timestamp, now: Timestamp) -> Self {
        // Precision does not matter for an age in hours.
        #[allow(clippy::cast_precision_loss)]
        let hours = now.duration_since(time).as_secs() as f64 / 3600.0;
        if hours < -Self::TOLERANCE_HOURS {
            Age::Unknown
        } else {
            Age::Hours(hours.max(0.0))
        }
    }

    /// Whether it is surely younger than this.
    pub fn is_younger_than(self, hours: f64) -> bool {
        matches!(self, Age::Hours(age) if age < hours)
    }
}

impl Memory {
    /// Remembers a drive. Seen again, it keeps the time of its first use; another drive replaces
    /// it.
    pub fn remember_drive(&mut self, known: KnownDrive, now: Timestamp) {
        let before = self.drive.as_ref();
        let before = before.filter(|drive| drive.known.uuid == known.uuid);
        let first_used = before.map_or(now, |drive| drive.first_used);
        self.drive = Some(RememberedDrive { known, first_used });
    }

    /// How the backups of this drive to this repository went.
    pub fn backups_of(&self, drive: Uuid, repository: &str) -> Option<&BackupHistory> {
        self.backups
            .iter()
            .find(|history| history.drive == drive && history.repository == repository)
    }

    /// How the backups of this drive went, to the repository that was last used.
    pub fn last_backups_of(&self, drive: Uuid) -> Option<&BackupHistory> {
        self.backups
            .iter()
            .rev()
            .find(|history| history.drive == drive)
    }

    /// The same to be changed; it becomes the last one used.
    pub fn backups_of_mut(&mut self, drive: Uuid, repository: &str) -> &mut BackupHistory {
        let at = self
            .backups
            .iter()
            .position(|history| history.drive == drive && history.repository == repository);
        let history = match at {
            Some(at) => self.backups.remove(at),
            None => BackupHistory {
                drive,
                repository: repository.to_owned(),
                last_good: None,
                last_failed: None,
            },
        };
        let surplus = (self.backups.len() + 1).saturating_sub(MOST_HISTORIES);
        self.backups.drain(..surplus);
        self.backups.push(history);
        let last = self.backups.len() - 1;
        &mut self.backups[last]
    }
}

impl Appliance {
    /// What the box remembers; at first, nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn memory(&self) -> Result<Memory> {
        Ok(self.memory_document().read()?.unwrap_or_default())
    }

    /// Changes what the box remembers, while no other run does.
    ///
    /// # Errors
    /// When it cannot be read, locked or written; the file is then as it was.
    pub(crate) fn remember(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        self.make_state_folder()?;
        let _lock = Lock::acquire(&self.paths.state.join("state.lock"), Some(PATIENCE))?;
        let document = self.memory_document();
        let before = document.read()?;
        let mut memory = before.clone().unwrap_or_default();
        change(&mut memory);
        if before.as_ref() != Some(&memory) {
            document.write(&memory)?;
        }
        Ok(())
    }

    /// The UUID of this box's drive: the configured one, else the remembered one.
    pub(crate) fn remembered_drive(&self) -> Result<Option<Uuid>> {
        if let Some(uuid) = self.settings.drive.uuid {
            return Ok(Some(uuid));
        }
        Ok(self.memory()?.drive.map(|drive| drive.known.uuid))
    }

    /// Makes the folder of what is remembered, closed to all but root.
    pub(crate) fn make_state_folder(&self) -> Result<()> {
        for folder in [self.paths.state.clone(), self.paths.headers()] {
            make_folder(&folder)?;
        }
        Ok(())
    }

    fn memory_document(&self) -> Document<Memory> {
        let path: PathBuf = self.paths.memory();
        Document::new(path, HEADING)
    }
}

/// Makes a folder that is closed to all but root, and what is missing on the way to it.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
    }
    create_dir_durably(folder, 0o700, None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn drive(uuid: u128) -> KnownDrive {
        KnownDrive {
            uuid: Uuid::from_u128(uuid),
            encrypted: true,
            model: Some("Elements".into()),
            serial: Some("WX1".into()),
            size: 1 << 40,
            partition: None,
            header: None,
        }
    }

    #[test]
    fn a_drive_seen_again_keeps_the_time_of_its_first_use() {
        let mut memory = Memory::default();
        memory.remember_drive(drive(1), at("2026-01-01T00:00:00Z"));
        memory.remember_drive(drive(1), at("2026-02-01T00:00:00Z"));
        let first = memory.drive.as_ref().unwrap().first_used;
        assert_eq!(first, at("2026-01-01T00:00:00Z"));
        memory.remember_drive(drive(2), at("2026-03-01T00:00:00Z"));
        let first = memory.drive.as_ref().unwrap().first_used;
        assert_eq!(first, at("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn a_backup_belongs_to_its_drive_and_its_repository() {
        let mut memory = Memory::default();
        let good = GoodBackup {
            time: at("2026-01-01T00:00:00Z"),
            snapshot: "abc".into(),
            files: 1,
            bytes: 2,
            counts: BTreeMap::new(),
        };
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        memory.backups_of_mut(one, "/a").last_good = Some(good.clone());
        let known = |memory: &Memory, drive, repository: &str| {
            memory
                .backups_of(drive, repository)
                .and_then(|history| history.last_good.clone())
        };
        assert_eq!(known(&memory, one, "/a"), Some(good));
        assert_eq!(known(&memory, one, "/b"), None);
        assert_eq!(known(&memory, other, "/a"), None);
        memory.backups_of_mut(one, "/b");
        let last = memory.last_backups_of(one).unwrap();
        assert_eq!(last.repository, "/b");
        assert!(last.last_good.is_none());
    }

    #[test]
    fn histories_are_not_kept_without_end() {
        let mut memory = Memory::default();
        for number in 0..200 {
            memory.backups_of_mut(Uuid::from_u128(number), "/a");
        }
        assert_eq!(memory.backups.len(), MOST_HISTORIES);
        let last = memory.backups.last().unwrap();
        assert_eq!(last.drive, Uuid::from_u128(199));
    }

    #[test]
    fn a_time_in_the_future_is_of_unknown_age_and_never_young() {
        let now = at("2026-01-02T00:00:00Z");
        let age = Age::of(at("2026-01-01T00:00:00Z"), now);
        assert_eq!(age, Age::Hours(24.0));
        assert!(age.is_younger_than(25.0) && !age.is_younger_than(24.0));
        let ahead = Age::of(at("2027-01-01T00:00:00Z"), now);
        assert_eq!(ahead, Age::Unknown);
        assert!(!ahead.is_younger_than(1e9));
        let slightly = Age::of(at("2026-01-02T00:05:00Z"), now);
        assert_eq!(slightly, Age::Hours(0.0));
    }

    #[test]
    fn it_survives_being_written_and_read() {
        let mut memory = Memory::default();
        memory.remember_drive(drive(7), at("2026-01-01T00:00:00Z"));
        memory.backups_of_mut(Uuid::from_u128(7), "/a").last_failed = Some(FailedBackup {
            time: at("2026-01-01T00:00:00Z"),
            reason: "the bucket is full".into(),
        });
        let folder = tempfile::tempdir().unwrap();
        let document = Document::new(folder.path().join("state.toml"), HEADING);
        document.write(&memory).unwrap();
        assert_eq!(document.read().unwrap(), Some(memory));
    }

    #[test]
    fn the_example_in_the_reference_is_what_is_written() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/files.md");
        let page = std::fs::read_to_string(page).unwrap();
        let example = page.split("```toml\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let memory: Memory = toml::from_str(example).unwrap();
        let written = toml::Table::try_from(&memory).unwrap();
        assert_eq!(written, toml::from_str::<toml::Table>(example).unwrap());
    }
}
