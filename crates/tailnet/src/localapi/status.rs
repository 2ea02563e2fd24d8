use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::null_as_default;

/// `GET status`: how this node stands.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Status {
    /// tailscaled's version.
    pub version: String,
    /// The state of its connection.
    pub backend_state: BackendState,
    /// Whether it has a key of a tailnet, valid or not: it was enrolled once.
    pub have_node_key: bool,
    /// The link of a login that waits for a person; empty when there is none.
    #[serde(rename = "AuthURL")]
    pub auth_url: String,
    /// This node.
    #[serde(rename = "Self", deserialize_with = "null_as_default")]
    pub this: SelfNode,
    /// What is not well, in sentences.
    #[serde(deserialize_with = "null_as_default")]
    pub health: Vec<String>,
    /// The tailnet; `None` while it is not known.
    pub current_tailnet: Option<TailnetStatus>,
    /// The names that this node can have certificates for; empty where the tailnet gives none.
    #[serde(deserialize_with = "null_as_default")]
    pub cert_domains: Vec<String>,
}

/// This node, in [`Status`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SelfNode {
    /// The name that it asks for.
    #[serde(rename = "HostName")]
    pub hostname: String,
    /// Its name in MagicDNS, with a dot at the end.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// Its addresses in the tailnet.
    #[serde(rename = "TailscaleIPs", deserialize_with = "null_as_default")]
    pub addresses: Vec<IpAddr>,
    /// Its tags, as the control server has them.
    #[serde(deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// Whether the control server sees it.
    pub online: bool,
    /// Whether its key has expired.
    pub expired: bool,
    /// When its key expires; `None` for never.
    pub key_expiry: Option<Timestamp>,
}

/// The tailnet, in [`Status`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TailnetStatus {
    /// Its name.
    pub name: String,
    /// What its names end in.
    #[serde(rename = "MagicDNSSuffix")]
    pub magic_dns_suffix: String,
    /// Whether its names are answered.
    #[serde(rename = "MagicDNSEnabled")]
    pub magic_dns_enabled: bool,
}

/// The state of tailscaled's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BackendState {
    /// Not known yet: tailscaled has only just begun.
    #[default]
    NoState,
    /// Another user of this machine has it.
    InUseOtherUser,
    /// A person has to log in.
    NeedsLogin,
    /// An administrator of the tailnet has to approve this machine.
    NeedsMachineAuth,
    /// Enrolled, and switched off.
    Stopped,
    /// On its way.
    Starting,
    /// Connected.
    Running,
    /// One that a later tailscaled has.
    #[serde(other)]
    Unknown,
}

impl BackendState {
    /// From the number in a notification.
    pub(super) fn from_number(number: u64) -> Self {
        match number {
            0 => Self::NoState,
            1 => Self::InUseOtherUser,
            2 => Self::NeedsLogin,
            3 => Self::NeedsMachineAuth,
            4 => Self::Stopped,
            5 => Self::Starting,
            6 => Self::Running,
            _ => Self::Unknown,
        }
    }
}
