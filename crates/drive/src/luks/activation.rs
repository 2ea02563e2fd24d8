//! Opening and closing the mapping.

use std::path::Path;

use libcryptsetup_rs::consts::flags::{CryptActivate, CryptDeactivate};
use libcryptsetup_rs::consts::vals::CryptStatusInfo;
use libcryptsetup_rs::{CryptInit, status};
use nix::errno::Errno;
use nix::unistd::geteuid;
use secrecy::{ExposeSecret, SecretSlice};

use super::LuksError;
use super::info::{info, loaded};
use crate::cryptsetup::locked;

/// How a mapping is taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Now, or an error when it is in use.
    Now,
    /// Now if possible, else as soon as nobody uses it.
    Deferred,
    /// Put an error target in its place, so that whoever still uses it fails at once. For a drive
    /// that was pulled out.
    Forced,
}

/// Is there a mapping `/dev/mapper/<mapper>`?
///
/// # Errors
/// When the device mapper cannot be asked, as for want of rights.
pub fn is_active(mapper: &str) -> Result<bool, LuksError> {
    let status = locked(|| status(None, mapper))
        .map_err(LuksError::plain("ask about the mapping", Path::new(mapper)))?;
    match status {
        CryptStatusInfo::Active | CryptStatusInfo::Busy => Ok(true),
        CryptStatusInfo::Inactive => Ok(false),
        CryptStatusInfo::Invalid => Err(LuksError::Failed {
            doing: "ask about the mapping",
            object: mapper.to_owned(),
            why: "the device mapper does not answer (it needs root and kernel support)".to_owned(),
        }),
    }
}

/// Opens the drive as `/dev/mapper/<mapper>`. Tells the keyslot that opened.
///
/// # Errors
/// [`LuksError::WrongPassphrase`]; [`LuksError::InUse`] when the name or the device is taken;
/// [`LuksError::OutOfMemory`].
pub fn activate(
    device: &Path,
    mapper: &str,
    passphrase: &SecretSlice<u8>,
) -> Result<u32, LuksError> {
    const DOING: &str = "unlock";
    let needed = info(device)?.memory_needed_kib();
    if !geteuid().is_root() {
        // Else the kernel's refusal would be taken for a wrong passphrase: both are EPERM.
        return Err(LuksError::Failed {
            doing: DOING,
            object: device.display().to_string(),
            why: "only root may open mappings".to_owned(),
        });
    }
    if is_active(mapper)? {
        return Err(LuksError::InUse {
            what: format!("the mapper name {mapper}"),
        });
    }
    loaded(device, |handle| {
        handle.activate_handle().activate_by_passphrase(
            Some(mapper),
            None,
            passphrase.expose_secret(),
            // No discards: they would tell anybody which parts of the drive are in use.
            CryptActivate::empty(),
        )
    })?
    .map_err(LuksError::keyed(DOING, device, needed))
}

/// Closes the mapping. One that is not there is closed already.
///
/// # Errors
/// [`LuksError::InUse`] when somebody uses it.
pub fn deactivate(mapper: &str, removal: Removal) -> Result<(), LuksError> {
    if !is_active(mapper)? {
        return Ok(());
    }
    let flags = match removal {
        Removal::Now => CryptDeactivate::empty(),
        Removal::Deferred => CryptDeactivate::DEFERRED,
        Removal::Forced => CryptDeactivate::FORCE,
    };
    let outcome = locked(|| {
        CryptInit::init_by_name_and_header(mapper, None)?
            .activate_handle()
            .deactivate(mapper, flags)
    });
    match outcome {
        // Gone between the question and the deed.
        Err(failure) if failure.errno == Some(Errno::ENODEV as i32) => Ok(()),
        other => other.map_err(LuksError::plain("close", Path::new(mapper))),
    }
}
