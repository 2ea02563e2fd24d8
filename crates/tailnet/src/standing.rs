//! What tailscaled's answers mean: how this machine stands with its tailnet.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use url::Url;

use crate::localapi::{BackendState, Prefs, Status};

/// Tailscale's own control server.
pub const TAILSCALE: &str = "https://controlplane.tailscale.com";

/// How this machine stands with its tailnet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// How far it is.
    #[serde(flatten)]
    pub state: TailnetState,
    /// The control server.
    pub server: String,
    /// The tailnet's name; `None` while there is none.
    pub tailnet: Option<String>,
    /// Its name in MagicDNS, without a dot at the end.
    pub name: Option<String>,
    /// The name that it asks for.
    pub hostname: String,
    /// Its addresses in the tailnet.
    pub addresses: Vec<IpAddr>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When its key expires; `None` for never.
    pub key_expiry: Option<Timestamp>,
    /// The name that it can have a certificate for.
    pub certificate_name: Option<String>,
    /// What tailscaled says is not well.
    pub health: Vec<String>,
    /// tailscaled's version.
    pub version: String,
}

/// How far this machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TailnetState {
    /// In no tailnet.
    NotEnrolled,
    /// A person has to open a link.
    LoginWaits {
        /// The link.
        link: String,
    },
    /// An administrator of the tailnet has to approve it.
    NeedsApproval,
    /// Enrolled, and its key has expired.
    KeyExpired,
    /// Enrolled, and switched off.
    Off,
    /// Enrolled, and on its way.
    Connecting,
    /// Reached by its tailnet.
    Connected,
}

impl TailnetState {
    /// In a word or two, for people.
    #[must_use]
    pub fn text(&self) -> &'static str {
        match self {
            Self::NotEnrolled => "not enrolled",
            Self::LoginWaits { .. } => "waits for a person to log in",
            Self::NeedsApproval => "waits for approval",
            Self::KeyExpired => "key expired",
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
        }
    }

    /// Whether it has a valid place in a tailnet, connected or not.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        matches!(self, Self::Off | Self::Connecting | Self::Connected)
    }
}

/// How urgent a key's expiry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "key")]
pub enum KeyAge {
    /// It does not expire, or not soon.
    Fine,
    /// It expires in so many whole days.
    Soon {
        /// Whole days that are left.
        days: i64,
    },
    /// It has expired.
    Expired,
}

impl Standing {
    /// From tailscaled's answers.
    #[must_use]
    pub fn of(status: &Status, prefs: &Prefs) -> Self {
        let this = &status.this;
        let name = this.dns_name.trim_end_matches('.');
        Self {
            state: state(status),
            server: server(&prefs.control_url),
            tailnet: status
                .current_tailnet
                .as_ref()
                .map(|tailnet| tailnet.magic_dns_suffix.clone())
                .filter(|suffix| !suffix.is_empty()),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            hostname: if prefs.hostname.is_empty() {
                this.hostname.clone()
            } else {
                prefs.hostname.clone()
            },
            addresses: this.addresses.clone(),
            tags: if this.tags.is_empty() {
                prefs.advertise_tags.clone()
            } else {
                this.tags.clone()
            },
            key_expiry: this.key_expiry,
            certificate_name: status.cert_domains.first().cloned(),
            health: status.health.clone(),
            version: status.version.clone(),
        }
    }

    /// How urgent the key's expiry is, warned of `days` before.
    #[must_use]
    pub fn key_age(&self, now: Timestamp, days: u32) -> KeyAge {
        if self.state == TailnetState::KeyExpired {
            return KeyAge::Expired;
        }
        if !self.state.is_enrolled() {
            return KeyAge::Fine;
        }
        let Some(expiry) = self.key_expiry else {
            return KeyAge::Fine;
        };
        let left = expiry.duration_since(now);
        if left <= SignedDuration::ZERO {
            KeyAge::Expired
        } else if left < SignedDuration::from_hours(24 * i64::from(days)) {
            KeyAge::Soon {
                days: left.as_hours() / 24,
            }
        } else {
            KeyAge::Fine
        }
    }
}

fn state(status: &Status) -> TailnetState {
    match status.backend_state {
        BackendState::Running => TailnetState::Connected,
        BackendState::Stopped => TailnetState::Off,
        BackendState::NeedsMachineAuth => TailnetState::NeedsApproval,
        BackendState::Starting => TailnetState::Connecting,
        // Expired first: a link may wait as well, and "expired" is what went wrong.
        _ if status.have_node_key && status.this.expired => TailnetState::KeyExpired,
        _ if !status.auth_url.is_empty() => TailnetState::LoginWaits {
            link: status.auth_url.clone(),
        },
        BackendState::NoState if status.have_node_key => TailnetState::Connecting,
        _ => TailnetState::NotEnrolled,
    }
}

/// The control server's address as it is shown: empty stands for Tailscale's own.
#[must_use]
pub fn server(control_url: &str) -> String {
    if control_url.is_empty() {
        TAILSCALE.to_owned()
    } else {
        control_url.trim_end_matches('/').to_owned()
    }
}

/// Whether two addresses are of the same control server.
#[must_use]
pub fn same_server(one: &str, other: &str) -> bool {
    let parsed = |address: &str| {
        let address = server(address);
        // Its address of before, which still stands in old preferences.
        let address = match address.as_str() {
            "https://login.tailscale.com" => TAILSCALE.to_owned(),
            _ => address,
        };
        Url::parse(&address)
            .map(|url| url.to_string())
            .unwrap_or(address)
    };
    parsed(one) == parsed(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_server_is_known_in_other_spellings() {
        assert!(same_server("", TAILSCALE));
        assert!(same_server("https://login.tailscale.com", ""));
        assert!(same_server(
            "https://Head.Example:443/",
            "https://head.example"
        ));
        assert!(!same_server("https://head.example", "http://head.example"));
        assert!(!same_server("https://head.example", ""));
    }

    #[test]
    fn a_key_is_told_of_before_it_expires_and_once_it_has() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut standing = Standing::of(
            &Status {
                backend_state: BackendState::Running,
                ..Status::default()
            },
            &Prefs::default(),
        );
        assert_eq!(standing.key_age(now, 14), KeyAge::Fine);
        for (expiry, age) in [
            ("2026-01-16T00:00:00Z", KeyAge::Fine),
            ("2026-01-14T23:59:59Z", KeyAge::Soon { days: 13 }),
            ("2026-01-01T00:00:01Z", KeyAge::Soon { days: 0 }),
            ("2026-01-01T00:00:00Z", KeyAge::Expired),
        ] {
            standing.key_expiry = Some(expiry.parse().unwrap());
            assert_eq!(standing.key_age(now, 14), age, "{expiry}");
        }
    }

    #[test]
    fn a_machine_in_no_tailnet_has_no_key_to_warn_of() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut standing = Standing::of(&Status::default(), &Prefs::default());
        standing.key_expiry = Some("2025-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(standing.state, TailnetState::NotEnrolled);
        assert_eq!(standing.key_age(now, 14), KeyAge::Fine);
    }
}
