//! The units of Immich and its database.

use appliance_immich::readiness::changes;
use appliance_services::order::{self, UnitStep};
use appliance_services::{LoadState, UnitState, Verb, journal};
use jiff::Timestamp;
use serde::Serialize;

use super::BACKUP_TIMER;
use crate::error::{Context as _, FailureClass, Refused};
use crate::{Appliance, Error, Result};

/// How many lines of a failed unit's log an error shows.
const LOG_LINES: u32 = 10;

/// A unit's state for people.
#[derive(Debug, Clone, Serialize)]
pub struct UnitLine {
    /// Its name.
    pub unit: String,
    /// Its state in words.
    pub state: String,
    /// Whether it runs.
    pub active: bool,
}

/// The state of each of Immich's units.
///
/// # Errors
/// When systemd cannot be asked.
pub fn lines(appliance: &Appliance) -> Result<Vec<UnitLine>> {
    Ok(states(appliance, &appliance.settings.services.units)?
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

pub(crate) fn states(appliance: &Appliance, units: &[String]) -> Result<Vec<UnitState>> {
    let names: Vec<&str> = units.iter().map(String::as_str).collect();
    Ok(appliance.manager()?.states(&names)?)
}

/// Whether the database runs.
pub(crate) fn database_runs(appliance: &Appliance) -> Result<bool> {
    let units = &appliance.settings.services.database_units;
    Ok(states(appliance, units)?.iter().all(UnitState::is_active))
}

/// When the timer next starts a backup, if it runs.
pub(crate) fn next_backup(appliance: &Appliance) -> Option<Timestamp> {
    appliance.manager().ok()?.timer(BACKUP_TIMER).ok()?.next
}

/// Starts the database alone.
pub(crate) fn start_database(appliance: &Appliance) -> Result<()> {
    start(appliance, &appliance.settings.services.database_units, None).map(drop)
}

/// Starts units in order, then the target that stands for them. Tells whether there was
/// anything to do.
pub(crate) fn start(appliance: &Appliance, units: &[String], target: Option<&str>) -> Result<bool> {
    let timeout = appliance.settings.services.start_timeout;
    let mut current = String::new();
    order::start_all(appliance.manager()?, units, target, timeout, &mut |step| {
        tell(appliance, step);
        current.clone_from(&step.unit);
    })
    .map_err(|error| with_log(appliance, error.into(), &current))
}

/// Works with the database, which is started for it if it does not run, and stopped again —
/// unless something else, Immich above all, came to use it meanwhile.
pub(crate) fn with_database<T>(
    appliance: &Appliance,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let services = &appliance.settings.services;
    let started: Vec<String> = states(appliance, &services.database_units)?
        .into_iter()
        .filter(|unit| !unit.is_active())
        .map(|unit| unit.name)
        .collect();
    start(appliance, &services.database_units, None)?;
    let outcome = work();
    if !immich_runs(appliance)? {
        order::stop_all(
            appliance.manager()?,
            &started,
            None,
            services.stop_timeout,
            &mut |_| {},
        )
        .context("the database, which was started for this, could not be stopped again")?;
    }
    outcome
}

/// Whether anything of Immich but its database runs, or is about to.
fn immich_runs(appliance: &Appliance) -> Result<bool> {
    let services = &appliance.settings.services;
    let others: Vec<String> = services
        .units
        .iter()
        .filter(|unit| !services.database_units.contains(unit))
        .cloned()
        .collect();
    Ok(states(appliance, &others)?
        .iter()
        .any(|unit| unit.load == LoadState::Loaded && !unit.active.is_down()))
}

/// Tells at each call whether the unit said something since the last one: a server that migrates
/// its database does. One that was started anew meanwhile makes no progress, it fails again and
/// again.
pub(crate) fn progress(appliance: &Appliance, unit: &str) -> impl FnMut() -> bool {
    let mut first_invocation = None;
    changes(move || {
        let status = appliance.manager().ok()?.unit(unit).ok()?;
        let first = first_invocation.get_or_insert_with(|| status.invocation.clone());
        if *first != status.invocation {
            return None;
        }
        journal::last_lines(&status, 1).ok()
    })
}

/// Whether the unit is down for good: not one that is between two tries.
pub(crate) fn has_ended(appliance: &Appliance, unit: &str) -> bool {
    let manager = appliance.manager().ok();
    manager
        .and_then(|manager| manager.state(unit).ok())
        .is_some_and(|unit| unit.active.is_down())
}

pub(crate) fn tell(appliance: &Appliance, step: &UnitStep) {
    match step.verb {
        Verb::Start => appliance.say(format!("Starting {} …", step.unit)),
        Verb::Stop => appliance.say(format!("Stopping {} …", step.unit)),
        Verb::Restart | Verb::ResetFailed | Verb::Inspect => {}
    }
}

/// Adds what the unit itself said last.
pub(crate) fn with_log(appliance: &Appliance, error: Error, unit: &str) -> Error {
    let lines = appliance
        .manager()
        .ok()
        .and_then(|manager| manager.unit(unit).ok())
        .and_then(|unit| journal::last_lines(&unit, LOG_LINES).ok())
        .unwrap_or_default();
    if lines.is_empty() {
        return error;
    }
    let error = crate::error::in_one_line(&error);
    Refused::new(
        FailureClass::Failed,
        format!("{error}; its last log lines:\n  {}", lines.join("\n  ")),
        format!("see its whole log with: journalctl -u {unit} -b"),
    )
    .into()
}
