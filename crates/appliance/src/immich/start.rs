//! Starting Immich, and waiting until it is truly ready.

use std::ops::ControlFlow;
use std::time::Duration;

use appliance_drive::layout;
use appliance_immich::database::Contents;
use appliance_immich::media::{BACKUPS, LIBRARY, MARKER, UPLOAD};
use appliance_immich::readiness::ServerState;
use serde::Serialize;

use super::{stop, units};
use crate::error::{FailureClass, Refused};
use crate::{Appliance, Result};

/// Immich, started.
#[derive(Debug, Serialize)]
pub struct Started {
    /// Whether anything had to be started.
    pub changed: bool,
    /// Whether Immich waits for its first user.
    pub waits_for_sign_up: bool,
    /// Where it answers.
    pub addresses: Vec<String>,
}

/// Starts Immich and waits until it is ready.
///
/// # Errors
/// When the drive is not mounted, the database does not belong to the photos, a unit does not
/// start, or Immich does not become ready.
pub fn start(appliance: &Appliance) -> Result<Started> {
    let _lock = appliance.exclusively()?;
    appliance.require_mounted("start Immich")?;
    carry_out(appliance)
}

/// Stops Immich and starts it again.
///
/// # Errors
/// As [`start`]; also when a unit does not stop.
pub fn restart(appliance: &Appliance) -> Result<Started> {
    let _lock = appliance.exclusively()?;
    appliance.require_mounted("restart Immich")?;
    stop::carry_out(appliance)?;
    carry_out(appliance)
}

/// Starts everything in order and waits until Immich is truly ready.
pub(crate) fn carry_out(appliance: &Appliance) -> Result<Started> {
    let services = &appliance.settings.services;
    refuse_other_postgresql(appliance)?;
    let mut changed = units::start(appliance, &services.database_units, None)?;
    refuse_empty_database_over_photos(appliance)?;
    changed |= units::start(appliance, &services.units, Some(&services.target))?;
    let state = wait_until_ready(appliance)?;
    Ok(Started {
        changed,
        waits_for_sign_up: matches!(state, ServerState::Uninitialized(_)),
        addresses: appliance.addresses(),
    })
}

/// PostgreSQL opens only a database of its own major version. Where another one lies on the
/// drive, it would fail, or make an empty one beside it.
fn refuse_other_postgresql(appliance: &Appliance) -> Result<()> {
    let installed = appliance.photos().installed_postgresql()?;
    let cluster = layout::postgres_cluster(&appliance.paths.mount_point)?;
    let Some(found) = cluster.needs_other_than(installed) else {
        return Ok(());
    };
    let found: Vec<String> = found.iter().map(u32::to_string).collect();
    Err(Refused::new(
        FailureClass::Refused,
        format!(
            "not starting Immich: the database on the drive belongs to PostgreSQL {}, and this \
             box has PostgreSQL {installed}",
            found.join(" and ")
        ),
        "install that version of PostgreSQL again, or recover everything onto another drive with: \
         immich-appliance recover",
    )
    .into())
}

/// A fresh database over old photos starts happily and looks as if all were lost; uploading
/// into it makes the recovery of the old one harder.
fn refuse_empty_database_over_photos(appliance: &Appliance) -> Result<()> {
    if !holds_originals(appliance) || matches!(appliance.photos().contents()?, Contents::Users(1..))
    {
        return Ok(());
    }
    Err(Refused::new(
        FailureClass::Refused,
        format!(
            "not starting Immich: {} holds photos, but the database has no users",
            appliance.paths.media.display()
        ),
        format!(
            "restore the database from a dump in {}, or recover everything with: \
             immich-appliance recover",
            BACKUPS.path(&appliance.paths.media).display()
        ),
    )
    .into())
}

/// Whether there is a photo that Immich took in: anything in a user's folder.
pub(crate) fn holds_originals(appliance: &Appliance) -> bool {
    [LIBRARY, UPLOAD]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder.path(&appliance.paths.media)).ok())
        .flatten()
        .filter_map(Result::ok)
        .any(|entry| entry.file_name() != MARKER)
}

fn wait_until_ready(appliance: &Appliance) -> Result<ServerState> {
    let server = &appliance.settings.services.server_unit;
    let shown = appliance.dialogue().wait("waiting for Immich");
    let mut looked = Duration::ZERO;
    let state = appliance.photos().wait_until_ready(
        appliance.settings.immich.ready_timeout,
        &mut units::progress(appliance, server),
        &mut |waiting, waited| {
            shown.now(&format!("waiting {waiting}, {} s", waited.as_secs()));
            // A server that has ended will not answer; asking systemd once a second is enough.
            if waited.saturating_sub(looked) > Duration::from_secs(1) {
                looked = waited;
                if units::has_ended(appliance, server) {
                    return ControlFlow::Break(format!("{server} has ended"));
                }
            }
            ControlFlow::Continue(())
        },
    );
    drop(shown);
    match state {
        Ok(ServerState::Maintenance) => Err(Refused::new(
            FailureClass::Failed,
            "Immich is in maintenance mode and serves no photos",
            "end it on Immich's web page, or with: immich-admin disable-maintenance-mode",
        )
        .into()),
        Ok(state) => Ok(state),
        Err(error) => {
            let error = error.during("Immich does not become ready");
            Err(units::with_log(appliance, error, server))
        }
    }
}
