//! The way into a tailnet: a plan of steps from where the machine stands, and what tailscaled's
//! notifications mean on the way. Both are pure.

use std::time::Duration;

use crate::localapi::{BackendState, Notify, PrefsEdit};
use crate::standing::{Standing, TAILSCALE, TailnetState, same_server, server};
use crate::{Result, TailnetError};

/// A server that does not answer may be a network that is not up yet: for so long it is waited.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnrollWish {
    /// The control server. `None`: the one it is enrolled with, or else Tailscale's own.
    pub server: Option<String>,
    /// The name in the tailnet. `None`: as it is.
    pub hostname: Option<String>,
    /// The tags, as `tag:name`. Empty: as they are.
    pub tags: Vec<String>,
}

impl EnrollWish {
    /// Checks what a person typed. Tags may be given without `tag:`.
    ///
    /// # Errors
    /// [`TailnetError::Invalid`] with a sentence that says what is wrong.
    pub fn new(server: Option<&str>, hostname: Option<&str>, tags: &[String]) -> Result<Self> {
        Ok(Self {
            server: server.map(valid_server).transpose()?,
            hostname: hostname.map(valid_hostname).transpose()?,
            tags: tags
                .iter()
                .map(|tag| valid_tag(tag))
                .collect::<Result<_>>()?,
        })
    }
}

fn valid_server(given: &str) -> Result<String> {
    let wrong = || {
        TailnetError::Invalid(format!(
            "{given:?} is no address of a control server; one looks like https://headscale.example"
        ))
    };
    let url = url::Url::parse(given).map_err(|_| wrong())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() || !plain {
        return Err(wrong());
    }
    Ok(given.trim_end_matches('/').to_owned())
}

fn valid_hostname(given: &str) -> Result<String> {
    let good = (1..=63).contains(&given.len())
        && given
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !given.starts_with('-')
        && !given.ends_with('-');
    if good {
        Ok(given.to_ascii_lowercase())
    } else {
        Err(TailnetError::Invalid(format!(
            "{given:?} is no hostname: letters, digits and hyphens, at most 63"
        )))
    }
}

fn valid_tag(given: &str) -> Result<String> {
    let name = given.strip_prefix("tag:").unwrap_or(given);
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        Ok(format!("tag:{name}"))
    } else {
        Err(TailnetError::Invalid(format!(
            "{given:?} is no tag: letters, digits and hyphens, beginning with a letter"
        )))
    }
}

/// One step. The order matters: with the server set while the connection is still off, no other
/// server than this one is ever spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrollStep {
    /// Change preferences.
    Set(PrefsEdit),
    /// Start the connection to the control server anew, with the auth key if there is one.
    Start,
    /// Switch the connection on. Without it, tailscaled does not say why a login fails.
    Run,
    /// Begin a login.
    Login,
}

/// The steps from where the machine stands to where it was asked to be. Empty: it is there, or
/// only has to be waited for.
///
/// # Errors
/// [`TailnetError::OtherServer`]: leaving a tailnet is never a step on the way into another.
pub fn plan(standing: &Standing, wanted: &EnrollWish) -> Result<Vec<EnrollStep>> {
    let enrolled = standing.state.is_enrolled() || standing.state == TailnetState::NeedsApproval;
    let known = enrolled || standing.state == TailnetState::KeyExpired;
    if let (true, Some(other)) = (known, &wanted.server)
        && !same_server(&standing.server, other)
    {
        return Err(TailnetError::OtherServer {
            current: standing.server.clone(),
            wanted: other.clone(),
        });
    }
    let mut edit = PrefsEdit {
        hostname: wanted
            .hostname
            .clone()
            .filter(|name| *name != standing.hostname),
        advertise_tags: Some(wanted.tags.clone())
            .filter(|tags| !tags.is_empty() && !same_tags(tags, &standing.tags)),
        ..PrefsEdit::default()
    };
    let retagged = edit.advertise_tags.is_some();
    if !known {
        edit.control_url = Some(server(wanted.server.as_deref().unwrap_or(TAILSCALE)));
        // A name or tags of an attempt before are not what is asked for now.
        edit.hostname = wanted.hostname.clone();
        edit.advertise_tags = Some(wanted.tags.clone());
    }
    let mut steps = Vec::new();
    if !edit.is_empty() {
        steps.push(EnrollStep::Set(edit));
    }
    match standing.state {
        TailnetState::Connected | TailnetState::Connecting | TailnetState::NeedsApproval
            if retagged =>
        {
            // The server learns of tags by a new registration with the key that is there.
            steps.extend([EnrollStep::Start, EnrollStep::Run]);
        }
        TailnetState::Connected | TailnetState::Connecting | TailnetState::NeedsApproval => {}
        TailnetState::Off if retagged => steps.extend([EnrollStep::Start, EnrollStep::Run]),
        TailnetState::Off => steps.push(EnrollStep::Run),
        TailnetState::NotEnrolled | TailnetState::LoginWaits { .. } | TailnetState::KeyExpired => {
            steps.extend([EnrollStep::Start, EnrollStep::Run, EnrollStep::Login]);
        }
    }
    Ok(steps)
}

