use std::path::PathBuf;

use appliance_backup::Address;
use appliance_drive::find::{FindError, Found};
use appliance_drive::state::DriveState;
use appliance_drive::usage::Usage;
use appliance_immich::readiness::ServerState;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::error::in_one_line;
use crate::immich::units::{self, UnitLine};
use crate::memory::{Age, FailedBackup, GoodBackup, Memory, RememberedDrive};
use crate::recover::RecoveryProgress;
use crate::recover::progress;
use crate::remote::{self, Remote};
use crate::{Appliance, Result};

/// How the box is, looked at once.
#[derive(Debug)]
pub struct Condition {
    /// The drive.
    pub drive: DriveCondition,
    /// The drive that this box remembers.
    pub remembered: Option<RememberedDrive>,
    /// Immich's units; none where systemd cannot be asked.
    pub units: Vec<UnitLine>,
    /// Why systemd cannot be asked. All else is looked at all the same.
    pub units_unknown: Option<String>,
    /// Immich's server.
    pub server: ServerCondition,
    /// The backup of this drive.
    pub backup: BackupCondition,
    /// A recovery onto the mounted drive that is not finished.
    pub recovery: Option<RecoveryProgress>,
    /// The drive's space, while it is mounted.
    pub space: Option<Usage>,
    /// Where Immich answers.
    pub addresses: Vec<String>,
    /// How it stands in its tailnet; `None` where tailscaled does not run or does not answer.
    pub remote: Option<Remote>,
}

/// The drive.
#[derive(Debug)]
pub enum DriveCondition {
    /// None can be used; why says which of the reasons it is.
    Absent(FindError),
    /// Attached and not open.
    Locked(Found),
    /// Open and not mounted.
    Unlocked(Found),
    /// Mounted.
    Mounted {
        /// The drive.
        found: Found,
        /// Where.
        at: PathBuf,
        /// Whether it takes no writes.
        read_only: bool,
    },
    /// It was unplugged while it was in use.
    Gone,
    /// Something else stands in its place.
    Occupied {
        /// What.
        by: String,
    },
}

/// Immich's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerCondition {
    /// It works.
    Ready,
    /// It works, and has no user.
    WaitsForSignUp,
    /// It serves no photos until maintenance ends.
    Maintenance,
    /// It does not answer.
    NotReady,
}

/// The backup of this drive.
#[derive(Debug, Clone, Default)]
pub struct BackupCondition {
    /// The repository that the drive names, while it is mounted; else the last one used.
    pub repository: Option<String>,
    /// The last good backup of this drive in that repository.
    pub last_good: Option<GoodBackup>,
    /// How old that is.
    pub age: Option<Age>,
    /// The last backup failed.
    pub last_failed: Option<FailedBackup>,
    /// When the timer next starts one.
    pub next: Option<Timestamp>,
}

/// Looks at the box. Changes nothing.
///
/// # Errors
/// When block devices or what is remembered cannot be read.
pub fn look(appliance: &Appliance) -> Result<Condition> {
    let memory = appliance.memory()?;
    let drive = DriveCondition::from(appliance.observe(None)?);
    let mounted = drive.is_mounted();
    let paths = &appliance.paths;
    let repository = if mounted {
        Address::load(&paths.repository_address())?.map(|address| address.location.to_string())
    } else {
        None
    };
    let uuid = drive
        .found()
        .map(|found| found.uuid)
        .or(appliance.remembered_drive()?);
    let (units, units_unknown) = match units::lines(appliance) {
        Ok(units) => (units, None),
        Err(error) => (Vec::new(), Some(in_one_line(&error))),
    };
    Ok(Condition {
        units,
        units_unknown,
        server: match appliance.photos().server() {
            Some(ServerState::Ready(_)) => ServerCondition::Ready,
            Some(ServerState::Uninitialized(_)) => ServerCondition::WaitsForSignUp,
            Some(ServerState::Maintenance) => ServerCondition::Maintenance,
            None => ServerCondition::NotReady,
        },
        backup: BackupCondition {
            next: units::next_backup(appliance),
            ..backup(&memory, uuid, mounted, repository, Timestamp::now())
        },
        recovery: if mounted {
            progress::document(paths).read()?
        } else {
            None
        },
        space: if mounted {
            appliance.disks().usage(&paths.mount_point).ok()
        } else {
            None
        },
        addresses: appliance.addresses(),
        remote: remote::look(appliance).ok(),
        remembered: memory.drive,
        drive,
    })
}

