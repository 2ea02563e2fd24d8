//! `lock`

use appliance_drive::holders::holders;
use appliance_drive::luks::{self, Removal};
use appliance_drive::mount;
use appliance_drive::state::DriveState;

use crate::cli::Lock;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::{Report, Said};
use crate::steps::{open, services};

/// Stops Immich, unmounts the drive and closes it.
pub fn run(context: &Context, arguments: &Lock) -> anyhow::Result<Box<dyn Report>> {
    let _lock = if arguments.gone {
        match context.exclusively_unless_held()? {
            Some(lock) => lock,
            None => {
                return Ok(Said::already(
                    "another run is at work, and clears away as well",
                ));
            }
        }
    } else {
        context.exclusively()?
    };
    match context.observe(None)? {
        DriveState::Gone { .. } => {
            open::clear_gone(context)?;
            Ok(Said::done("what the unplugged drive left behind is cleared away"))
        }
        _ if arguments.gone => Ok(Said::already("no unplugged drive left anything behind")),
        DriveState::Absent(_) | DriveState::Locked(_) => {
            services::stop(context)?;
            Ok(Said::already("the drive is locked already"))
        }
        DriveState::Unlocked { .. } => {
            luks::deactivate(context.mapper(), Removal::Now)?;
            Ok(Said::done("the drive is locked"))
        }
        DriveState::Mounted { found, .. } => {
            services::stop(context)?;
            unmount(context)?;
            open::unbind(context, found.uuid)?;
            if found.encrypted {
                luks::deactivate(context.mapper(), Removal::Now)?;
                Ok(Said::done(format!("the drive {} is locked", found.device.path.display())))
            } else {
                Ok(Said::done(format!("the drive {} is unmounted; it is not encrypted", found.device.path.display())))
            }
        }
        DriveState::Occupied { by } => Err(Refused::new(
            Exit::Refused,
            format!("cannot lock the drive: {by} stands in its place, and this tool did not put it there"),
            format!("unmount it: umount {}", context.mount_point().display()),
        )
        .into()),
    }
}

/// Unmounts, or says who still holds files.
fn unmount(context: &Context) -> anyhow::Result<()> {
    match mount::unmount(&context.system, context.mount_point()) {
        Err(mount::MountError::Busy { path }) => {
            let held: Vec<String> = holders(&path)?
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
                Exit::Refused,
                format!(
                    "cannot unmount {}: files are held by {}",
                    path.display(),
                    held.join(", ")
                ),
                "close these programs (a shell in that folder counts), then immich-appliance lock",
            )
            .into())
        }
        other => Ok(other?),
    }
}
