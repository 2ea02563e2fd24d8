use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the box remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The drive that belongs to this box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<RememberedDrive>,
    /// The last backup that was made in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_backup: Option<GoodBackup>,
    /// The last backup that failed; it may be older than the last good one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failed_backup: Option<FailedBackup>,
}

/// A drive, remembered when it was first used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedDrive {
    /// The UUID of its LUKS header, or of its file system when it is not encrypted.
    pub uuid: Uuid,
    /// Its label, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was first used here.
    pub first_used: Timestamp,
}

/// A backup that was made in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodBackup {
    /// When it was done.
    pub time: Timestamp,
    /// The snapshot's id.
    pub snapshot: String,
    /// The repository's address, without credentials.
    pub repository: String,
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
    /// When it failed.
    pub time: Timestamp,
    /// Why, as the person was told; holds no secrets.
    pub reason: String,
}

impl State {
    /// Remembers a drive. Seen again, it keeps the time of its first use; another drive replaces
    /// it.
    pub fn remember_drive(&mut self, uuid: Uuid, label: Option<String>, now: Timestamp) {
        let known = self.drive.as_ref().filter(|drive| drive.uuid == uuid);
        let first_used = known.map_or(now, |drive| drive.first_used);
        self.drive = Some(RememberedDrive {
            uuid,
            label,
            first_used,
        });
    }

    /// Whether the last backup that was tried failed.
    pub fn is_last_backup_failed(&self) -> bool {
        match (&self.last_good_backup, &self.last_failed_backup) {
            (Some(good), Some(failed)) => failed.time > good.time,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_drive_seen_again_keeps_the_time_of_its_first_use() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, later) = (at("2026-11-21T00:00:00Z"), at("2026-11-22T00:00:00Z"));
        let mut state = State::default();
        state.remember_drive(one, None, first);
        state.remember_drive(one, Some("photos".into()), later);
        let drive = state.drive.clone().unwrap();
        assert_eq!(
            (drive.first_used, drive.label.as_deref()),
            (first, Some("photos"))
        );
        state.remember_drive(two, None, later);
        assert_eq!(state.drive.unwrap().first_used, later);
    }

    #[test]
    fn a_failure_counts_until_the_next_good_backup() {
        let mut state = State::default();
        assert!(!state.is_last_backup_failed());
        let good = |time| GoodBackup {
            time: at(time),
            snapshot: "0123abcd".into(),
            repository: "/srv/backup".into(),
            files: 1,
            bytes: 1,
            counts: BTreeMap::new(),
        };
        state.last_failed_backup = Some(FailedBackup {
            time: at("2026-11-21T00:00:00Z"),
            reason: "the disk is full".into(),
        });
        assert!(state.is_last_backup_failed());
        state.last_good_backup = Some(good("2026-11-22T00:00:00Z"));
        assert!(!state.is_last_backup_failed());
        state.last_good_backup = Some(good("2026-11-20T00:00:00Z"));
        assert!(state.is_last_backup_failed());
    }
}
