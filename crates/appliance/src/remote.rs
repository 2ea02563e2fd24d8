//! The box in its Tailscale network.

mod enroll;

use appliance_tailnet::localapi::LocalApi;
use appliance_tailnet::standing::{KeyAge, Standing, TailnetState};
use appliance_tailnet::{Tailnet, TailnetError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

pub use enroll::{Disabled, EnrollOptions, Enrolled, disable, enroll};

use crate::{Appliance, Error, Result};

/// The command that brings the box (back) into the network.
pub const ENROLL: &str = "immich-appliance remote enroll";

/// How the box is reached through its Tailscale network.
#[derive(Debug, Serialize)]
pub struct Remote {
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Immich's address in the network, if it is shared.
    pub immich: Option<String>,
    /// How urgent the key's expiry is.
    #[serde(flatten)]
    pub key: KeyAge,
}

/// tailscaled on this box.
fn tailnet(appliance: &Appliance) -> Result<Tailnet> {
    let socket = &appliance.settings.remote.tailscale_socket;
    Ok(Tailnet::new(LocalApi::new(socket))?)
}

/// The web server that is shared: Immich itself, on this machine.
pub(crate) fn target(appliance: &Appliance) -> &str {
    &appliance.settings.immich.url
}

/// So many days before the key expires it is warned of.
pub(crate) fn warning_days(appliance: &Appliance) -> u32 {
    appliance.settings.remote.key_warning_days
}

/// How the box stands in its Tailscale network. Changes nothing.
///
/// # Errors
/// When tailscaled does not run, or does not answer.
pub fn look(appliance: &Appliance) -> Result<Remote> {
    let tailnet = tailnet(appliance)?;
    let standing = tailnet.standing()?;
    // What is served belongs to a place in a network.
    let immich = match standing.state {
        TailnetState::NotEnrolled | TailnetState::LoginWaits { .. } => None,
        _ => tailnet.shared(target(appliance))?,
    };
    Ok(Remote {
        key: standing.key_age(Timestamp::now(), warning_days(appliance)),
        standing,
        immich,
    })
}

/// The same; `None` where tailscaled does not run: not every box has it.
///
/// # Errors
/// When tailscaled runs and does not answer.
pub fn look_if_there(appliance: &Appliance) -> Result<Option<Remote>> {
    match look(appliance) {
        Err(Error::Tailnet(TailnetError::LocalApi(error))) if error.is_not_running() => Ok(None),
        other => other.map(Some),
    }
}

impl Remote {
    /// Whether the box is in a network.
    pub fn is_joined(&self) -> bool {
        self.standing.state.is_enrolled()
    }

    /// What is wrong with the key, or soon will be.
    pub fn key_trouble(&self) -> Option<String> {
        let when = self.standing.key_expiry.map(day).unwrap_or_default();
        match self.key {
            KeyAge::Fine => None,
            KeyAge::Expired => Some(
                "the box's key in the Tailscale network has expired: nobody can reach it remotely"
                    .into(),
            ),
            KeyAge::Soon { days: 0 } => Some(format!(
                "the box's key in the Tailscale network expires within a day, on {when}"
            )),
            KeyAge::Soon { days } => Some(format!(
                "the box's key in the Tailscale network expires in {days} days, on {when}"
            )),
        }
    }

    /// One line for `status`; nothing to say of a box that is in no network.
    pub fn line(&self) -> Option<String> {
        let standing = &self.standing;
        let mut line = standing.state.text().to_owned();
        match standing.state {
            TailnetState::NotEnrolled => return None,
            TailnetState::Connected => {
                if let Some(address) = self.immich.as_ref().or(standing.name.as_ref()) {
                    line += &format!(": {address}");
                }
            }
            _ => {}
        }
        if let (Some(trouble), false) = (
            self.key_trouble(),
            standing.state == TailnetState::KeyExpired,
        ) {
            line += &format!("; WARNING: {trouble}");
        }
        Some(line)
    }

    /// The one command that helps most now.
    pub fn next(&self) -> Option<String> {
        match &self.standing.state {
            TailnetState::NotEnrolled | TailnetState::Off => Some(ENROLL.into()),
            TailnetState::LoginWaits { link } => {
                Some(format!("open {link}, or start again: {ENROLL}"))
            }
            TailnetState::NeedsApproval => Some(APPROVE.into()),
            TailnetState::KeyExpired => Some(ENROLL.into()),
            TailnetState::Connecting => None,
            TailnetState::Connected if self.key != KeyAge::Fine => Some(KEEP.into()),
            TailnetState::Connected if self.immich.is_none() => Some(ENROLL.into()),
            TailnetState::Connected => None,
        }
    }
}

/// What an administrator has to do.
pub const APPROVE: &str =
    "approve the machine in the admin console of the network (Machines, its menu, Approve)";
/// What keeps a box from expiring.
pub const KEEP: &str = "in the admin console, turn off key expiry for this machine (Machines, its \
     menu, Disable key expiry); or renew the key once it has expired: immich-appliance remote \
     enroll";

/// A day as people write it, in the box's time zone.
pub fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d")
        .to_string()
}

#[cfg(test)]
mod tests {
    use appliance_tailnet::standing::Standing;

    use super::*;

    fn remote(state: TailnetState, key: KeyAge) -> Remote {
        Remote {
            standing: Standing {
                state,
                server: "https://headscale.example".into(),
                hostname: "immich".into(),
                name: Some("immich.family.test".into()),
                addresses: Vec::new(),
                tags: Vec::new(),
                key_expiry: Some("2030-01-02T12:00:00Z".parse().unwrap()),
                tailnet: None,
                certificate_name: None,
                version: String::new(),
                health: Vec::new(),
            },
            immich: Some("http://immich.family.test".into()),
            key,
        }
    }

    #[test]
    fn the_line_of_status_warns_before_the_key_expires_and_says_so_after() {
        let fine = remote(TailnetState::Connected, KeyAge::Fine)
            .line()
            .unwrap();
        assert!(fine.ends_with(": http://immich.family.test"), "{fine}");
        let soon = remote(TailnetState::Connected, KeyAge::Soon { days: 5 }).line();
        let soon = soon.unwrap();
        assert!(soon.starts_with(&fine), "{soon}");
        assert!(soon.contains("WARNING") && soon.contains("in 5 days, on 2030-01-02"));
        let expired = remote(TailnetState::KeyExpired, KeyAge::Expired)
            .line()
            .unwrap();
        assert_eq!(expired, TailnetState::KeyExpired.text());
        assert_eq!(remote(TailnetState::NotEnrolled, KeyAge::Fine).line(), None);
    }
}
