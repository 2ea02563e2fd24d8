use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use zbus::names::OwnedErrorName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, block_on, connection};

use crate::proxies::{ServiceProxy, SystemdManagerProxy, TimerProxy, UnitProxy};
use crate::{
    Error, Job, JobResult, LoadState, Manager, Outcome, Result, TimerStatus, UnitStatus, Verb,
};

/// systemd is busy for this long at most, reloading on a slow machine.
const REPLY_TIMEOUT: Duration = Duration::from_secs(90);
/// A request takes the place of one that waits, as `systemctl` does it.
const MODE: &str = "replace";
/// Stands for systemd itself in error texts.
const ITSELF: &str = "systemd";

/// systemd, reached over the system bus.
///
/// Its calls block the thread, so they do not belong into an asynchronous task.
#[derive(Debug, Clone)]
pub struct Systemd {
    connection: Connection,
    manager: SystemdManagerProxy<'static>,
}

impl Systemd {
    /// Connects.
    ///
    /// # Errors
    /// When there is no system bus, or no systemd on it.
    pub fn connect() -> Result<Self> {
        Self::connect_through(connection::Builder::system())
    }

    /// Connects to a systemd on another bus, for tests.
    ///
    /// # Errors
    /// As [`Systemd::connect`].
    pub fn connect_to(address: &str) -> Result<Self> {
        Self::connect_through(connection::Builder::address(address))
    }

    fn connect_through(builder: connection::Builder<'static>) -> Result<Self> {
        let connecting = async {
            let connection = builder.method_timeout(REPLY_TIMEOUT).build().await?;
            let manager = SystemdManagerProxy::builder(&connection)
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            manager.subscribe().await?;
            Ok(Self {
                connection,
                manager,
            })
        };
        block_on(connecting).map_err(|error: zbus::Error| Error::Connect(Box::new(error)))
    }

    /// Requests a job and waits for its end. The signal is listened for before the request is
    /// made: a quick job would be over before.
    async fn run(&self, verb: Verb, unit: &str, timeout: Duration) -> Result<JobResult> {
        let failed = |error| failure(verb, unit, error);
        let mut removed = self.manager.receive_job_removed().await.map_err(failed)?;
        let job = self.request(verb, unit).await.map_err(failed)?;
        let ended = async {
            while let Some(signal) = removed.next().await {
                let ended = signal.args()?;
                if *ended.job() == job {
                    return Ok(JobResult::from(*ended.result()));
                }
            }
            // The stream ends with the connection.
            Err(zbus::Error::InvalidReply)
        };
        match tokio::time::timeout(timeout, ended).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(Error::TimedOut {
                verb,
                unit: unit.to_owned(),
                after: timeout,
            }),
        }
    }

    async fn request(&self, verb: Verb, unit: &str) -> zbus::Result<OwnedObjectPath> {
        match verb {
            Verb::Stop => self.manager.stop_unit(unit, MODE).await,
            Verb::Restart => self.manager.restart_unit(unit, MODE).await,
            _ => self.manager.start_unit(unit, MODE).await,
        }
    }

    /// Starts or restarts, and finds out whether the unit skipped itself: a condition that does
    /// not hold ends the job as done.
    async fn bring_up(&self, verb: Verb, unit: &str, timeout: Duration) -> Result<Outcome> {
        match self.run(verb, unit, timeout).await? {
            JobResult::Done => {
                let status = self.inspect(unit).await?;
                let skipped = status.active.is_down() && !status.condition_met;
                Ok(if skipped {
                    Outcome::Skipped
                } else {
                    Outcome::Done
                })
            }
            JobResult::Skipped => Ok(Outcome::Skipped),
            result => Err(Error::Job {
                verb,
                unit: unit.to_owned(),
                result,
            }),
        }
    }

    async fn inspect(&self, name: &str) -> Result<UnitStatus> {
        let failed = |error| failure(Verb::Inspect, name, error);
        // A unit that is not in use is forgotten after each question, and its file, and those of
        // all it depends on, read again for the next: seconds on a small machine. Without the
        // right to keep it, it just takes longer.
        let _ = self.manager.ref_unit(name).await;
        let path = self.manager.load_unit(name).await.map_err(failed)?;
        self.read_unit(name, path).await.map_err(failed)
    }

    async fn read_unit(&self, name: &str, path: OwnedObjectPath) -> zbus::Result<UnitStatus> {
        let unit = UnitProxy::builder(&self.connection)
            .path(path.clone())
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let load = LoadState::from(&*unit.load_state().await?);
        let (mut result, mut main_pid) = (String::new(), None);
        // A unit without its file has no service part to ask for.
        if name.ends_with(".service") && load == LoadState::Loaded {
            let service = ServiceProxy::builder(&self.connection)
                .path(path)
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            result = service.result().await?;
            main_pid = Some(service.main_pid().await?).filter(|&pid| pid != 0);
        }
        let invocation = unit.invocation_id().await?;
        Ok(UnitStatus {
            name: name.to_owned(),
            description: unit.description().await?,
            load,
            active: (&*unit.active_state().await?).into(),
            sub: unit.sub_state().await?,
            result,
            main_pid,
            since: realtime(unit.state_change_timestamp().await?),
            condition_met: unit.condition_result().await?,
            invocation: (!invocation.is_empty()).then(|| {
                invocation
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            }),
        })
    }

    async fn read_timer(&self, name: &str) -> zbus::Result<(u64, u64, u64)> {
        let path = self.manager.load_unit(name).await?;
        let timer = TimerProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        Ok((
            timer.next_elapse_realtime().await?,
            timer.next_elapse_monotonic().await?,
            timer.last_trigger().await?,
        ))
    }
}

