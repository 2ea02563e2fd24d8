//! The mounted drive, made known to the rest of the box: PostgreSQL's folder, and the tie of
//! the mount to the disk beneath it.

use std::time::Duration;

use appliance_drive::find::Found;
use appliance_drive::{layout, mount};
use appliance_files::{create_dir_durably, remove_durably, write_durably};
use appliance_services::order;
use uuid::Uuid;

use super::{binding_target, folders, header};
use crate::{Appliance, Result};

/// How long systemd may take to notice a mount.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the mounted drive known to the box: copies of the header, PostgreSQL's folder, the tie
/// to the disk, and the drive's UUID. What cannot be written to the card now does not keep the
/// photos from being served; it is tried again by the next unlock.
pub(crate) fn attach(appliance: &Appliance, found: &Found) -> Result<()> {
    if found.encrypted {
        header::keep_copies(appliance, found)?;
    }
    let major = folders::postgres_major(appliance)?;
    let data = layout::pgdata(&appliance.paths.mount_point, major)?;
    let environment = format!("PGDATA={}\n", data.display());
    create_dir_durably(&appliance.paths.runtime, 0o755, None)?;
    write_durably(
        &appliance.paths.postgresql_environment(),
        environment.as_bytes(),
        0o644,
    )?;
    bind(appliance, found.uuid)?;
    remember(appliance, found);
    Ok(())
}

/// Remembers the drive, if the card takes it.
pub(super) fn remember(appliance: &Appliance, found: &Found) {
    if let Err(error) = appliance.remember_drive(found) {
        appliance.warn(format!(
            "cannot remember the drive on the card; the next unlock tries again: {}",
            crate::error::in_one_line(&error)
        ));
    }
}

/// Ties the mount to the disk beneath it, so that pulling the disk out stops everything that
/// uses the mount. Afterwards systemd knows the mount, and services can start on it.
fn bind(appliance: &Appliance, drive: Uuid) -> Result<()> {
    let manager = appliance.manager()?;
    let binding = mount::binding(&appliance.paths.mount_point, drive);
    if !order::wait_until_active(manager, &binding.mount, PATIENCE)? {
        tracing::warn!("systemd does not list {} as mounted", binding.mount);
    }
    // Photos that can be seen are worth more than this precaution.
    if let Err(error) = manager.start(&binding.target, PATIENCE) {
        appliance.warn(format!(
            "pulling the drive out will not stop Immich: {error}"
        ));
    }
    Ok(())
}

/// Takes back what [`attach`] made for as long as the drive is mounted.
pub(crate) fn unbind(appliance: &Appliance, drive: Uuid) -> Result<()> {
    remove_durably(&appliance.paths.postgresql_environment())?;
    // It ends by itself too, once systemd sees that the mount is gone.
    if let Err(error) = appliance
        .manager()?
        .stop(&binding_target(appliance, drive), PATIENCE)
    {
        tracing::warn!("{error}");
    }
    Ok(())
}
