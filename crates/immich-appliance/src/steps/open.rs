//! Opening the drive: from whatever state it is in to mounted, in order, and known to
//! the rest of the box.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use appliance_drive::filesystem::{self, Outcome, Repair};
use appliance_drive::find::Found;
use appliance_drive::layout::{self, Cluster};
use appliance_drive::luks::{self, LuksError};
use appliance_drive::mount::{self, Guard};
use appliance_drive::state::DriveState;
use appliance_secret::Source;
use appliance_services::{Manager as _, order};
use uuid::Uuid;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::secrets;

/// How long udev and systemd may take to notice a disk or a mount.
const PATIENCE: Duration = Duration::from_secs(10);
/// The environment of PostgreSQL: where its cluster lies.
const POSTGRESQL_ENVIRONMENT: &str = "postgresql.env";

/// Brings the drive from `state` to mounted and in order. Tells whether anything had to
/// be done.
pub fn open(
    context: &Context,
    state: DriveState,
    passphrase: &Source,
) -> anyhow::Result<(Found, bool)> {
    match state {
        DriveState::Absent(error) => Err(error.into()),
        DriveState::Occupied { by } => Err(Refused::new(
            Exit::Refused,
            format!("cannot unlock the drive: {by} stands in the way"),
            "immich-appliance lock",
        )
        .into()),
        DriveState::Gone { .. } => {
            clear_gone(context)?;
            match context.observe(None)? {
                DriveState::Gone { .. } => Err(Refused::new(
                    Exit::Failed,
                    "what is left of the unplugged drive could not be cleared away",
                    "restart the box, then immich-appliance unlock --start",
                )
                .into()),
                state => open(context, state, passphrase),
            }
        }
        DriveState::Locked(found) => {
            not_unfinished(&found)?;
            unlock(context, &found.device.path, passphrase)?;
            bring_up(context, found, context.mapper_node())
        }
        DriveState::Unlocked { found, node } => {
            not_unfinished(&found)?;
            bring_up(context, found, node)
        }
        DriveState::Mounted { found, .. } => {
            put_in_order(context)?;
            attach(context, &found.device.path, found.uuid, found.encrypted)?;
            Ok((found, false))
        }
    }
}

fn bring_up(context: &Context, found: Found, node: PathBuf) -> anyhow::Result<(Found, bool)> {
    mount(context, &node)?;
    put_in_order(context)?;
    attach(context, &found.device.path, found.uuid, found.encrypted)?;
    Ok((found, true))
}

fn not_unfinished(found: &Found) -> anyhow::Result<()> {
    if found.encrypted && luks::info(&found.device.path)?.unfinished() {
        return Err(appliance_drive::find::FindError::Unfinished {
            device: found.device.path.clone(),
            uuid: found.uuid,
        }
        .into());
    }
    Ok(())
}

