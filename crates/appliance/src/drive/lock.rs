//! Locking the drive: Immich stopped, the drive unmounted and closed; also after it was pulled
//! out.

use std::path::PathBuf;

use appliance_drive::mount::{Detached, MountError};
use appliance_drive::state::DriveState;

use super::binding;
use crate::error::{FailureClass, Refused};
use crate::immich::stop;
use crate::{Appliance, Result};

/// What [`lock`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// The drive was mounted or open, and is locked now.
    Now {
        /// Its device.
        device: PathBuf,
        /// Whether it is encrypted: if not, it is only unmounted.
        encrypted: bool,
    },
    /// It was locked, or not attached.
    Already,
    /// It was unplugged, and what it left behind is cleared away.
    ClearedAway,
    /// No unplugged drive left anything behind.
    NothingLeft,
    /// Another run is at work, and clears away as well.
    AnotherRunDoes,
}

/// Stops Immich, unmounts the drive and closes it. With `gone`, only clears away after a drive
/// that was unplugged.
///
/// # Errors
/// When something cannot be stopped, or someone holds files on the drive.
pub fn lock(appliance: &Appliance, gone: bool) -> Result<Locked> {
    let _lock = if gone {
        match appliance.exclusively_unless_held()? {
            Some(lock) => lock,
            None => return Ok(Locked::AnotherRunDoes),
        }
    } else {
        appliance.exclusively()?
    };
    match appliance.observe(None)? {
        DriveState::Gone { .. } => {
            clear_gone(appliance)?;
            Ok(Locked::ClearedAway)
        }
        _ if gone => Ok(Locked::NothingLeft),
        DriveState::Absent(_) | DriveState::Locked(_) => {
            stop::carry_out(appliance)?;
            Ok(Locked::Already)
        }
        DriveState::Unlocked { found, .. } => {
            if found.encrypted {
                appliance.disks().deactivate(appliance.mapper())?;
            }
            Ok(Locked::Now {
                device: found.device.path,
                encrypted: found.encrypted,
            })
        }
        DriveState::Mounted { found, .. } => {
            stop::carry_out(appliance)?;
            unmount(appliance)?;
            binding::unbind(appliance, found.uuid)?;
            if found.encrypted {
                appliance.disks().deactivate(appliance.mapper())?;
            }
            Ok(Locked::Now {
                device: found.device.path,
                encrypted: found.encrypted,
            })
        }
        DriveState::Occupied { by } => Err(Refused::new(
            FailureClass::Refused,
            format!("cannot lock the drive: its place is taken by {by}, which is not the drive"),
            format!(
                "unmount it: umount {}",
                appliance.paths.mount_point.display()
            ),
        )
        .into()),
    }
}

/// Unmounts, or says who still holds files.
fn unmount(appliance: &Appliance) -> Result<()> {
    let disks = appliance.disks();
    let path = match disks.unmount(&appliance.paths.mount_point) {
        Err(MountError::Busy { path }) => path,
        other => return Ok(other?),
    };
    let held: Vec<String> = disks
        .holders(&path)?
        .iter()
        .map(|holder| {
            format!(
                "{} (process {}, {})",
                holder.command,
                holder.pid,
                holder.path.display()
            )
        })
        .collect();
    Err(Refused::new(
        FailureClass::Refused,
        format!(
            "cannot unmount {}: files are in use by {}",
            path.display(),
            held.join(", ")
        ),
        "close these programs (a shell in that folder counts), then run: immich-appliance lock",
    )
    .into())
}

/// Clears away what an unplugged drive left behind.
pub(crate) fn clear_gone(appliance: &Appliance) -> Result<Detached> {
    appliance.say("The drive was unplugged while it was in use; cleaning up …");
    stop::carry_out(appliance)?;
    Ok(appliance
        .disks()
        .detach(&appliance.paths.mount_point, appliance.mapper())?)
}