impl Manager for Systemd {
    fn unit(&self, name: &str) -> Result<UnitStatus> {
        block_on(self.inspect(name))
    }

    fn start(&self, unit: &str, timeout: Duration) -> Result<Outcome> {
        block_on(self.bring_up(Verb::Start, unit, timeout))
    }

    fn stop(&self, unit: &str, timeout: Duration) -> Result<()> {
        match block_on(self.run(Verb::Stop, unit, timeout))? {
            JobResult::Done | JobResult::Skipped => Ok(()),
            result => Err(Error::Job {
                verb: Verb::Stop,
                unit: unit.to_owned(),
                result,
            }),
        }
    }

    fn restart(&self, unit: &str, timeout: Duration) -> Result<Outcome> {
        block_on(self.bring_up(Verb::Restart, unit, timeout))
    }

    fn start_no_wait(&self, unit: &str) -> Result<()> {
        block_on(self.request(Verb::Start, unit))
            .map(drop)
            .map_err(|error| failure(Verb::Start, unit, error))
    }

    fn stop_no_wait(&self, unit: &str) -> Result<()> {
        block_on(self.request(Verb::Stop, unit))
            .map(drop)
            .map_err(|error| failure(Verb::Stop, unit, error))
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        block_on(self.manager.reset_failed_unit(unit))
            .map_err(|error| failure(Verb::ResetFailed, unit, error))
    }

    fn daemon_reload(&self) -> Result<()> {
        block_on(self.manager.reload()).map_err(|error| failure(Verb::Reload, ITSELF, error))
    }

    fn timer(&self, name: &str) -> Result<TimerStatus> {
        let status = self.unit(name)?;
        if status.load == LoadState::NotFound {
            return Err(Error::NoSuchUnit {
                verb: Verb::Inspect,
                unit: name.to_owned(),
            });
        }
        let (next_realtime, next_monotonic, last) =
            block_on(self.read_timer(name)).map_err(|error| failure(Verb::Inspect, name, error))?;
        let next = [realtime(next_realtime), monotonic(next_monotonic)];
        Ok(TimerStatus {
            active: status.active,
            next: next.into_iter().flatten().min(),
            last: realtime(last),
        })
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        let entries = block_on(self.manager.list_jobs())
            .map_err(|error| failure(Verb::Inspect, ITSELF, error))?;
        let jobs = entries.into_iter().map(|(id, unit, kind, state, ..)| Job {
            id,
            unit,
            kind,
            is_running: state == "running",
        });
        Ok(jobs.collect())
    }
}

/// Microseconds since 1970; zero and the largest number stand for never.
fn realtime(microseconds: u64) -> Option<Timestamp> {
    let microseconds = Some(microseconds).filter(|&time| time != 0 && time != u64::MAX)?;
    Timestamp::from_microsecond(microseconds.try_into().ok()?).ok()
}

/// Microseconds since boot, as the time of day that is.
fn monotonic(microseconds: u64) -> Option<Timestamp> {
    let then = Some(microseconds).filter(|&time| time != 0 && time != u64::MAX)?;
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?);
    let left = Duration::from_micros(then).saturating_sub(now);
    Timestamp::now().checked_add(left).ok()
}

/// Puts what the bus said into terms of units.
fn failure(verb: Verb, unit: &str, error: zbus::Error) -> Error {
    let unit = unit.to_owned();
    match error {
        zbus::Error::MethodError(name, reason, _) => refusal(verb, unit, &name, reason),
        zbus::Error::FDO(error) => Error::Refused {
            verb,
            unit,
            reason: error.to_string(),
        },
        other => Error::Bus {
            verb,
            unit,
            source: Box::new(other),
        },
    }
}

fn refusal(verb: Verb, unit: String, name: &OwnedErrorName, reason: Option<String>) -> Error {
    // The unit that is missing may be another one, which this one is bound to.
    let itself = reason.as_ref().is_none_or(|reason| reason.contains(&unit));
    if name.as_str() == "org.freedesktop.systemd1.NoSuchUnit" && itself {
        return Error::NoSuchUnit { verb, unit };
    }
    Error::Refused {
        verb,
        unit,
        reason: reason.unwrap_or_else(|| name.to_string()),
    }
}
