//! How far the box is, and what a person decided.

use std::io;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use appliance_drive::state::DriveState;
use appliance_immich::readiness;
use serde::{Deserialize, Serialize};

use crate::cli::Stage;
use crate::context::Context;

/// The drive, as far as setting up is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// This box has none yet.
    None,
    /// It has one, which is not attached, or another one is.
    Missing,
    /// It is locked.
    Locked,
    /// It is mounted.
    Open,
}

/// How far the box is.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The drive.
    pub drive: Drive,
    /// Whether Immich answers.
    pub running: bool,
    /// Whether a repository is written down on the drive.
    pub repository: bool,
    /// Where the last good backup went.
    pub backed_up: Option<String>,
    /// Whether the Tailscale network is joined; `None` where the program is not installed.
    pub tailnet: Option<bool>,
    /// Where Immich answers.
    pub addresses: Vec<String>,
    /// The drive's UUID.
    pub uuid: Option<String>,
}

impl Facts {
    /// Looks at the box.
    pub fn gather(context: &Context) -> anyhow::Result<Self> {
        let state = context.state()?;
        let remembered = context.remembered_drive()?;
        let drive = match context.observe(None)? {
            DriveState::Mounted { .. } => Drive::Open,
            DriveState::Locked(_) | DriveState::Unlocked { .. } => Drive::Locked,
            _ if remembered.is_some() => Drive::Missing,
            _ => Drive::None,
        };
        Ok(Self {
            running: readiness::state(&context.immich()?).is_some(),
            repository: drive == Drive::Open && context.repository_address_file().exists(),
            backed_up: state.last_good_backup.map(|good| good.repository),
            tailnet: tailnet(),
            addresses: context.addresses(),
            uuid: remembered.map(|uuid| uuid.to_string()),
            drive,
        })
    }

    /// The state in one or two lines.
    pub fn in_words(&self) -> String {
        let drive = match self.drive {
            Drive::None => "no drive yet",
            Drive::Missing => "the drive is not attached",
            Drive::Locked => "the drive is locked",
            Drive::Open => "the drive is open",
        };
        let backup = match &self.backed_up {
            Some(repository) => format!("backed up to {repository}"),
            None => "no backup yet".into(),
        };
        let immich = match self.addresses.first().filter(|_| self.running) {
            Some(address) => format!("Immich is at {address}"),
            None => "Immich is not running".into(),
        };
        format!("{immich}; {drive}; {backup}.")
    }
}

/// Whether the Tailscale network is joined.
fn tailnet() -> Option<bool> {
    let output = Command::new("tailscale")
        .args(["status", "--json"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Some(status["BackendState"] == "Running")
}

/// What a person decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noted {
    /// The stages left out.
    pub skipped: Vec<Stage>,
    /// Whether the sheet is kept.
    pub kit: bool,
}

/// Name of the file in the folder of what the box remembers.
const FILE: &str = "setup.json";

impl Noted {
    /// Reads it; nothing is noted at first.
    pub fn load(context: &Context) -> anyhow::Result<Self> {
        let path = context.settings.state.directory.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged: remove it", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it down.
    pub fn save(&self, context: &Context) -> anyhow::Result<()> {
        context.make_state_folder()?;
        let path = context.settings.state.directory.join(FILE);
        appliance_files::write_durably(&path, &serde_json::to_vec_pretty(self)?, 0o600)?;
        Ok(())
    }
}
