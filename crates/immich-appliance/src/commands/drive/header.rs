//! `drive header …`

use appliance_drive::inspect::{self, Consented, Content};
use appliance_drive::luks::{self, Overwrite};

use super::passphrase::Encrypted;
use crate::cli::{HeaderBackup, HeaderRestore};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::{Report, Said};
use crate::steps::open;

/// Writes a copy of the header into a file.
pub fn backup(context: &Context, arguments: &HeaderBackup) -> anyhow::Result<Box<dyn Report>> {
    let drive = Encrypted::find(context, &arguments.drive)?;
    if arguments.file.exists() {
        return Err(Refused::new(
            Exit::Refused,
            format!("{} exists already", arguments.file.display()),
            "name another file, or remove this one first",
        )
        .into());
    }
    luks::header_backup(&drive.path, &arguments.file)?;
    Ok(Said::done(format!(
        "the header of {} is in {}; whoever has this file and a passphrase can open the drive, \
         even after that passphrase was removed",
        drive.path.display(),
        arguments.file.display()
    )))
}

/// Puts a copy of the header back onto the drive.
pub fn restore(context: &Context, arguments: &HeaderRestore) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    open::nothing_is_open(context, "restore a header")?;
    let device = inspect::device(&context.system, &arguments.device.to_string_lossy())?;
    if let Some(refusal) = inspect::refusal(&device) {
        return Err(refusal.into());
    }
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => kept_copy(context, &device.content)?,
    };
    let backup = luks::info(&file)?;
    let overwrite = match &device.content {
        // The same drive's header, only older or damaged: nothing of another drive is lost.
        Content::Luks { uuid, .. } if *uuid == backup.uuid => Overwrite::SameDrive,
        _ => Overwrite::Anything,
    };
    context.ui.consent(
        &device.name,
        arguments.destruction.erase.as_deref(),
        &format!(
            "The header on {} will be replaced by that of drive {} from {}. If the device is not \
             that drive, nothing on it can be read any more.",
            device.path.display(),
            backup.uuid,
            file.display()
        ),
    )?;
    let consented = Consented::to(&context.system, &device)?;
    luks::header_restore(&consented, &file, overwrite)?;
    Ok(Said::done(format!(
        "the header of {} is restored from {}",
        device.path.display(),
        file.display()
    )))
}

/// The copy that this box keeps: of the header on the device, or of the remembered drive
/// when the header is too damaged to say whose it is.
fn kept_copy(context: &Context, content: &Content) -> anyhow::Result<std::path::PathBuf> {
    let uuid = match content {
        Content::Luks { uuid, .. } => Some(*uuid),
        _ => context.remembered_drive()?,
    };
    uuid.map(|uuid| context.header_backup_file(uuid))
        .filter(|file| file.exists())
        .ok_or_else(|| {
            Refused::new(
                Exit::Usage,
                "this box keeps no copy of that header",
                "name the file that drive header backup wrote; another copy is in the backups, \
                 under secrets/luks-header.img",
            )
            .into()
        })
}