fn same_tags(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|tag| other.contains(tag))
}

/// What a notification means to who waits.
#[derive(Debug)]
pub enum LoginSign {
    /// Nothing yet.
    Nothing,
    /// A person has to open this link.
    Link(String),
    /// An administrator has to approve the machine.
    NeedsApproval,
    /// It is done.
    Connected,
    /// It will not succeed.
    Failed(TailnetError),
}

/// Reads tailscaled's notifications while it is waited for. Times are counted from the start.
#[derive(Debug)]
pub struct LoginWatch {
    server: String,
    with_key: bool,
    link: Option<String>,
    needs_approval: bool,
    /// Since when the login fails, and why.
    trouble: Option<(Duration, String)>,
}

impl LoginWatch {
    /// For a login at this server.
    #[must_use]
    pub fn new(server: &str, with_key: bool) -> Self {
        Self {
            server: server.to_owned(),
            with_key,
            link: None,
            needs_approval: false,
            trouble: None,
        }
    }

    /// Takes a notification.
    pub fn take(&mut self, now: Duration, notify: &Notify) -> LoginSign {
        if let Some(reason) = notify.err_message.as_deref().filter(|it| !it.is_empty()) {
            return LoginSign::Failed(self.refused(reason));
        }
        if let Some(health) = &notify.health {
            self.trouble = health.login_error().filter(|it| is_failure(it)).map(|why| {
                let since = self.trouble.as_ref().map_or(now, |(since, _)| *since);
                (since, why.to_owned())
            });
        }
        match notify.state {
            Some(BackendState::Running) => return LoginSign::Connected,
            Some(BackendState::NeedsMachineAuth) if !self.needs_approval => {
                self.needs_approval = true;
                return LoginSign::NeedsApproval;
            }
            _ => {}
        }
        // With a key, a link can only be one that was left from before.
        let link = notify.browse_to_url.as_deref().filter(|it| !it.is_empty());
        match link {
            Some(link) if !self.with_key => {
                // It is the server's, so the server answers.
                self.trouble = None;
                if self.link.as_deref() == Some(link) {
                    return LoginSign::Nothing;
                }
                self.link = Some(link.to_owned());
                LoginSign::Link(link.to_owned())
            }
            _ => LoginSign::Nothing,
        }
    }

    /// What has failed for too long by now, if anything.
    #[must_use]
    pub fn overdue(&self, now: Duration) -> Option<TailnetError> {
        let (since, why) = self.trouble.as_ref()?;
        if now.saturating_sub(*since) < PATIENCE {
            return None;
        }
        let server = self.server.clone();
        let reason = why.clone();
        Some(match register_status(why) {
            // A server that is overloaded says nothing of a key.
            Some(408 | 429) | None => TailnetError::NoControlServer { server, reason },
            Some(400..=499) => self.refused(why),
            Some(_) => TailnetError::LoginRefused { server, reason },
        })
    }

    /// What to say when it took too long.
    #[must_use]
    pub fn timed_out(&self, after: Duration, health: &[String]) -> TailnetError {
        let server = self.server.clone();
        match (&self.trouble, &self.link) {
            (Some((_, reason)), _) => TailnetError::NoControlServer {
                server,
                reason: reason.clone(),
            },
            _ if self.needs_approval => TailnetError::NeedsApproval { server },
            (None, Some(link)) => TailnetError::NobodyLoggedIn {
                link: link.clone(),
                after,
            },
            (None, None) => TailnetError::NotConnected {
                after,
                reason: health.join("; "),
            },
        }
    }

    fn refused(&self, reason: &str) -> TailnetError {
        let server = self.server.clone();
        let reason = reason.to_owned();
        if self.with_key {
            let expired = reason.to_ascii_lowercase().contains("expired");
            TailnetError::AuthKeyRefused {
                server,
                reason,
                expired,
            }
        } else {
            TailnetError::LoginRefused { server, reason }
        }
    }
}

/// The HTTP status by which the server answered a registration; `None` where it did not answer.
/// (tailscaled writes both with the same beginning: `register request: http 401: …` and
/// `register request: Post "https://…": …`.)
fn register_status(reason: &str) -> Option<u16> {
    let status = reason.strip_prefix("register request: http ")?;
    status.split(':').next()?.trim().parse().ok()
}

/// A login that was given up for a newer one is no failure.
fn is_failure(reason: &str) -> bool {
    !reason.contains("context canceled")
}

#[cfg(test)]
mod tests;
