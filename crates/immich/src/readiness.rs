//! Waiting until Immich truly works.
//!
//! `/api/server/ping` answers even with the database gone; `/api/server/config` does not.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::api::{ApiError, Client, ServerConfig};

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// For the server's process to answer; while it migrates its database it does not.
    Server,
    /// For the database: the server answers, but cannot read from it.
    Database,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server => "for Immich to answer",
            Self::Database => "for Immich to reach its database",
        })
    }
}

/// How Immich stands, now that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// It works, and an admin exists.
    Ready(ServerConfig),
    /// It works, but no admin exists. Right for a new box; over old media it means that the
    /// database is a fresh one and the old must be restored before anyone signs up.
    Uninitialized(ServerConfig),
    /// Only the maintenance page is served, for instance since a restore by Immich itself failed,
    /// or since the database of a restore point was loaded.
    Maintenance,
}

impl ServerState {
    /// From the public settings.
    #[must_use]
    pub fn of(config: ServerConfig) -> Self {
        if config.is_initialized {
            Self::Ready(config)
        } else {
            Self::Uninitialized(config)
        }
    }

    /// What leads on from a state in which Immich serves no photos though it runs.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Ready(_) | Self::Uninitialized(_) => None,
            Self::Maintenance => Some(
                "end the maintenance mode on Immich's web page, or run: immich-admin \
                 disable-maintenance-mode",
            ),
        }
    }

    /// Asks once; maintenance mode is a state, everything else that goes wrong an error.
    fn ask(client: &Client) -> Result<Self, ApiError> {
        match client.config() {
            Ok(config) => Ok(Self::of(config)),
            Err(error) if error.is_maintenance() => Ok(Self::Maintenance),
            Err(error) => Err(error),
        }
    }
}

/// Why Immich did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It took too long without any progress.
    #[error("waited {}s {waiting}{}: {last}", waited.as_secs(), without_progress(*waited, *standstill))]
    Timeout {
        /// What was still missing.
        waiting: Waiting,
        /// How long was waited in all.
        waited: Duration,
        /// How long of it no progress was seen: since the last one, or the whole time.
        standstill: Duration,
        /// The last answer.
        last: Box<ApiError>,
    },
    /// Something that is not Immich answers at its address.
    #[error("something else than Immich answers: {0}")]
    NotImmich(ApiError),
    /// The caller knows that waiting is useless, for example because the unit failed.
    #[error("{0}")]
    GivenUp(String),
}

fn without_progress(waited: Duration, standstill: Duration) -> String {
    if standstill < waited {
        format!(", the last {}s without progress", standstill.as_secs())
    } else {
        String::new()
    }
}

/// How to see that Immich gets on although it does not answer yet, as it does for minutes or hours
/// while it migrates its database.
pub struct ProgressProbe<'a> {
    /// How often to look.
    pub every: Duration,
    /// Looks: `true` when something moved since the last look. [`changes`] makes one of anything
    /// that can be compared.
    pub look: &'a mut dyn FnMut() -> bool,
}

/// Progress as the change of what `look` gives: for example the cursor of the unit's last line in
/// the journal, or where the database's log of writes ends. `None` (it cannot be told now) is no
/// progress, nor is what was seen first.
///
/// A server that systemd starts over and over also writes lines and rows. Count its restarts, too,
/// and end the waiting by them.
pub fn changes<T: PartialEq>(mut look: impl FnMut() -> Option<T>) -> impl FnMut() -> bool {
    let mut before = None;
    move || {
        let Some(now) = look() else { return false };
        let moved = before.as_ref().is_some_and(|before| *before != now);
        before = Some(now);
        moved
    }
}

/// Waits until Immich works, asking every half second.
///
/// `on_progress` is told what is being waited for and since when, once per try; with
/// [`ControlFlow::Break`] it ends the waiting for the given reason.
///
/// # Errors
/// When `timeout` passes, when something else answers, or when `on_progress` ends it.
pub fn wait_until_ready(
    client: &Client,
    timeout: Duration,
    on_progress: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
) -> Result<ServerState, NotReady> {
    let mut probe = ProgressProbe {
        every: timeout,
        look: &mut || false,
    };
    wait_while_progressing(client, timeout, &mut probe, on_progress)
}

/// As [`wait_until_ready`], but `timeout` is counted from the last progress that the probe saw: a
/// migration that gets on is waited for as long as it takes.
///
/// # Errors
/// As [`wait_until_ready`].
pub fn wait_while_progressing(
    client: &Client,
    timeout: Duration,
    probe: &mut ProgressProbe,
    on_try: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
) -> Result<ServerState, NotReady> {
    const PAUSE: Duration = Duration::from_millis(500);
    let start = Instant::now();
    let mut moved = start;
    // The first look only tells what the next ones are compared with.
    let mut looked = start;
    (probe.look)();
    loop {
        let last = match ServerState::ask(client) {
            Ok(state) => return Ok(state),
            Err(error) => error,
        };
        let waiting = match last.status() {
            None if last.is_unreachable() => Waiting::Server,
            // A proxy before Immich answers 502 to 504 while Immich itself is not there yet.
            Some(502..=504) => Waiting::Server,
            Some(500) => Waiting::Database,
            _ => return Err(NotReady::NotImmich(last)),
        };
        let waited = start.elapsed();
        if let ControlFlow::Break(reason) = on_try(&waiting, waited) {
            return Err(NotReady::GivenUp(reason));
        }
        let late = moved.elapsed() + PAUSE > timeout;
        // Never given up without a last look.
        if late || looked.elapsed() >= probe.every {
            looked = Instant::now();
            if (probe.look)() {
                moved = looked;
            } else if late {
                return Err(NotReady::Timeout {
                    waiting,
                    waited,
                    standstill: moved.elapsed().min(waited),
                    last: Box::new(last),
                });
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// How Immich stands right now, without waiting; `None` when it does not work.
#[must_use]
pub fn state(client: &Client) -> Option<ServerState> {
    ServerState::ask(client).ok()
}

#[cfg(test)]
mod tests;
