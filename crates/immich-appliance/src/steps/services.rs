//! Immich and what it needs, started and stopped in order.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context as _;
use appliance_drive::layout;
use appliance_immich::api::Client;
use appliance_immich::database::{Contents, Database};
use appliance_immich::dump::ImmichVersion;
use appliance_immich::media::{FOLDERS, MARKER};
use appliance_immich::readiness::{self, State};
use appliance_services::order::{self, Step};
use appliance_services::{LoadState, Manager, UnitState, Verb, journal};
use jiff::Timestamp;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::Report;

/// The backup's units, as shipped.
const BACKUP_SERVICE: &str = "immich-appliance-backup.service";
const BACKUP_TIMER: &str = "immich-appliance-backup.timer";
/// How many lines of a failed unit's log an error shows.
const LOG_LINES: u32 = 10;

/// Immich, started.
#[derive(Debug, Serialize)]
pub struct Started {
    /// Whether anything had to be started.
    pub changed: bool,
    /// Whether Immich waits for its first user.
    pub waits_for_sign_up: bool,
    /// Where it answers.
    pub addresses: Vec<String>,
}

/// A unit's state for `status`.
#[derive(Debug, Serialize)]
pub struct UnitLine {
    /// Its name.
    pub unit: String,
    /// Its state in words.
    pub state: String,
    /// Whether it runs.
    pub active: bool,
}

/// Starts everything in order and waits until Immich is truly ready.
pub fn start(context: &Context) -> anyhow::Result<Started> {
    let services = &context.settings.services;
    refuse_other_postgresql(context)?;
    let mut changed = start_units(context, &services.database_units, None)?;
    refuse_empty_database_over_photos(context)?;
    changed |= start_units(context, &services.units, Some(&services.target))?;
    let state = wait_until_ready(context)?;
    Ok(Started {
        changed,
        waits_for_sign_up: matches!(state, State::Uninitialized(_)),
        addresses: context.addresses(),
    })
}

/// Starts the database alone.
pub fn start_database(context: &Context) -> anyhow::Result<()> {
    start_units(context, &context.settings.services.database_units, None).map(drop)
}

/// Stops everything, last started first. A backup by the timer is stopped first: it holds
/// files, and the next one goes on where it stopped. Tells whether anything ran.
pub fn stop(context: &Context) -> anyhow::Result<bool> {
    let services = &context.settings.services;
    let systemd = context.systemd()?;
    let backup = systemd.state(BACKUP_SERVICE)?;
    let ran = !backup.active.is_down();
    if ran {
        context.ui.say("Stopping the backup that is under way …");
        systemd.stop(BACKUP_SERVICE, services.stop_timeout)?;
    }
    let stopped = order::stop_all(
        systemd,
        &services.units,
        Some(&services.target),
        services.stop_timeout,
        &mut |step| tell(context, step),
    )?;
    Ok(ran || stopped)
}

/// The state of each unit.
pub fn states(context: &Context) -> anyhow::Result<Vec<UnitLine>> {
    Ok(named(context, &context.settings.services.units)?
        .into_iter()
        .map(|unit| UnitLine {
            active: unit.is_active(),
            state: match unit.load {
                LoadState::NotFound => "not installed".into(),
                _ => format!("{}, {}", unit.active, unit.sub),
            },
            unit: unit.name,
        })
        .collect())
}

fn named(context: &Context, units: &[String]) -> anyhow::Result<Vec<UnitState>> {
    let names: Vec<&str> = units.iter().map(String::as_str).collect();
    Ok(context.systemd()?.states(&names)?)
}

/// Whether all of these units run.
pub fn all_run(context: &Context, units: &[String]) -> anyhow::Result<bool> {
    Ok(named(context, units)?.iter().all(UnitState::is_active))
}

/// When the timer next starts a backup, if it runs.
pub fn next_backup(context: &Context) -> Option<Timestamp> {
    context.systemd().ok()?.timer(BACKUP_TIMER).ok()?.next
}

/// Works with the database, which is started for it if it does not run, and stopped again.
pub fn with_database<T>(
    context: &Context,
    work: impl FnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let units = &context.settings.services.database_units;
    let systemd = context.systemd()?;
    let started: Vec<String> = named(context, units)?
        .into_iter()
        .filter(|unit| !unit.is_active())
        .map(|unit| unit.name)
        .collect();
    start_units(context, units, None)?;
    let outcome = work(&context.database()?);
    order::stop_all(
        systemd,
        &started,
        None,
        context.settings.services.stop_timeout,
        &mut |_| {},
    )
    .context("the database was started for this and could not be stopped again")?;
    outcome
}

/// The version of Immich that answers here, for a database that does not tell its own.
pub fn immich_version(context: &Context) -> Option<ImmichVersion> {
    let version = context.immich().ok()?.version().ok()?;
    version.to_string().parse().ok()
}

