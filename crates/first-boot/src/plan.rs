//! From settings to steps: pure, so that every case can be tested without a box.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::network::{self, Stack};
use crate::{Settings, Tailnet};

/// One thing to be done. Doing it twice is doing it once.
#[derive(Debug, Clone)]
pub enum FirstBootStep {
    /// The box's name.
    Hostname(String),
    /// A name from the time zone database.
    TimeZone(String),
    /// A UTF-8 locale.
    Locale(String),
    /// Those who may sign in by key.
    AuthorizedKeys(Vec<String>),
    /// The hash of the administrator's password.
    Password(SecretString),
    /// A file that the network's own service reads.
    NetworkFile(NetworkFile),
    /// The country whose radio rules hold.
    RadioCountry(String),
    /// What joins a Tailscale network takes this from here.
    Tailnet(Tailnet),
}

/// A file of the network's configuration.
#[derive(Debug, Clone)]
pub struct NetworkFile {
    /// Where, without the leading slash.
    pub path: PathBuf,
    /// What it holds.
    pub content: SecretString,
    /// Its mode: closed where it holds a key.
    pub mode: u32,
    /// What it is for, in words.
    pub what: &'static str,
}

/// Why settings cannot be carried out on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing that would read the network's files.
    #[error(
        "this box has neither NetworkManager nor systemd-networkd, so `{0}` cannot be carried out"
    )]
    NoNetwork(&'static str),
    /// systemd-networkd does not do Wi-Fi.
    #[error("this box has no NetworkManager, which `wifi` needs")]
    NoWifi,
}

/// What has to be done, in the order in which it is done: first what lets somebody in, so that a
/// box whose later steps fail can be reached.
///
/// # Errors
/// [`PlanError`]: before anything was changed.
pub fn plan(settings: &Settings, stack: Option<Stack>) -> Result<Vec<FirstBootStep>, PlanError> {
    let mut steps = Vec::new();
    if !settings.ssh_keys.is_empty() {
        steps.push(FirstBootStep::AuthorizedKeys(settings.ssh_keys.clone()));
    }
    steps.extend(settings.password_hash.clone().map(FirstBootStep::Password));
    steps.extend(settings.hostname.clone().map(FirstBootStep::Hostname));
    steps.extend(
        network::files(settings, stack)?
            .into_iter()
            .map(FirstBootStep::NetworkFile),
    );
    let country = settings.wifi.as_ref().and_then(|wifi| wifi.country.clone());
    steps.extend(country.map(FirstBootStep::RadioCountry));
    steps.extend(settings.time_zone.clone().map(FirstBootStep::TimeZone));
    steps.extend(settings.locale.clone().map(FirstBootStep::Locale));
    steps.extend(settings.tailscale.clone().map(FirstBootStep::Tailnet));
    Ok(steps)
}

impl FirstBootStep {
    /// What it does, for the record; never a secret.
    pub fn title(&self) -> String {
        match self {
            FirstBootStep::Hostname(name) => format!("the name {name}"),
            FirstBootStep::TimeZone(zone) => format!("the time zone {zone}"),
            FirstBootStep::Locale(locale) => format!("the locale {locale}"),
            FirstBootStep::AuthorizedKeys(keys) => match keys.len() {
                1 => "one public key".into(),
                count => format!("{count} public keys"),
            },
            FirstBootStep::Password(_) => "the administrator's password".into(),
            FirstBootStep::NetworkFile(file) => file.what.into(),
            FirstBootStep::RadioCountry(country) => format!("the radio rules of {country}"),
            FirstBootStep::Tailnet(_) => "the key to join the Tailscale network".into(),
        }
    }
}