/// Opens the LUKS header. A person has as many tries as the configuration says; a file
/// does not change between two tries.
pub fn unlock(context: &Context, device: &Path, source: &Source) -> anyhow::Result<()> {
    let ui = context.ui;
    let needed = luks::info(device)?.memory_needed_kib();
    let free = luks::memory_available_kib()?;
    if needed > free {
        ui.warn(format!(
            "opening {} asks for {} MiB of memory, and {} MiB are free; if it fails, stop other \
             programs or open it on a larger machine and change the passphrase here",
            device.display(),
            needed / 1024,
            free / 1024
        ));
    }
    let tries = if source.is_interactive() {
        context.unlock_tries()
    } else {
        1
    };
    let question = format!("Passphrase of {}: ", device.display());
    for left in (0..tries).rev() {
        let passphrase = secrets::obtain(ui, source, &question)?;
        match luks::activate(device, context.mapper(), passphrase.as_slice()) {
            Ok(_) => return Ok(()),
            Err(LuksError::WrongPassphrase { .. }) if left > 0 => {
                ui.say(format!(
                    "That passphrase does not open it; {left} more {}.",
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

/// Checks the file system if it asks for it, and mounts it.
pub fn mount(context: &Context, node: &Path) -> anyhow::Result<()> {
    let ui = context.ui;
    let superblock =
        filesystem::superblock(node).with_context(|| format!("cannot mount {}", node.display()))?;
    if let Some(reason) = filesystem::needs_check(&superblock, SystemTime::now()) {
        ui.say(format!("Checking the file system ({}) …", why(reason)));
        let check = filesystem::check(node, Repair::Preen)?;
        match check.outcome {
            Outcome::Clean => {}
            Outcome::Fixed => ui.say("The file system was mended."),
            Outcome::NeedsReboot | Outcome::Unfixed => {
                return Err(Refused::new(
                    Exit::Failed,
                    format!(
                        "the file system on {} has errors that need a decision:\n{}",
                        node.display(),
                        check.output.trim()
                    ),
                    format!(
                        "save what matters first; then: sudo e2fsck -f {}",
                        node.display()
                    ),
                )
                .into());
            }
        }
    }
    if let Guard::Unsupported { why } = mount::prepare(&context.system, context.mount_point())? {
        tracing::info!("the bare mount point cannot be made immutable: {why}");
    }
    mount::mount(&context.system, node, context.mount_point())?;
    Ok(())
}

fn why(reason: filesystem::CheckReason) -> &'static str {
    match reason {
        filesystem::CheckReason::Errors => "errors were seen in it",
        filesystem::CheckReason::NotClean => "it was not unmounted in order",
        filesystem::CheckReason::JournalToReplay => "its journal holds changes to be replayed",
        filesystem::CheckReason::Mounts => "it was mounted often since the last check",
        filesystem::CheckReason::Interval => "the last check was long ago",
    }
}

/// Puts the folders in order and makes the secrets that are missing.
pub fn put_in_order(context: &Context) -> anyhow::Result<()> {
    let root = context.mount_point();
    let owners = context.owners()?;
    let major = postgres_major(context)?;
    let adopted = layout::adopt(root, &owners, major)?;
    if adopted > 0 {
        context.ui.say(format!(
            "The drive comes from a box with other user numbers: {adopted} files and folders now \
             belong to this one's."
        ));
    }
    for finding in layout::create(root, &owners, major)? {
        tracing::info!(?finding, "mended");
    }
    let password = context.repository_password_file();
    if !password.exists() {
        let secret = appliance_secret::repository_password()?;
        appliance_files::write_durably(&password, secret.expose_bytes(), 0o600)?;
    }
    Ok(())
}

/// The PostgreSQL major whose cluster is used: the one that is there, else the server's.
pub fn postgres_major(context: &Context) -> anyhow::Result<u32> {
    let installed = context.installed_postgresql()?;
    match layout::postgres_cluster(context.mount_point())? {
        Cluster::Direct { major } => Ok(major),
        Cluster::Versioned { .. } | Cluster::None => Ok(installed),
    }
}

/// Makes the mounted drive known to the box: header backups, PostgreSQL's folder, the
/// binding of the mount to the disk, and the drive's UUID.
pub fn attach(context: &Context, device: &Path, uuid: Uuid, encrypted: bool) -> anyhow::Result<()> {
    if encrypted {
        context.make_state_folder()?;
        // One beside the drive for a damaged header, one that travels in the backups.
        for file in [
            context.header_backup_file(uuid),
            context.header_backup_on_drive(),
        ] {
            if !file.exists() {
                luks::header_backup(device, &file)?;
            }
        }
    }
    let data = layout::pgdata(context.mount_point(), postgres_major(context)?)?;
    let environment = format!("PGDATA={}\n", data.display());
    appliance_files::create_dir_durably(context.runtime_directory(), 0o755, None)?;
    appliance_files::write_durably(
        &context.runtime_directory().join(POSTGRESQL_ENVIRONMENT),
        environment.as_bytes(),
        0o644,
    )?;
    bind(context, uuid)?;
    context.remember_drive(uuid)
}

/// Ties the mount to the disk beneath it, so that pulling the disk out stops everything
/// that uses the mount. Afterwards systemd knows the mount, and services can start on it.
fn bind(context: &Context, uuid: Uuid) -> anyhow::Result<()> {
    let systemd = context.systemd()?;
    let binding = mount::binding(context.mount_point(), uuid);
    if !order::wait_until_active(systemd, &binding.mount, PATIENCE)? {
        tracing::warn!("systemd does not list {} as mounted", binding.mount);
    }
    // Photos that can be seen are worth more than this precaution.
    if let Err(error) = systemd.start(&binding.target, PATIENCE) {
        context.ui.warn(format!(
            "pulling the drive out will not stop Immich: {error}"
        ));
    }
    Ok(())
}

/// Clears away what an unplugged drive left behind.
pub fn clear_gone(context: &Context) -> anyhow::Result<mount::Detached> {
    context
        .ui
        .say("The drive was unplugged while it was in use; clearing away what it left …");
    super::services::stop(context)?;
    Ok(mount::detach(
        &context.system,
        context.mount_point(),
        context.mapper(),
    )?)
}

/// Refuses while a drive is open: making another one would take its name and its place.
pub fn nothing_is_open(context: &Context, doing: &str) -> anyhow::Result<()> {
    match context.observe(None)? {
        DriveState::Absent(_) | DriveState::Locked(_) => Ok(()),
        DriveState::Unlocked { found, .. } if !found.encrypted => Ok(()),
        DriveState::Gone { .. } => clear_gone(context).map(|_| ()),
        DriveState::Unlocked { .. } | DriveState::Mounted { .. } | DriveState::Occupied { .. } => {
            Err(Refused::new(
                Exit::Refused,
                format!("cannot {doing}: a drive is open"),
                "immich-appliance lock",
            )
            .into())
        }
    }
}

/// Takes back what [`attach`] made for as long as the drive is mounted.
pub fn unbind(context: &Context, uuid: Uuid) -> anyhow::Result<()> {
    appliance_files::remove_durably(&context.runtime_directory().join(POSTGRESQL_ENVIRONMENT))?;
    let binding = mount::binding(context.mount_point(), uuid);
    // It ends by itself too, once systemd sees that the mount is gone.
    if let Err(error) = context.systemd()?.stop(&binding.target, PATIENCE) {
        tracing::warn!("{error}");
    }
    Ok(())
}
