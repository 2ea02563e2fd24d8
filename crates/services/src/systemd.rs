use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use zbus::names::OwnedErrorName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, block_on, connection};

use crate::proxies::{ServiceProxy, SystemdManagerProxy, TimerProxy, UnitProxy};
use crate::{
    ActiveState, Job, JobResult, LoadState, Manager, Outcome, Result, ServiceError, TimerStatus,
    UnitState, UnitStatus, Verb,
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
            Ok(Self {
                connection,
                manager,
            })
        };
        block_on(connecting).map_err(|error: zbus::Error| ServiceError::Connect(Box::new(error)))
    }

    /// Requests a job and waits for its end. The signal is listened for before the request is
    /// made: a quick job would be over before. systemd sends it to whom made the request, and
    /// needs no subscription, which would have it and the bus tell of every change of any unit.
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
            Err(_) => Err(ServiceError::TimedOut {
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
        // Forgotten right after it ended, it would seem never to have met its conditions.
        self.keep(unit).await;
        match self.run(verb, unit, timeout).await? {
            JobResult::Done => {
                let state = self.read_state(unit).await?;
                let skipped = state.active.is_down() && !self.inspect(unit).await?.condition_met;
                Ok(if skipped {
                    Outcome::Skipped
                } else {
                    Outcome::Done
                })
            }
            JobResult::Skipped => Ok(Outcome::Skipped),
            result => Err(ServiceError::Job {
                verb,
                unit: unit.to_owned(),
                result,
            }),
        }
    }

    /// One question for all of them: each costs systemd and the bus a small machine's
    /// milliseconds.
    async fn read_states(&self, names: &[&str]) -> Result<Vec<UnitState>> {
        let failed = |error| failure(Verb::Inspect, &names.join(", "), error);
        let listed = self.manager.list_units_by_names(names).await;
        let listed = listed.map_err(failed)?;
        // What cannot be a name is left out, and nothing else.
        if listed.len() != names.len() {
            return Err(ServiceError::Refused {
                verb: Verb::Inspect,
                unit: names.join(", "),
                reason: "not the name of a unit".into(),
            });
        }
        let states = names.iter().zip(listed).map(|(name, entry)| {
            let (_, _, load, active, sub, ..) = entry;
            UnitState {
                // Not the one in the answer, which for an alias is another.
                name: (*name).to_owned(),
                load: LoadState::from(&*load),
                active: ActiveState::from(&*active),
                sub,
            }
        });
        Ok(states.collect())
    }

    async fn read_state(&self, name: &str) -> Result<UnitState> {
        let mut states = self.read_states(&[name]).await?;
        states.pop().ok_or_else(|| ServiceError::NoSuchUnit {
            verb: Verb::Inspect,
            unit: name.to_owned(),
        })
    }

    /// A unit that is not in use is forgotten after each question, and its file, and those of all
    /// it depends on, read again for the next: seconds on a small machine. Without the right to
    /// keep it, it just takes longer.
    async fn keep(&self, name: &str) {
        let _ = self.manager.ref_unit(name).await;
    }

    async fn inspect(&self, name: &str) -> Result<UnitStatus> {
        let failed = |error| failure(Verb::Inspect, name, error);
        self.keep(name).await;
        let state = self.read_state(name).await?;
        let path = self.manager.load_unit(name).await.map_err(failed)?;
        self.read_unit(state, path).await.map_err(failed)
    }

    async fn read_unit(&self, state: UnitState, path: OwnedObjectPath) -> zbus::Result<UnitStatus> {
        let unit = UnitProxy::builder(&self.connection)
            .path(path.clone())
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let mut result = String::new();
        // A unit without its file has no service part to ask for.
        if state.name.ends_with(".service") && state.load == LoadState::Loaded {
            let service = ServiceProxy::builder(&self.connection)
                .path(path)
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            result = service.result().await?;
        }
        let invocation = unit.invocation_id().await?;
        Ok(UnitStatus {
            state,
            result,
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
    fn states(&self, names: &[&str]) -> Result<Vec<UnitState>> {
        block_on(self.read_states(names))
    }

    fn unit(&self, name: &str) -> Result<UnitStatus> {
        block_on(self.inspect(name))
    }

    fn start(&self, unit: &str, timeout: Duration) -> Result<Outcome> {
        block_on(self.bring_up(Verb::Start, unit, timeout))
    }

    fn stop(&self, unit: &str, timeout: Duration) -> Result<()> {
        match block_on(self.run(Verb::Stop, unit, timeout))? {
            JobResult::Done | JobResult::Skipped => Ok(()),
            result => Err(ServiceError::Job {
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

    fn timer(&self, name: &str) -> Result<TimerStatus> {
        block_on(self.keep(name));
        let state = self.state(name)?;
        if state.load == LoadState::NotFound {
            return Err(ServiceError::NoSuchUnit {
                verb: Verb::Inspect,
                unit: name.to_owned(),
            });
        }
        let (next_realtime, next_monotonic, last) =
            block_on(self.read_timer(name)).map_err(|error| failure(Verb::Inspect, name, error))?;
        let next = [realtime(next_realtime), monotonic(next_monotonic)];
        Ok(TimerStatus {
            active: state.active,
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
fn failure(verb: Verb, unit: &str, error: zbus::Error) -> ServiceError {
    let unit = unit.to_owned();
    match error {
        zbus::Error::MethodError(name, reason, _) => refusal(verb, unit, &name, reason),
        zbus::Error::FDO(error) => ServiceError::Refused {
            verb,
            unit,
            reason: error.to_string(),
        },
        other => ServiceError::Bus {
            verb,
            unit,
            source: Box::new(other),
        },
    }
}

fn refusal(
    verb: Verb,
    unit: String,
    name: &OwnedErrorName,
    reason: Option<String>,
) -> ServiceError {
    // The unit that is missing may be another one, which this one is bound to.
    let itself = reason.as_ref().is_none_or(|reason| reason.contains(&unit));
    if name.as_str() == "org.freedesktop.systemd1.NoSuchUnit" && itself {
        return ServiceError::NoSuchUnit { verb, unit };
    }
    ServiceError::Refused {
        verb,
        unit,
        reason: reason.unwrap_or_else(|| name.to_string()),
    }
}
