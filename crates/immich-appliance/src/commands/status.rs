//! `status`: one screen.

use std::path::PathBuf;

use appliance::health::{
    BackupCondition, Condition, DriveCondition, NextStep, ServerCondition, look,
};
use appliance::immich::units::UnitLine;
use appliance::memory::{Age, FailedBackup, GoodBackup};
use appliance::recover::RecoveryProgress;
use appliance::remote::Remote;
use appliance_drive::usage::Usage;
use appliance_terminal::{Report, Told, size};
use jiff::{SpanRound, Timestamp, Unit};
use serde::Serialize;

use crate::run::Run;

#[derive(Debug, Serialize)]
struct Status {
    drive: Drive,
    services: Vec<UnitLine>,
    services_unknown: Option<String>,
    immich: ServerCondition,
    backup: Backup,
    recovery: Option<RecoveryProgress>,
    space: Option<Usage>,
    addresses: Vec<String>,
    /// `None` where tailscaled does not run.
    remote: Option<Remote>,
    next: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Drive {
    state: &'static str,
    device: Option<PathBuf>,
    uuid: Option<String>,
    mounted_at: Option<PathBuf>,
    read_only: bool,
    note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Backup {
    repository: Option<String>,
    last_good: Option<GoodBackup>,
    age_hours: Option<f64>,
    age: Option<String>,
    last_failed: Option<FailedBackup>,
    next: Option<Timestamp>,
}

/// Shows the drive, the services, the last good backup, disk space and address.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    let condition = look(&run.appliance())?;
    Ok(Box::new(Told::new(Status::from(condition), text)))
}

impl From<Condition> for Status {
    fn from(condition: Condition) -> Self {
        Status {
            next: condition.next_step().as_ref().map(NextStep::text),
            drive: Drive::from(condition.drive),
            services: condition.units,
            services_unknown: condition.units_unknown,
            immich: condition.server,
            backup: Backup::from(condition.backup),
            recovery: condition.recovery,
            space: condition.space,
            addresses: condition.addresses,
            remote: condition.remote,
        }
    }
}

impl From<DriveCondition> for Drive {
    fn from(condition: DriveCondition) -> Self {
        let mut drive = Drive {
            state: condition.word(),
            ..Drive::default()
        };
        if let Some(found) = condition.found() {
            drive.device = Some(found.device.path.clone());
            drive.uuid = Some(found.uuid.to_string());
        }
        match condition {
            DriveCondition::Absent(error) => drive.note = Some(error.to_string()),
            DriveCondition::Occupied { by } => {
                drive.note = Some(format!("its place is taken by {by}"));
            }
            DriveCondition::Gone => {
                drive.note = Some("it was unplugged while it was in use".into());
            }
            DriveCondition::Mounted { at, read_only, .. } => {
                drive.mounted_at = Some(at);
                drive.read_only = read_only;
            }
            DriveCondition::Locked(_) | DriveCondition::Unlocked(_) => {}
        }
        drive
    }
}

impl From<BackupCondition> for Backup {
    fn from(condition: BackupCondition) -> Self {
        let hours = match condition.age {
            Some(Age::Hours(hours)) => Some(hours),
            Some(Age::Unknown) | None => None,
        };
        let since = condition
            .last_good
            .as_ref()
            .filter(|_| hours.is_some())
            .map(|good| Timestamp::now() - good.time);
        let rounding = SpanRound::new()
            .largest(Unit::Day)
            .days_are_24_hours()
            .smallest(Unit::Minute);
        Backup {
            age_hours: hours,
            age: since
                .and_then(|span| span.round(rounding).ok())
                .map(|span| format!("{span:#}")),
            repository: condition.repository,
            last_good: condition.last_good,
            last_failed: condition.last_failed,
            next: condition.next,
        }
    }
}

fn text(status: &Status) -> String {
    let mut lines = vec![status.drive.text()];
    for unit in &status.services {
        lines.push(format!("{:10}{} ({})", "service", unit.unit, unit.state));
    }
    if let Some(why) = &status.services_unknown {
        lines.push(format!("{:10}{why}", "service"));
    }
    lines.push(format!("{:10}{}", "immich", status.immich.text()));
    lines.push(format!("{:10}{}", "backup", status.backup.text()));
    if let Some(recovery) = &status.recovery {
        lines.push(format!(
            "{:10}of snapshot {} from {} is NOT FINISHED",
            "recovery",
            recovery.snapshot.get(..8).unwrap_or(&recovery.snapshot),
            recovery.repository
        ));
    }
    if let Some(space) = &status.space {
        lines.push(format!(
            "{:10}{} free of {}",
            "space",
            size(space.available),
            size(space.total)
        ));
    }
    if status.immich.is_up() {
        lines.push(format!("{:10}{}", "address", status.addresses.join(" or ")));
    }
    if let Some(remote) = status.remote.as_ref().and_then(Remote::line) {
        lines.push(format!("{:10}{remote}", "remote"));
    }
    if let Some(next) = &status.next {
        lines.push(format!("{:10}{next}", "next"));
    }
    lines.join("\n")
}

impl Drive {
    fn text(&self) -> String {
        let mut text = format!("{:10}{}", "drive", self.state);
        if let Some(device) = &self.device {
            text += &format!(": {}", device.display());
        }
        if let Some(mounted_at) = &self.mounted_at {
            text += &format!(" at {}", mounted_at.display());
        }
        if self.read_only {
            text += ", READ-ONLY";
        }
        if let Some(note) = &self.note {
            text += &format!(": {note}");
        }
        text
    }
}

impl Backup {
    fn text(&self) -> String {
        let to = match &self.repository {
            Some(repository) => format!(" ({repository})"),
            None => String::new(),
        };
        let mut text = match (&self.last_good, &self.age) {
            (Some(_), Some(age)) => format!("last good one {age} ago{to}"),
            (Some(good), None) => format!(
                "last good one at {}{to}: age unknown, the clock is or was wrong",
                good.time
            ),
            (None, _) => format!("none yet{to}"),
        };
        if let Some(failed) = &self.last_failed {
            text += &format!("; FAILED since, at {}: {}", failed.time, failed.reason);
        }
        text
    }
}
