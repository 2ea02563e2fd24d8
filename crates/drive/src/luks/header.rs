//! Saving and restoring a LUKS header.

use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use appliance_blockdev::Consented;
use appliance_files::sync_dir;
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use uuid::Uuid;

use super::LuksError;
use super::format::{erasable, sync};
use super::info::{info, with_header};
use crate::cryptsetup::{self, locked};
use crate::inspect::{Content, probe};

/// Which header may be overwritten by a restored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Only one with the same UUID.
    SameDrive,
    /// Anything. For a header so damaged that its UUID is lost, or when the person insists.
    Anything,
}

/// Saves the header with its keyslots to `file` (mode 0600), durably, replacing an older backup.
///
/// # Errors
/// [`LuksError::NoHeader`], [`LuksError::File`].
pub fn header_backup(device: &Path, file: &Path) -> Result<(), LuksError> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // libcryptsetup wants a file that is not there yet, so it gets a folder of its own.
    let temporary = tempfile::Builder::new()
        .prefix(".luks-header.")
        .suffix(".tmp")
        .tempdir_in(folder)
        .map_err(LuksError::file("write into", folder))?;
    let fresh = temporary.path().join("header");
    with_header(device, "save the header of", |handle| {
        handle.backup_handle().header_backup(None, &fresh)
    })?;
    // A backup that cannot be read back is none.
    let (saved, original) = (info(&fresh)?, info(device)?);
    if saved.uuid != original.uuid || saved.keyslots != original.keyslots {
        return Err(LuksError::Failed {
            doing: "save the header of",
            object: device.display().to_string(),
            why: "what was saved does not read back the same".to_owned(),
        });
    }
    fs::set_permissions(&fresh, Permissions::from_mode(0o600))
        .and_then(|()| File::open(&fresh)?.sync_all())
        .and_then(|()| fs::rename(&fresh, file))
        .map_err(LuksError::file("write", file))?;
    sync_dir(folder).map_err(|error| LuksError::file("write", file)(error.source))
}

/// Writes the header saved in `file` to the device, durably. Every passphrase is then that of the
/// backup.
///
/// # Errors
/// [`LuksError::OtherHeader`] when `overwrite` does not allow it; [`LuksError::InUse`] when
/// anybody uses the device; [`LuksError::Consent`] when it is no longer the one consented to.
pub fn header_restore(
    consented: &Consented,
    file: &Path,
    overwrite: Overwrite,
) -> Result<(), LuksError> {
    let device = consented.path();
    let saved = info(file)?;
    let mut target = erasable(consented)?;
    let on_device = match info(device) {
        Ok(info) => Some(info.uuid),
        // Where only its first copy was overwritten, the second tells whose it was.
        Err(LuksError::NoHeader { .. }) => match probe(device) {
            Content::Luks { uuid, .. } => Some(uuid),
            _ => None,
        },
        Err(error) => return Err(error),
    };
    let same = on_device == Some(saved.uuid);
    match overwrite {
        Overwrite::SameDrive if !same => return Err(other(device, on_device, file, saved.uuid)),
        Overwrite::Anything if on_device.is_some() && !same => {
            // libcryptsetup will not put a header over one of another shape.
            target
                .seek(SeekFrom::Start(0))
                .and_then(|_| target.write_all(&vec![0; 4 << 20]))
                .and_then(|()| target.sync_all())
                .map_err(LuksError::file("wipe the header of", device))?;
        }
        _ => {}
    }
    drop(target);
    consented.check()?;
    let kind = match saved.version {
        1 => EncryptionFormat::Luks1,
        _ => EncryptionFormat::Luks2,
    };
    locked(|| {
        cryptsetup::handle(device)?
            .backup_handle()
            .header_restore(Some(kind), file)
    })
    .map_err(LuksError::plain("restore the header of", device))?;
    sync(device)?;
    match info(device)? {
        now if now.uuid == saved.uuid && now.keyslots == saved.keyslots => Ok(()),
        now => Err(other(device, Some(now.uuid), file, saved.uuid)),
    }
}

fn other(device: &Path, on_device: Option<Uuid>, file: &Path, in_file: Uuid) -> LuksError {
    LuksError::OtherHeader {
        device: device.to_owned(),
        on_device,
        file: file.to_owned(),
        in_file,
    }
}
