//! The fake systemd, with faults; PostgreSQL's first start makes its cluster.

use std::fs;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use appliance_services::{
    Job, Manager, Outcome, Result, ServiceError, TimerStatus, UnitState, UnitStatus, Verb,
};

use crate::world::World;

pub struct FaultyManager(pub Rc<World>);

fn refused(verb: Verb, unit: &str) -> impl FnOnce(io::Error) -> ServiceError {
    let unit = unit.to_owned();
    move |error| ServiceError::Refused {
        verb,
        unit,
        reason: error.to_string(),
    }
}

impl FaultyManager {
    fn started(&self, unit: &str) -> io::Result<()> {
        if unit != "postgresql.service" {
            return Ok(());
        }
        let environment = fs::read_to_string(self.0.paths.postgresql_environment())?;
        let data = environment.trim().strip_prefix("PGDATA=");
        let data = data.ok_or_else(|| io::Error::other("no PGDATA"))?;
        fs::write(format!("{data}/PG_VERSION"), "15\n")?;
        let with = |database: &mut Option<_>| {
            database.get_or_insert_default();
        };
        self.0.with_database(with);
        Ok(())
    }
}

impl Manager for FaultyManager {
    fn states(&self, names: &[&str]) -> Result<Vec<UnitState>> {
        let refused = refused(Verb::Inspect, "units");
        self.0
            .faults
            .look("states", refused, || self.0.manager.states(names))
    }

    fn unit(&self, name: &str) -> Result<UnitStatus> {
        self.0.manager.unit(name)
    }

    fn start(&self, unit: &str, timeout: Duration) -> Result<Outcome> {
        let what = format!("start {unit}");
        self.0.faults.change(&what, refused(Verb::Start, unit), || {
            let outcome = self.0.manager.start(unit, timeout)?;
            self.started(unit).map_err(refused(Verb::Start, unit))?;
            Ok(outcome)
        })
    }

    fn stop(&self, unit: &str, timeout: Duration) -> Result<()> {
        let what = format!("stop {unit}");
        let refused = refused(Verb::Stop, unit);
        self.0
            .faults
            .change(&what, refused, || self.0.manager.stop(unit, timeout))
    }

    fn restart(&self, unit: &str, timeout: Duration) -> Result<Outcome> {
        self.stop(unit, timeout)?;
        self.start(unit, timeout)
    }

    fn start_no_wait(&self, unit: &str) -> Result<()> {
        self.start(unit, Duration::ZERO).map(drop)
    }

    fn stop_no_wait(&self, unit: &str) -> Result<()> {
        self.stop(unit, Duration::ZERO)
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        self.0.manager.reset_failed(unit)
    }

    fn timer(&self, name: &str) -> Result<TimerStatus> {
        self.0.manager.timer(name)
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        self.0.manager.jobs()
    }
}
