//! `unlock`

use appliance::drive::unlock::{UnlockOptions, Unlocked, unlock};
use appliance_terminal::{Report, Said, Told};

use super::start;
use crate::answers::Answers;
use crate::cli::Unlock;
use crate::run::Run;

/// Unlocks and mounts the drive; with --start, starts Immich as well.
pub fn run(run: &Run, arguments: &Unlock) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.answered(Answers::default().passphrase(&arguments.passphrase));
    let options = UnlockOptions {
        drive: arguments.drive.wanted(),
        start: arguments.start,
        unencrypted_only: arguments.unencrypted_only,
    };
    Ok(match unlock(&appliance, &options)? {
        Some(unlocked) => Box::new(Told::new(unlocked, text)),
        None => Said::already("no unencrypted drive is attached; nothing to do at boot"),
    })
}

pub(super) fn text(unlocked: &Unlocked) -> String {
    let drive = format!(
        "The drive {} is {}mounted at {}.",
        unlocked.device.display(),
        if unlocked.changed {
            "unlocked and "
        } else {
            "already "
        },
        unlocked.mounted_at.display()
    );
    match &unlocked.started {
        None => format!("{drive}\nNext: immich-appliance start"),
        Some(started) => format!("{drive}\n{}", start::text(started)),
    }
}
