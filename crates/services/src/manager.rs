use std::time::Duration;

use crate::{Job, Result, ServiceError, TimerStatus, UnitState, UnitStatus, Verb};

/// How a request that went well ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The unit did not start because a condition of its own does not hold (`Condition…=`,
    /// `ExecCondition=`). systemd counts that as success.
    Skipped,
}

/// A service manager. All calls block; those with a `timeout` until the job is done.
pub trait Manager {
    /// The states of these units, in the same order, also of those that are not installed.
    ///
    /// # Errors
    /// When systemd cannot be asked, or one of them cannot be a unit's name.
    fn states(&self, names: &[&str]) -> Result<Vec<UnitState>>;

    /// The state of one unit.
    ///
    /// # Errors
    /// As [`Manager::states`].
    fn state(&self, name: &str) -> Result<UnitState> {
        self.states(&[name])?
            .pop()
            .ok_or_else(|| ServiceError::NoSuchUnit {
                verb: Verb::Inspect,
                unit: name.to_owned(),
            })
    }

    /// A unit's state, and how it last ended: several questions to systemd.
    ///
    /// # Errors
    /// As [`Manager::states`].
    fn unit(&self, name: &str) -> Result<UnitStatus>;

    /// Starts a unit and what it requires; done at once when it runs.
    ///
    /// # Errors
    /// When it cannot be started in time; [`ServiceError::Job`](crate::ServiceError::Job) says how it ended.
    fn start(&self, unit: &str, timeout: Duration) -> Result<Outcome>;

    /// Stops a unit; done at once when it does not run.
    ///
    /// # Errors
    /// When it is not installed or cannot be stopped in time.
    fn stop(&self, unit: &str, timeout: Duration) -> Result<()>;

    /// Starts a unit anew.
    ///
    /// # Errors
    /// As [`Manager::start`].
    fn restart(&self, unit: &str, timeout: Duration) -> Result<Outcome>;

    /// Asks for a start and does not wait for it.
    ///
    /// # Errors
    /// When systemd does not take the request.
    fn start_no_wait(&self, unit: &str) -> Result<()>;

    /// Asks for a stop and does not wait for it.
    ///
    /// # Errors
    /// When systemd does not take the request.
    fn stop_no_wait(&self, unit: &str) -> Result<()>;

    /// Forgets that a unit failed, and how often it was started lately.
    ///
    /// # Errors
    /// When systemd does not take the request.
    fn reset_failed(&self, unit: &str) -> Result<()>;

    /// When a timer last elapsed and next will.
    ///
    /// # Errors
    /// When there is no such timer or systemd cannot be asked.
    fn timer(&self, name: &str) -> Result<TimerStatus>;

    /// What systemd is doing and is about to do.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    fn jobs(&self) -> Result<Vec<Job>>;
}
