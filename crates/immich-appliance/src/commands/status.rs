//! `status`: one screen.

use std::path::PathBuf;

use appliance_drive::state::DriveState;
use appliance_drive::usage::{Usage, usage};
use appliance_immich::readiness::{self, State};
use jiff::{SpanRound, Timestamp, Unit};
use serde::Serialize;

use crate::context::Context;
use crate::report::{Report, size};
use crate::steps::remote::{self, Remote};
use crate::steps::services::{self, UnitLine};

#[derive(Debug, Serialize)]
struct Status {
    drive: Drive,
    services: Vec<UnitLine>,
    immich: Immich,
    backup: Backup,
    space: Option<Usage>,
    addresses: Vec<String>,
    /// `None` where tailscaled does not run.
    remote: Option<Remote>,
}

#[derive(Debug, Serialize)]
struct Drive {
    state: &'static str,
    device: Option<PathBuf>,
    uuid: Option<String>,
    mounted_at: Option<PathBuf>,
    read_only: bool,
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Immich {
    Ready,
    WaitsForSignUp,
    Maintenance,
    NotReady,
}

#[derive(Debug, Serialize)]
struct Backup {
    last_good: Option<appliance_state::GoodBackup>,
    age_hours: Option<f64>,
    age: Option<String>,
    last_failed: Option<appliance_state::FailedBackup>,
    next: Option<Timestamp>,
}

/// Shows the drive, the services, the last good backup, disk space and address.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let drive = drive(context.observe(None)?);
    let mounted = drive.mounted_at.is_some();
    let immich = match readiness::state(&context.immich()?) {
        Some(State::Ready(_)) => Immich::Ready,
        Some(State::Uninitialized(_)) => Immich::WaitsForSignUp,
        Some(State::Maintenance) => Immich::Maintenance,
        None => Immich::NotReady,
    };
    Ok(Box::new(Status {
        drive,
        services: services::states(context)?,
        immich,
        backup: backup(context)?,
        space: if mounted {
            usage(context.mount_point()).ok()
        } else {
            None
        },
        addresses: context.addresses(),
        remote: remote::look(context).ok(),
    }))
}

fn drive(state: DriveState) -> Drive {
    let word = state.word();
    let mut drive = Drive {
        state: word,
        device: None,
        uuid: None,
        mounted_at: None,
        read_only: false,
        note: None,
    };
    let found = match state {
        DriveState::Absent(error) => {
            drive.note = Some(error.to_string());
            return drive;
        }
        DriveState::Occupied { by } => {
            drive.note = Some(format!("{by} stands in its place"));
            return drive;
        }
        DriveState::Gone { .. } => {
            drive.note = Some("it was unplugged while it was in use".into());
            return drive;
        }
        DriveState::Locked(found) | DriveState::Unlocked { found, .. } => found,
        DriveState::Mounted { found, mount } => {
            drive.mounted_at = Some(mount.at);
            drive.read_only = mount.read_only;
            found
        }
    };
    drive.device = Some(found.device.path);
    drive.uuid = Some(found.uuid.to_string());
    drive
}

fn backup(context: &Context) -> anyhow::Result<Backup> {
    let state = context.state()?;
    let now = Timestamp::now();
    let since = state.last_good_backup.as_ref().map(|good| now - good.time);
    Ok(Backup {
        age_hours: since.and_then(|span| span.total(Unit::Hour).ok()),
        age: since
            .and_then(|span| {
                span.round(
                    SpanRound::new()
                        .largest(Unit::Day)
                        .days_are_24_hours()
                        .smallest(Unit::Minute),
                )
                .ok()
            })
            .map(|span| format!("{span:#}")),
        last_good: state.last_good_backup,
        last_failed: state.last_failed_backup,
        next: services::next_backup(context),
    })
}

impl Report for Status {
    fn text(&self) -> String {
        let mut lines = vec![self.drive.text()];
        for unit in &self.services {
            lines.push(format!("{:10}{} ({})", "service", unit.unit, unit.state));
        }
        lines.push(format!("{:10}{}", "immich", self.immich.text()));
        lines.push(format!("{:10}{}", "backup", self.backup.text()));
        if let Some(space) = &self.space {
            lines.push(format!(
                "{:10}{} free of {}",
                "space",
                size(space.available),
                size(space.total)
            ));
        }
        if self.immich == Immich::Ready || self.immich == Immich::WaitsForSignUp {
            lines.push(format!("{:10}{}", "address", self.addresses.join(" or ")));
        }
        if let Some(remote) = self.remote.as_ref().and_then(Remote::line) {
            lines.push(format!("{:10}{remote}", "remote"));
        }
        if let Some(next) = self.next_step() {
            lines.push(format!("{:10}{next}", "next"));
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

impl Status {
    /// The one command that helps most now.
    fn next_step(&self) -> Option<&'static str> {
        match (self.drive.state, self.immich) {
            ("absent", _) => {
                Some("attach the drive; a new one: immich-appliance drive create DEVICE")
            }
            ("locked" | "unlocked" | "gone", _) => Some("immich-appliance unlock --start"),
            ("mounted", Immich::NotReady) => Some("immich-appliance start"),
            ("mounted", _) if self.backup.last_good.is_none() => {
                Some("immich-appliance backup init REPOSITORY, then immich-appliance backup run")
            }
            _ => None,
        }
    }
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

impl Immich {
    fn text(self) -> &'static str {
        match self {
            Immich::Ready => "ready",
            Immich::WaitsForSignUp => "ready, and waits for its first user to sign up",
            Immich::Maintenance => "in maintenance mode",
            Immich::NotReady => "not running",
        }
    }
}

impl Backup {
    fn text(&self) -> String {
        let mut text = match (&self.last_good, &self.age) {
            (Some(good), Some(age)) => format!("last good one {age} ago ({})", good.repository),
            (Some(good), None) => format!("last good one at {} ({})", good.time, good.repository),
            (None, _) => "none yet".into(),
        };
        let failed_since = self.last_failed.as_ref().filter(|failed| {
            self.last_good
                .as_ref()
                .is_none_or(|good| good.time < failed.time)
        });
        if let Some(failed) = failed_since {
            text += &format!("; FAILED since, at {}: {}", failed.time, failed.reason);
        }
        text
    }
}
