//! `unlock`

use std::path::PathBuf;

use appliance_drive::state::DriveState;
use serde::Serialize;

use crate::cli::Unlock;
use crate::context::Context;
use crate::report::{Report, Said};
use crate::secrets;
use crate::steps::services::Started;
use crate::steps::{open, services};

#[derive(Debug, Serialize)]
struct Unlocked {
    device: PathBuf,
    uuid: String,
    mounted_at: PathBuf,
    changed: bool,
    started: Option<Started>,
}

/// Unlocks and mounts the drive; with --start, starts Immich as well.
pub fn run(context: &Context, arguments: &Unlock) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    let wanted = Context::wanted(&arguments.drive);
    let state = context.observe(wanted.as_ref())?;
    if arguments.unencrypted_only && !needs_no_passphrase(&state) {
        return Ok(Said::already(
            "no unencrypted drive is attached; nothing to do at boot",
        ));
    }
    let source = if needs_no_passphrase(&state) {
        // Never asked: there is no header to open.
        appliance_secret::Source::Prompt
    } else {
        secrets::passphrase_source(context.ui, &arguments.passphrase)?
    };
    let (found, changed) = open::open(context, state, &source)?;
    let started = arguments
        .start
        .then(|| services::start(context))
        .transpose()?;
    Ok(Box::new(Unlocked {
        device: found.device.path,
        uuid: found.uuid.to_string(),
        mounted_at: context.mount_point().to_owned(),
        changed,
        started,
    }))
}

/// Whether the drive can be brought up without a passphrase: it is open, or has no header.
fn needs_no_passphrase(state: &DriveState) -> bool {
    match state {
        DriveState::Unlocked { .. } | DriveState::Mounted { .. } => true,
        DriveState::Locked(found) => !found.encrypted,
        // Errors come before questions.
        DriveState::Absent(_) | DriveState::Occupied { .. } => true,
        DriveState::Gone { .. } => false,
    }
}

impl Report for Unlocked {
    fn text(&self) -> String {
        let drive = format!(
            "The drive {} is {}mounted at {}.",
            self.device.display(),
            if self.changed {
                "unlocked and "
            } else {
                "already "
            },
            self.mounted_at.display()
        );
        match &self.started {
            None => format!("{drive}\nNext: immich-appliance start"),
            Some(started) => format!("{drive}\n{}", started.text()),
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
