//! The file system: checked where it asks for it, and mounted.

use std::path::Path;
use std::time::SystemTime;

use appliance_drive::filesystem::{CheckReason, Outcome, Repair, needs_check};
use appliance_drive::mount::Guard;

use crate::error::{Context as _, FailureClass, Refused};
use crate::{Appliance, Result};

/// Checks the file system if it asks for it, and mounts it.
pub(crate) fn mount(appliance: &Appliance, node: &Path) -> Result<()> {
    let disks = appliance.disks();
    let superblock = disks
        .superblock(node)
        .with_context(|| format!("cannot mount {}", node.display()))?;
    if let Some(reason) = needs_check(&superblock, SystemTime::now()) {
        check(appliance, node, reason)?;
    }
    let at = &appliance.paths.mount_point;
    if let Guard::Unsupported { why } = disks.prepare_mount_point(at)? {
        tracing::info!("the bare mount point cannot be made immutable: {why}");
    }
    Ok(disks.mount(node, at)?)
}

fn check(appliance: &Appliance, node: &Path, reason: CheckReason) -> Result<()> {
    appliance.say(format!("Checking the file system ({}) …", why(reason)));
    let check = appliance.disks().check_filesystem(node, Repair::Preen)?;
    match check.outcome {
        Outcome::Clean => Ok(()),
        Outcome::Fixed => {
            appliance.say("The file system is repaired.");
            Ok(())
        }
        Outcome::NeedsReboot | Outcome::Unfixed => Err(Refused::new(
            FailureClass::Failed,
            format!(
                "the file system on {} has errors that need a decision:\n{}",
                node.display(),
                check.output.trim()
            ),
            format!(
                "save what matters first; then run: sudo e2fsck -f {}",
                node.display()
            ),
        )
        .into()),
    }
}

fn why(reason: CheckReason) -> &'static str {
    match reason {
        CheckReason::Errors => "errors were found in it",
        CheckReason::NotClean => "it was not unmounted cleanly",
        CheckReason::JournalToReplay => "its journal has to be replayed",
        CheckReason::Mounts => "it was mounted many times since the last check",
        CheckReason::Interval => "the last check was long ago",
    }
}