/// What is remembered of this drive's backups: to the repository that the drive names, while
/// that can be read.
fn backup(
    memory: &Memory,
    drive: Option<Uuid>,
    mounted: bool,
    repository: Option<String>,
    now: Timestamp,
) -> BackupCondition {
    let history = drive.and_then(|drive| match &repository {
        Some(repository) => memory.backups_of(drive, repository),
        None if mounted => None,
        None => memory.last_backups_of(drive),
    });
    BackupCondition {
        age: history
            .and_then(|history| history.last_good.as_ref())
            .map(|good| Age::of(good.time, now)),
        last_good: history.and_then(|history| history.last_good.clone()),
        last_failed: history.and_then(|history| history.last_failed.clone()),
        repository: repository.or_else(|| history.map(|history| history.repository.clone())),
        next: None,
    }
}

impl From<DriveState> for DriveCondition {
    fn from(state: DriveState) -> Self {
        match state {
            DriveState::Absent(error) => DriveCondition::Absent(error),
            DriveState::Locked(found) => DriveCondition::Locked(found),
            DriveState::Unlocked { found, .. } => DriveCondition::Unlocked(found),
            DriveState::Mounted { found, mount } => DriveCondition::Mounted {
                found,
                at: mount.at,
                read_only: mount.read_only,
            },
            DriveState::Gone { .. } => DriveCondition::Gone,
            DriveState::Occupied { by } => DriveCondition::Occupied { by },
        }
    }
}

impl DriveCondition {
    /// A word for it.
    pub fn word(&self) -> &'static str {
        match self {
            DriveCondition::Absent(_) => "absent",
            DriveCondition::Locked(_) => "locked",
            DriveCondition::Unlocked(_) => "unlocked",
            DriveCondition::Mounted { .. } => "mounted",
            DriveCondition::Gone => "gone",
            DriveCondition::Occupied { .. } => "occupied",
        }
    }

    /// Whether the photos are within reach.
    pub fn is_mounted(&self) -> bool {
        matches!(self, DriveCondition::Mounted { .. })
    }

    /// The drive, where it is attached.
    pub fn found(&self) -> Option<&Found> {
        match self {
            DriveCondition::Locked(found)
            | DriveCondition::Unlocked(found)
            | DriveCondition::Mounted { found, .. } => Some(found),
            _ => None,
        }
    }
}

impl ServerCondition {
    /// Whether people can use it.
    pub fn is_up(self) -> bool {
        matches!(
            self,
            ServerCondition::Ready | ServerCondition::WaitsForSignUp
        )
    }

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            ServerCondition::Ready => "ready",
            ServerCondition::WaitsForSignUp => "ready, waiting for its first user to sign up",
            ServerCondition::Maintenance => "in maintenance mode",
            ServerCondition::NotReady => "not running",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Memory {
        let mut memory = Memory::default();
        memory.backups_of_mut(Uuid::from_u128(1), "/a").last_good = Some(GoodBackup {
            time: "2026-01-01T00:00:00Z".parse().unwrap(),
            snapshot: "abc".into(),
            files: 1,
            bytes: 2,
            counts: Default::default(),
        });
        memory
    }

    fn seen(drive: u128, mounted: bool, repository: Option<&str>) -> BackupCondition {
        backup(
            &remembered(),
            Some(Uuid::from_u128(drive)),
            mounted,
            repository.map(str::to_owned),
            "2026-01-01T10:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn a_new_drive_or_another_repository_is_not_backed_up_by_the_old_success() {
        assert!(seen(1, true, Some("/a")).last_good.is_some());
        assert!(seen(1, true, Some("/b")).last_good.is_none());
        assert!(seen(1, true, None).last_good.is_none());
        assert!(seen(2, true, Some("/a")).last_good.is_none());
        assert!(seen(2, false, None).last_good.is_none());
    }

    #[test]
    fn while_the_drive_is_locked_its_last_repository_is_told() {
        let locked = seen(1, false, None);
        assert_eq!(locked.repository.as_deref(), Some("/a"));
        assert_eq!(locked.age, Some(Age::Hours(10.0)));
    }
}
