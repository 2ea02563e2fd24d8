//! The folders on the drive, their owners, and the secrets that must be in them.

use appliance_drive::layout::{self, Cluster};
use appliance_files::write_durably;

use crate::{Appliance, Result};

/// Puts the folders in order and makes the secrets that are missing.
pub(crate) fn put_in_order(appliance: &Appliance) -> Result<()> {
    let root = &appliance.paths.mount_point;
    let media = &appliance.settings.immich.media_folder;
    let owners = appliance.owners()?;
    let major = postgres_major(appliance)?;
    let adopted = layout::adopt(root, media, &owners, major)?;
    if adopted > 0 {
        appliance.say(format!(
            "The drive comes from a box with other user IDs: {adopted} files and folders now \
             belong to this box's users."
        ));
    }
    for finding in layout::create(root, media, &owners, major)? {
        tracing::info!(?finding, "put in order");
    }
    let password = appliance.paths.repository_password();
    if !password.exists() {
        let secret = appliance_secret::repository_password()?;
        write_durably(&password, secret.expose_bytes(), 0o600)?;
    }
    Ok(())
}

/// The PostgreSQL major whose cluster is used: the one that is there, else the server's.
pub(crate) fn postgres_major(appliance: &Appliance) -> Result<u32> {
    let installed = appliance.photos().installed_postgresql()?;
    match layout::postgres_cluster(&appliance.paths.mount_point)? {
        Cluster::Direct { major } => Ok(major),
        Cluster::Versioned { .. } | Cluster::None => Ok(installed),
    }
}
