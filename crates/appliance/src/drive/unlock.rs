//! Opening the drive: from whatever state it is in to mounted, in order, and known to the rest
//! of the box.

use std::path::{Path, PathBuf};

use appliance_drive::find::{Found, Wanted};
use appliance_drive::luks::LuksError;
use appliance_drive::state::DriveState;
use appliance_secret::Secret;
use serde::Serialize;

use super::{binding, filesystem, folders, lock, refuse_unfinished};
use crate::dialogue::Question;
use crate::error::{FailureClass, Refused};
use crate::immich::start::{self, Started};
use crate::{Appliance, Result};

/// How a drive is unlocked.
#[derive(Debug, Clone, Default)]
pub struct UnlockOptions {
    /// Which drive; `None` for this box's own.
    pub drive: Option<Wanted>,
    /// Start Immich afterwards and wait until it is ready.
    pub start: bool,
    /// Only unlock a drive that needs no passphrase, and otherwise do nothing: for the boot.
    pub unencrypted_only: bool,
}

/// What [`unlock`] did.
#[derive(Debug, Serialize)]
pub struct Unlocked {
    /// The drive's device.
    pub device: PathBuf,
    /// The UUID of its header, or of its file system.
    pub uuid: String,
    /// Where it is mounted.
    pub mounted_at: PathBuf,
    /// Whether anything had to be done.
    pub changed: bool,
    /// Immich, if it was to be started.
    pub started: Option<Started>,
}

/// Unlocks and mounts the drive, and starts Immich where that is asked for. `None` where nothing
/// is to be done at boot.
///
/// # Errors
/// [`FailureClass`] has one for each reason that a drive cannot be opened.
pub fn unlock(appliance: &Appliance, options: &UnlockOptions) -> Result<Option<Unlocked>> {
    let _lock = appliance.exclusively()?;
    let state = appliance.observe(options.drive.as_ref())?;
    if options.unencrypted_only && !needs_no_passphrase(&state) {
        return Ok(None);
    }
    let (found, changed) = open(appliance, state)?;
    let started = options
        .start
        .then(|| start::carry_out(appliance))
        .transpose()?;
    Ok(Some(Unlocked {
        device: found.device.path,
        uuid: found.uuid.to_string(),
        mounted_at: appliance.paths.mount_point.clone(),
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

/// Brings the drive from `state` to mounted and in order. Tells whether anything had to be done.
pub(crate) fn open(appliance: &Appliance, state: DriveState) -> Result<(Found, bool)> {
    match state {
        DriveState::Absent(error) => Err(error.into()),
        DriveState::Occupied { by } => Err(Refused::new(
            FailureClass::Refused,
            format!("cannot unlock the drive: its place is taken by {by}"),
            format!(
                "unmount it: umount {}",
                appliance.paths.mount_point.display()
            ),
        )
        .into()),
        DriveState::Gone { .. } => {
            lock::clear_gone(appliance)?;
            match appliance.observe(None)? {
                DriveState::Gone { .. } => Err(Refused::new(
                    FailureClass::Failed,
                    "what the unplugged drive left behind could not be cleaned up",
                    "restart the box, then run: immich-appliance unlock --start",
                )
                .into()),
                state => open(appliance, state),
            }
        }
        DriveState::Locked(found) => {
            refuse_unfinished(appliance, &found)?;
            let mapper = appliance.mapper();
            open_header(appliance, &found.device.path)?;
            let node = appliance.disks().mapper_node(mapper);
            bring_up(appliance, found, &node)
        }
        DriveState::Unlocked { found, node } => {
            refuse_unfinished(appliance, &found)?;
            bring_up(appliance, found, &node)
        }
        DriveState::Mounted { found, .. } => {
            folders::put_in_order(appliance)?;
            binding::attach(appliance, &found)?;
            Ok((found, false))
        }
    }
}

fn bring_up(appliance: &Appliance, found: Found, node: &Path) -> Result<(Found, bool)> {
    filesystem::mount(appliance, node)?;
    folders::put_in_order(appliance)?;
    binding::attach(appliance, &found)?;
    Ok((found, true))
}

/// Opens the LUKS header with a passphrase that is asked for.
fn open_header(appliance: &Appliance, device: &Path) -> Result<()> {
    let disks = appliance.disks();
    let needed = disks.header(device)?.memory_needed_kib();
    let free = disks.memory_available_kib()?;
    if needed > free {
        appliance.warn(format!(
            "opening {} needs {} MiB of memory, and {} MiB are free; if it fails, stop other \
             programs, or open the drive on a machine with more memory and change its passphrase \
             there",
            device.display(),
            needed / 1024,
            free / 1024
        ));
    }
    let question = Question::Passphrase {
        device: device.to_owned(),
        what: format!("Passphrase of {}", device.display()),
    };
    ask_until_it_opens(appliance, device, &question, |passphrase| {
        disks.activate(device, appliance.mapper(), passphrase.as_slice())
    })
}

/// Asks for a passphrase until it opens, as often as the configuration allows. What does not
/// come from a person is the same the next time.
pub(crate) fn ask_until_it_opens<T>(
    appliance: &Appliance,
    device: &Path,
    question: &Question,
    mut open: impl FnMut(&Secret) -> Result<T, LuksError>,
) -> Result<T> {
    for left in (0..appliance.settings.drive.unlock_tries).rev() {
        let answer = appliance.dialogue().secret(question)?;
        match open(&answer.secret) {
            Ok(opened) => return Ok(opened),
            Err(LuksError::WrongPassphrase { .. }) if left > 0 && answer.may_differ_next_time => {
                appliance.say(format!(
                    "That passphrase does not open the drive; {left} more {}.",
                    if left == 1 { "try" } else { "tries" }
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    // At least one try is configured, and the last one returns.
    Err(LuksError::WrongPassphrase {
        device: device.to_owned(),
    }
    .into())
}
