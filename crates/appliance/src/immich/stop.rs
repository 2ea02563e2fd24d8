//! Stopping Immich; the drive stays unlocked.

use appliance_services::order;

use super::{BACKUP_SERVICE, units};
use crate::{Appliance, Result};

/// Stops Immich. Tells whether anything ran.
///
/// # Errors
/// When a unit does not stop in time.
pub fn stop(appliance: &Appliance) -> Result<bool> {
    let _lock = appliance.exclusively()?;
    carry_out(appliance)
}

/// Stops everything, last started first. A backup by the timer is stopped first: it holds
/// files, and the next one goes on where it stopped. Tells whether anything ran.
pub(crate) fn carry_out(appliance: &Appliance) -> Result<bool> {
    let services = &appliance.settings.services;
    let manager = appliance.manager()?;
    let backup = manager.state(BACKUP_SERVICE)?;
    let ran = !backup.active.is_down();
    if ran {
        appliance.say("Stopping the backup that is in progress …");
        manager.stop(BACKUP_SERVICE, services.stop_timeout)?;
    }
    let stopped = order::stop_all(
        manager,
        &services.units,
        Some(&services.target),
        services.stop_timeout,
        &mut |step| units::tell(appliance, step),
    )?;
    Ok(ran || stopped)
}
