use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{BackendState, null_as_default};

/// One notification of tailscaled's bus. What is `None` has not changed.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Notify {
    /// Something failed that a person should know of: for example, what the control server says
    /// to an auth key.
    pub err_message: Option<String>,
    /// The state of the connection.
    #[serde(deserialize_with = "state")]
    pub state: Option<BackendState>,
    /// The link of a login.
    #[serde(rename = "BrowseToURL")]
    pub browse_to_url: Option<String>,
    /// What is not well.
    pub health: Option<Health>,
}

/// What is not well, in [`Notify`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// Each by its code.
    #[serde(deserialize_with = "null_as_default")]
    pub warnings: BTreeMap<String, Warning>,
}

/// One thing that is not well, in [`Health`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Warning {
    /// For people.
    pub text: String,
    /// Its particulars.
    #[serde(deserialize_with = "null_as_default")]
    pub args: BTreeMap<String, String>,
}

impl Health {
    /// Why the last login did not succeed, in tailscaled's words.
    #[must_use]
    pub fn login_error(&self) -> Option<&str> {
        let warning = self.warnings.get("login-state")?;
        warning
            .args
            .get("error")
            .map(String::as_str)
            .filter(|error| !error.is_empty())
    }
}

/// What the first notification is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InitialNotify {
    /// The state, and the link of a login that waits.
    pub state: bool,
    /// What is not well.
    pub health: bool,
}

impl InitialNotify {
    /// As tailscaled's options of the watch.
    pub(super) fn mask(self) -> u64 {
        const STATE: u64 = 1 << 1;
        const HEALTH: u64 = 1 << 7;
        (if self.state { STATE } else { 0 }) | (if self.health { HEALTH } else { 0 })
    }
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BackendState>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.map(BackendState::from_number))
}
