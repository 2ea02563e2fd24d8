//! A service manager in memory, for tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::{
    ActiveState, Job, JobResult, LoadState, Manager, Outcome, Result, ServiceError, TimerStatus,
    UnitState, UnitStatus, Verb,
};

/// Units that start and stop at once, and a log of what was asked for.
#[derive(Debug, Default)]
pub struct FakeManager {
    units: RefCell<BTreeMap<String, UnitState>>,
    failing: RefCell<BTreeMap<String, JobResult>>,
    skipping: RefCell<Vec<String>>,
    log: RefCell<Vec<String>>,
}

impl FakeManager {
    /// A manager with these units, none of them running.
    pub fn of<'a>(units: impl IntoIterator<Item = &'a str>) -> Self {
        let fake = Self::default();
        for unit in units {
            fake.set(unit, ActiveState::Inactive);
        }
        fake
    }

    /// Puts a unit into a state.
    pub fn set(&self, unit: &str, active: ActiveState) {
        let state = UnitState {
            active,
            load: LoadState::Loaded,
            ..absent(unit)
        };
        self.units.borrow_mut().insert(unit.to_owned(), state);
    }

    /// From now on, jobs of this unit end like this.
    pub fn fail(&self, unit: &str, result: JobResult) {
        self.failing.borrow_mut().insert(unit.to_owned(), result);
    }

    /// From now on, a condition of this unit does not hold.
    pub fn skip(&self, unit: &str) {
        self.skipping.borrow_mut().push(unit.to_owned());
    }

    /// What was asked for so far, as "start a.service".
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    fn job(&self, verb: Verb, unit: &str) -> Result<Outcome> {
        self.log.borrow_mut().push(format!("{verb} {unit}"));
        if !self.units.borrow().contains_key(unit) {
            let unit = unit.to_owned();
            return Err(ServiceError::NoSuchUnit { verb, unit });
        }
        if let Some(result) = self.failing.borrow().get(unit).cloned() {
            self.set(unit, ActiveState::Failed);
            let unit = unit.to_owned();
            return Err(ServiceError::Job { verb, unit, result });
        }
        if verb != Verb::Stop && self.skipping.borrow().iter().any(|one| one == unit) {
            return Ok(Outcome::Skipped);
        }
        let active = match verb {
            Verb::Stop | Verb::ResetFailed => ActiveState::Inactive,
            _ => ActiveState::Active,
        };
        self.set(unit, active);
        Ok(Outcome::Done)
    }
}

fn absent(name: &str) -> UnitState {
    UnitState {
        name: name.to_owned(),
        load: LoadState::NotFound,
        active: ActiveState::Inactive,
        sub: String::new(),
    }
}

impl Manager for FakeManager {
    fn states(&self, names: &[&str]) -> Result<Vec<UnitState>> {
        let units = self.units.borrow();
        let states = names.iter().map(|name| {
            let known = units.get(*name).cloned();
            known.unwrap_or_else(|| absent(name))
        });
        Ok(states.collect())
    }

    fn unit(&self, name: &str) -> Result<UnitStatus> {
        Ok(UnitStatus {
            state: self.state(name)?,
            result: String::new(),
            condition_met: true,
            invocation: None,
        })
    }

    fn start(&self, unit: &str, _timeout: Duration) -> Result<Outcome> {
        self.job(Verb::Start, unit)
    }

    fn stop(&self, unit: &str, _timeout: Duration) -> Result<()> {
        self.job(Verb::Stop, unit).map(drop)
    }

    fn restart(&self, unit: &str, _timeout: Duration) -> Result<Outcome> {
        self.job(Verb::Restart, unit)
    }

    fn start_no_wait(&self, unit: &str) -> Result<()> {
        self.job(Verb::Start, unit).map(drop)
    }

    fn stop_no_wait(&self, unit: &str) -> Result<()> {
        self.job(Verb::Stop, unit).map(drop)
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        self.job(Verb::ResetFailed, unit).map(drop)
    }

    fn timer(&self, name: &str) -> Result<TimerStatus> {
        Ok(TimerStatus {
            active: self.state(name)?.active,
            next: None,
            last: None,
        })
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        Ok(Vec::new())
    }
}