fn start_units(context: &Context, units: &[String], target: Option<&str>) -> anyhow::Result<bool> {
    let systemd = context.systemd()?;
    let timeout = context.settings.services.start_timeout;
    let mut current = String::new();
    order::start_all(systemd, units, target, timeout, &mut |step| {
        tell(context, step);
        current.clone_from(&step.unit);
    })
    .map_err(|error| with_log(context, error.into(), &current))
}

fn tell(context: &Context, step: &Step) {
    match step.verb {
        Verb::Start => context.ui.say(format!("Starting {} …", step.unit)),
        Verb::Stop => context.ui.say(format!("Stopping {} …", step.unit)),
        Verb::Restart | Verb::ResetFailed | Verb::Inspect => {}
    }
}

/// Adds what the unit itself said last.
fn with_log(context: &Context, error: anyhow::Error, unit: &str) -> anyhow::Error {
    let lines = context
        .systemd()
        .ok()
        .and_then(|systemd| systemd.unit(unit).ok())
        .and_then(|unit| journal::last_lines(&unit, LOG_LINES).ok())
        .unwrap_or_default();
    if lines.is_empty() {
        return error;
    }
    let text = format!("{error:#}; it said:\n  {}", lines.join("\n  "));
    Refused::new(
        Exit::Failed,
        text,
        format!("see all it said with: journalctl -u {unit} -b"),
    )
    .into()
}

/// PostgreSQL opens only a database of its own major version. Where another one lies on the
/// drive, it would fail, or make an empty one beside it.
fn refuse_other_postgresql(context: &Context) -> anyhow::Result<()> {
    let installed = context.installed_postgresql()?;
    let cluster = layout::postgres_cluster(context.mount_point())?;
    let Some(found) = cluster.needs_other_than(installed) else {
        return Ok(());
    };
    let found: Vec<String> = found.iter().map(u32::to_string).collect();
    Err(Refused::new(
        Exit::Refused,
        format!(
            "not starting Immich: the database on the drive is of PostgreSQL {}, and this box has \
             PostgreSQL {installed}",
            found.join(" and ")
        ),
        "give the box that version of PostgreSQL again, or recover everything onto another drive \
         with: immich-appliance recover",
    )
    .into())
}

/// A fresh database over old photos starts happily and looks as if all were lost; uploading
/// into it makes the recovery of the old one harder.
fn refuse_empty_database_over_photos(context: &Context) -> anyhow::Result<()> {
    if !holds_originals(context) || matches!(context.database()?.contents()?, Contents::Users(1..))
    {
        return Ok(());
    }
    Err(Refused::new(
        Exit::Refused,
        format!(
            "not starting Immich: {} holds photos, but the database knows no user",
            context.settings.media_path().display()
        ),
        "restore the database from a dump in immich_data/backups, or recover everything with: \
         immich-appliance recover",
    )
    .into())
}

/// Whether there is a photo that Immich took in: anything in a user's folder.
fn holds_originals(context: &Context) -> bool {
    let media = context.settings.media_path();
    FOLDERS
        .iter()
        .filter(|folder| matches!(folder.name, "library" | "upload"))
        .filter_map(|folder| std::fs::read_dir(folder.path(&media)).ok())
        .flatten()
        .filter_map(Result::ok)
        .any(|entry| entry.file_name() != MARKER)
}

fn wait_until_ready(context: &Context) -> anyhow::Result<State> {
    let client: Client = context.immich()?;
    let server = context.settings.services.server_unit.clone();
    let bar = context.ui.bars().wait("waiting for Immich");
    let mut looked = Duration::ZERO;
    let state = readiness::wait_until_ready(
        &client,
        context.settings.immich.ready_timeout,
        &mut |waiting, waited| {
            bar.set_message(format!("waiting {waiting}, {} s", waited.as_secs()));
            // A server that has ended will not answer; asking systemd twice a second is enough.
            if waited - looked > Duration::from_secs(1) {
                looked = waited;
                if has_ended(context, &server) {
                    return ControlFlow::Break(format!("{server} has ended"));
                }
            }
            ControlFlow::Continue(())
        },
    );
    bar.finish_and_clear();
    match state {
        Ok(State::Maintenance(_)) => Err(Refused::new(
            Exit::Failed,
            "Immich is in maintenance mode and serves no photos",
            "end it on Immich's web page, or with: immich-admin disable-maintenance-mode",
        )
        .into()),
        Ok(state) => Ok(state),
        Err(error) => Err(with_log(
            context,
            anyhow::Error::new(error).context("Immich does not become ready"),
            &server,
        )),
    }
}

/// Whether the unit is down for good: not one that is between two tries.
fn has_ended(context: &Context, unit: &str) -> bool {
    context
        .systemd()
        .ok()
        .and_then(|systemd| systemd.state(unit).ok())
        .is_some_and(|unit| unit.active.is_down())
}

impl Report for Started {
    fn text(&self) -> String {
        let ready = if self.changed {
            "Immich is ready"
        } else {
            "Immich is ready already"
        };
        let at = self.addresses.join(" or ");
        if self.waits_for_sign_up {
            format!(
                "{ready} at {at}\nNext: open it in a browser and sign up; the first account is the administrator."
            )
        } else {
            format!("{ready} at {at}")
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
