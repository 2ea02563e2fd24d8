//! The drive: what state it is in, and the operations on it, one subject a file.

mod binding;
pub mod create;
mod disks;
mod filesystem;
pub(crate) mod folders;
pub mod header;
pub mod info;
pub mod lock;
pub mod passphrases;
pub mod unlock;

use std::path::PathBuf;

use appliance_drive::find::{FindError, Found, KnownDrive, Wanted};
use appliance_drive::layout::Owners;
use appliance_drive::luks::Limits;
use appliance_drive::mount;
use appliance_drive::state::{DriveState, Expected};
use appliance_files::Owner;
use jiff::Timestamp;
use uuid::Uuid;

pub use disks::{Disks, LiveDisks};

use crate::error::{FailureClass, Refused};
use crate::{Appliance, Result};

impl Appliance {
    /// How far along the drive is. Changes nothing.
    ///
    /// # Errors
    /// When block devices or the mount table cannot be read.
    pub fn observe(&self, wanted: Option<&Wanted>) -> Result<DriveState> {
        let known = self.known_drives()?;
        let expected = Expected {
            mapper: self.mapper(),
            mount_point: &self.paths.mount_point,
            remembered: self.remembered_drive()?,
            wanted,
            known: &known,
        };
        Ok(self.disks().observe(&expected)?)
    }

    /// The drive, and a word for its state.
    pub(crate) fn find(&self, wanted: Option<&Wanted>) -> Result<(Found, &'static str)> {
        let state = self.observe(wanted)?;
        let word = state.word();
        match state {
            DriveState::Locked(found)
            | DriveState::Unlocked { found, .. }
            | DriveState::Mounted { found, .. } => Ok((found, word)),
            DriveState::Absent(error) => Err(error.into()),
            DriveState::Gone { .. } => Err(Refused::new(
                FailureClass::DriveNotFound,
                "the drive was unplugged while it was in use",
                "plug it in again, then run: immich-appliance unlock --start",
            )
            .into()),
            DriveState::Occupied { by } => Err(Refused::new(
                FailureClass::Refused,
                format!("the drive's place is taken by {by}"),
                "immich-appliance status",
            )
            .into()),
        }
    }

    /// The drive that is mounted; fails with a word on unlocking where none is.
    pub(crate) fn require_mounted(&self, doing: &str) -> Result<Found> {
        match self.observe(None)? {
            DriveState::Mounted { found, .. } => Ok(found),
            _ => Err(Refused::drive_locked(doing).into()),
        }
    }

    /// What tells this box's drives from others.
    pub(crate) fn known_drives(&self) -> Result<Vec<KnownDrive>> {
        let drive = self.memory()?.drive;
        Ok(drive.map(|drive| drive.known).into_iter().collect())
    }

    /// Remembers the drive for the next time.
    pub(crate) fn remember_drive(&self, found: &Found) -> Result<()> {
        let header = Some(self.paths.header(found.uuid)).filter(|file| file.exists());
        let known = KnownDrive::of(found, header);
        self.remember(|memory| memory.remember_drive(known, Timestamp::now()))
    }

    /// The name of the open drive's mapping.
    pub(crate) fn mapper(&self) -> &str {
        &self.settings.drive.mapper_name
    }

    /// Who owns the folders on the drive.
    pub(crate) fn owners(&self) -> Result<Owners> {
        Ok(Owners {
            immich: self.immich_owner()?,
            postgres: Owner::of_user(&self.settings.database.superuser)?,
            secrets: Owner::of_this_process(),
        })
    }

    /// Who owns Immich's files.
    pub(crate) fn immich_owner(&self) -> Result<Owner> {
        let immich = &self.settings.immich;
        Ok(Owner::lookup(&immich.user, &immich.group)?)
    }

    /// The limits of a new keyslot: those of this machine, or the configuration's.
    pub(crate) fn keyslot_limits(&self) -> Result<Limits> {
        let mut limits = self.disks().limits()?;
        let settings = &self.settings.drive;
        let most = settings.argon2_memory_max.as_u64() / 1024;
        limits.memory_kib = limits
            .memory_kib
            .min(u32::try_from(most).unwrap_or(u32::MAX));
        limits.time_ms = settings.argon2_milliseconds;
        limits.passes = settings.argon2_passes;
        Ok(limits)
    }
}

/// Refuses while a drive is open: making another one would take its name and its place.
pub(crate) fn nothing_is_open(appliance: &Appliance, doing: &str) -> Result<()> {
    match appliance.observe(None)? {
        DriveState::Absent(_) | DriveState::Locked(_) => Ok(()),
        DriveState::Unlocked { found, .. } if !found.encrypted => Ok(()),
        DriveState::Gone { .. } => lock::clear_gone(appliance).map(|_| ()),
        DriveState::Unlocked { .. } | DriveState::Mounted { .. } | DriveState::Occupied { .. } => {
            Err(Refused::new(
                FailureClass::Refused,
                format!("cannot {doing}: a drive is open"),
                "immich-appliance lock",
            )
            .into())
        }
    }
}

/// Whether it is an encrypted drive whose creation did not finish.
pub(crate) fn is_unfinished(appliance: &Appliance, found: &Found) -> Result<bool> {
    Ok(found.encrypted && appliance.disks().header(&found.device.path)?.unfinished())
}

/// An error for one.
pub(crate) fn refuse_unfinished(appliance: &Appliance, found: &Found) -> Result<()> {
    if is_unfinished(appliance, found)? {
        return Err(FindError::Unfinished {
            device: found.device.path.clone(),
            uuid: found.uuid,
        }
        .into());
    }
    Ok(())
}

/// The target that ties the mounted drive to its disk.
pub(crate) fn binding_target(appliance: &Appliance, drive: Uuid) -> String {
    mount::binding(&appliance.paths.mount_point, drive).target
}

/// A device that has a LUKS header.
pub(crate) struct Encrypted {
    pub(crate) path: PathBuf,
    pub(crate) uuid: Uuid,
}

impl Encrypted {
    pub(crate) fn find(appliance: &Appliance, wanted: Option<&Wanted>) -> Result<Self> {
        let (found, _) = appliance.find(wanted)?;
        if !found.encrypted {
            return Err(Refused::new(
                FailureClass::Refused,
                format!(
                    "{} is not encrypted: it has no header and no passphrase",
                    found.device.path.display()
                ),
                "back up, then create it again with: immich-appliance drive create",
            )
            .into());
        }
        Ok(Encrypted {
            path: found.device.path,
            uuid: found.uuid,
        })
    }
}
