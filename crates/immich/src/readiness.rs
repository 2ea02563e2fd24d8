//! Waiting until Immich truly works.
//!
//! `/api/server/ping` answers even with the database gone; `/api/server/config` does not.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::api::{Client, Error, ServerConfig};

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// For the server's process to answer.
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
pub enum State {
    /// It works, and an admin exists.
    Ready(ServerConfig),
    /// It works, but no admin exists. Right for a new box; over old media it means that the
    /// database is a fresh one and the old must be restored before anyone signs up.
    Uninitialized(ServerConfig),
    /// Only the maintenance page is served; `immich-admin disable-maintenance-mode` ends that.
    Maintenance(ServerConfig),
}

impl State {
    /// From the public settings.
    #[must_use]
    pub fn of(config: ServerConfig) -> Self {
        if config.maintenance_mode {
            Self::Maintenance(config)
        } else if config.is_initialized {
            Self::Ready(config)
        } else {
            Self::Uninitialized(config)
        }
    }
}

/// Why Immich did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It took too long.
    #[error("waited {}s {waiting}: {last}", waited.as_secs())]
    Timeout {
        /// What was still missing.
        waiting: Waiting,
        /// How long was waited.
        waited: Duration,
        /// The last answer.
        last: Box<Error>,
    },
    /// Something that is not Immich answers at its address.
    #[error("something else than Immich answers: {0}")]
    NotImmich(Error),
    /// The caller knows that waiting is useless, for example because the unit failed.
    #[error("{0}")]
    GivenUp(String),
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
) -> Result<State, NotReady> {
    const PAUSE: Duration = Duration::from_millis(500);
    let start = Instant::now();
    loop {
        let last = match client.config() {
            Ok(config) => return Ok(State::of(config)),
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
        if let ControlFlow::Break(reason) = on_progress(&waiting, waited) {
            return Err(NotReady::GivenUp(reason));
        }
        if waited + PAUSE > timeout {
            return Err(NotReady::Timeout {
                waiting,
                waited,
                last: Box::new(last),
            });
        }
        std::thread::sleep(PAUSE);
    }
}

/// How Immich stands right now, without waiting; `None` when it does not work.
#[must_use]
pub fn state(client: &Client) -> Option<State> {
    client.config().ok().map(State::of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const CONFIG: &str = r#"{"isInitialized":INIT,"isOnboarded":true,"maintenanceMode":MAINT,"externalDomain":"","trashDays":30}"#;

    /// Gives each answer once, to one connection each.
    fn serving(answers: Vec<(u16, String)>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Client::new(&format!("http://{address}")).unwrap()
    }

    fn config(initialized: bool, maintenance: bool) -> (u16, String) {
        let body = CONFIG
            .replace("INIT", &initialized.to_string())
            .replace("MAINT", &maintenance.to_string());
        (200, body)
    }

    fn wait(client: &Client, seen: &mut Vec<Waiting>) -> Result<State, NotReady> {
        wait_until_ready(client, Duration::from_secs(30), &mut |waiting, _| {
            seen.push(waiting.clone());
            ControlFlow::Continue(())
        })
    }

    #[test]
    fn a_server_without_its_database_is_waited_for_until_it_works() {
        let down = (
            500,
            r#"{"message":"Internal server error","statusCode":500}"#.to_owned(),
        );
        let client = serving(vec![down.clone(), down, config(true, false)]);
        let mut seen = Vec::new();
        let state = wait(&client, &mut seen).unwrap();
        assert!(matches!(state, State::Ready(_)));
        assert_eq!(seen, [Waiting::Database, Waiting::Database]);
    }

    #[test]
    fn a_fresh_database_is_not_called_ready() {
        let client = serving(vec![config(false, false)]);
        let state = wait(&client, &mut Vec::new()).unwrap();
        assert!(matches!(state, State::Uninitialized(_)));
    }

    #[test]
    fn maintenance_mode_is_not_called_ready() {
        let client = serving(vec![config(true, true)]);
        let state = wait(&client, &mut Vec::new()).unwrap();
        assert!(matches!(state, State::Maintenance(_)));
    }

    #[test]
    fn another_server_is_not_waited_for() {
        for answer in [(200, "<html>".to_owned()), (404, String::new())] {
            let client = serving(vec![answer]);
            let error = wait(&client, &mut Vec::new()).unwrap_err();
            assert!(matches!(error, NotReady::NotImmich(_)), "{error}");
        }
    }

    #[test]
    fn the_caller_can_end_the_waiting() {
        let client = serving(vec![]);
        let error = wait_until_ready(&client, Duration::from_secs(600), &mut |_, _| {
            ControlFlow::Break("the unit failed".into())
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "the unit failed");
    }

    #[test]
    fn a_time_limit_says_what_was_missing() {
        let down = (500, "{}".to_owned());
        let client = serving(vec![down]);
        let error = wait_until_ready(&client, Duration::ZERO, &mut |_, _| {
            ControlFlow::Continue(())
        })
        .unwrap_err();
        assert!(
            matches!(
                error,
                NotReady::Timeout {
                    waiting: Waiting::Database,
                    ..
                }
            ),
            "{error}"
        );
    }
}
