//! The LUKS header: copies of it, and its return.

use std::path::{Path, PathBuf};

use appliance_drive::find::{Found, Wanted};
use appliance_drive::inspect::{self, Content};
use appliance_drive::luks::Overwrite;
use serde::Serialize;
use uuid::Uuid;

use super::{Encrypted, nothing_is_open};
use crate::dialogue::Consent;
use crate::error::{FailureClass, Refused};
use crate::{Appliance, Result};

/// A header that was copied into a file.
#[derive(Debug, Serialize)]
pub struct HeaderCopied {
    /// The drive's device.
    pub device: PathBuf,
    /// The file.
    pub file: PathBuf,
}

/// Writes a copy of the header into a file that must not exist yet.
///
/// # Errors
/// When there is no encrypted drive, or the file exists or cannot be written.
pub fn backup(appliance: &Appliance, wanted: Option<&Wanted>, file: &Path) -> Result<HeaderCopied> {
    let drive = Encrypted::find(appliance, wanted)?;
    if file.exists() {
        return Err(Refused::new(
            FailureClass::Refused,
            format!("{} exists already", file.display()),
            "name another file, or remove this one first",
        )
        .into());
    }
    appliance.disks().header_backup(&drive.path, file)?;
    Ok(HeaderCopied {
        device: drive.path,
        file: file.to_owned(),
    })
}

/// What [`restore`] puts back.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The device whose header is replaced.
    pub device: PathBuf,
    /// The copy; `None` for the one that this box keeps.
    pub file: Option<PathBuf>,
}

/// Puts a copy of the header back onto the drive.
///
/// # Errors
/// When a drive is open, the device must not be touched, there is no copy, or without consent.
pub fn restore(appliance: &Appliance, options: &RestoreOptions) -> Result<HeaderCopied> {
    let _lock = appliance.exclusively()?;
    nothing_is_open(appliance, "restore a header")?;
    let disks = appliance.disks();
    let device = disks.device(&options.device.to_string_lossy())?;
    if let Some(refusal) = inspect::refusal(&device) {
        return Err(refusal.into());
    }
    let file = match &options.file {
        Some(file) => file.clone(),
        None => kept_copy(appliance, &device.content)?,
    };
    let copy = disks.header(&file)?;
    let overwrite = match &device.content {
        // The same drive's header, only older or damaged: nothing of another drive is lost.
        Content::Luks { uuid, .. } if *uuid == copy.uuid => Overwrite::SameDrive,
        _ => Overwrite::Anything,
    };
    let held = disks.hold(&device)?;
    appliance.dialogue().consent(&Consent {
        name: &device.name,
        what_is_lost: &format!(
            "The header on {} will be replaced by that of drive {} from {}. If the device is not \
             that drive, nothing on it will be readable any more.",
            device.path.display(),
            copy.uuid,
            file.display()
        ),
    })?;
    disks.header_restore(&held, &file, overwrite)?;
    Ok(HeaderCopied {
        device: device.path,
        file,
    })
}

/// The copy that this box keeps: of the header on the device, or of the remembered drive when
/// the header is too damaged to say whose it is.
fn kept_copy(appliance: &Appliance, content: &Content) -> Result<PathBuf> {
    let uuid = match content {
        Content::Luks { uuid, .. } => Some(*uuid),
        _ => appliance.remembered_drive()?,
    };
    uuid.map(|uuid| appliance.paths.header(uuid))
        .filter(|file| file.exists())
        .ok_or_else(|| {
            Refused::new(
                FailureClass::Usage,
                "this box has no copy of that header",
                "give the file that drive header backup wrote; another copy is in the backups, at \
                 secrets/luks-header.img",
            )
            .into()
        })
}

/// Makes the copies that are missing: one beside the drive for a damaged header, one that
/// travels in the backups. A card that takes no file does not keep the drive from being opened.
pub(super) fn keep_copies(appliance: &Appliance, found: &Found) -> Result<()> {
    let disks = appliance.disks();
    let travelling = appliance.paths.header_on_drive();
    if !travelling.exists() {
        disks.header_backup(&found.device.path, &travelling)?;
    }
    let kept = appliance.paths.header(found.uuid);
    if kept.exists() {
        return Ok(());
    }
    let copied = appliance
        .make_state_folder()
        .and_then(|()| Ok(disks.header_backup(&found.device.path, &kept)?));
    if let Err(error) = copied {
        appliance.warn(format!(
            "cannot keep a copy of the drive's header on the card: {}",
            crate::error::in_one_line(&error)
        ));
    }
    Ok(())
}

/// Makes both copies anew, after the header changed: an old one would bring a removed passphrase
/// back.
pub(super) fn renew_copies(appliance: &Appliance, device: &Path, drive: Uuid) -> Result<()> {
    appliance.make_state_folder()?;
    let mut files = vec![appliance.paths.header(drive)];
    if appliance.is_mounted_drive(drive)? {
        files.push(appliance.paths.header_on_drive());
    }
    for file in files {
        appliance.disks().header_backup(device, &file)?;
    }
    Ok(())
}

impl Appliance {
    /// Whether this drive is the one that is mounted.
    fn is_mounted_drive(&self, drive: Uuid) -> Result<bool> {
        use appliance_drive::state::DriveState;
        Ok(matches!(
            self.observe(None)?,
            DriveState::Mounted { found, .. } if found.uuid == drive
        ))
    }
}
