//! Passphrases: which keyslot one opens, adding, changing, removing.

use std::path::Path;

use libcryptsetup_rs::consts::flags::CryptActivate;
use libcryptsetup_rs::consts::vals::KeyslotInfo;
use secrecy::{ExposeSecret, SecretSlice};

use super::format::sync;
use super::info::{active, info, loaded, most_keyslots, with_header};
use super::{Limits, LuksError};

/// A passphrase, and the keyslot that it opens as far as is known: finding out takes seconds for
/// each keyslot.
#[derive(Debug, Clone, Copy)]
pub struct Opens<'a> {
    /// Its number.
    pub keyslot: u32,
    /// The passphrase.
    pub passphrase: &'a SecretSlice<u8>,
}

/// The keyslot that `passphrase` opens. Nothing is unlocked.
///
/// # Errors
/// [`LuksError::WrongPassphrase`] when it opens none.
pub fn keyslot_of(device: &Path, passphrase: &SecretSlice<u8>) -> Result<u32, LuksError> {
    tried(device, None, passphrase)
}

/// Tries one keyslot, or each.
fn tried(
    device: &Path,
    keyslot: Option<u32>,
    passphrase: &SecretSlice<u8>,
) -> Result<u32, LuksError> {
    let needed = info(device)?.memory_needed_kib();
    loaded(device, |handle| {
        handle.activate_handle().activate_by_passphrase(
            None,
            keyslot,
            passphrase.expose_secret(),
            CryptActivate::empty(),
        )
    })?
    .map_err(LuksError::keyed("try the passphrase on", device, needed))
}

/// Adds `new` in a free keyslot, authorised by any `existing` secret. Tells its number. The limits
/// are those of the new keyslot.
///
/// # Errors
/// [`LuksError::WrongPassphrase`], [`LuksError::NoFreeKeyslot`].
pub fn add_key(
    device: &Path,
    existing: &SecretSlice<u8>,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    let needed = info(device)?.memory_needed_kib();
    let full = with_header(device, "read the header of", |handle| {
        Ok(active(handle)?.len() >= most_keyslots(handle)? as usize)
    })?;
    if full {
        return Err(LuksError::NoFreeKeyslot {
            device: device.to_owned(),
        });
    }
    let number = loaded(device, |handle| {
        limits.apply(handle)?;
        handle.keyslot_handle().add_by_passphrase(
            None,
            existing.expose_secret(),
            new.expose_secret(),
        )
    })?
    .map_err(LuksError::keyed("add a passphrase to", device, needed))?;
    sync(device)?;
    Ok(number)
}

/// Puts `new` in the place of `existing`. Tells the number of the new keyslot. At every moment at
/// least one of the two opens the drive; cut short, it can be run again with the same two.
///
/// # Errors
/// [`LuksError::WrongPassphrase`] when `existing` opens nothing.
pub fn change_key(
    device: &Path,
    existing: &Opens<'_>,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    // Another run may have been cut short after it added the new one.
    let added = match keyslot_of(device, new) {
        Ok(number) => number,
        Err(LuksError::WrongPassphrase { .. }) => {
            let number = add_key(device, existing.passphrase, new, limits)?;
            // Proven to open before the old one goes.
            tried(device, Some(number), new)?
        }
        Err(error) => return Err(error),
    };
    if added != existing.keyslot {
        remove_keyslot(device, existing.keyslot)?;
    }
    Ok(added)
}

/// Empties a keyslot, never the last.
///
/// # Errors
/// [`LuksError::LastKeyslot`], [`LuksError::NoSuchKeyslot`].
pub fn remove_keyslot(device: &Path, keyslot: u32) -> Result<(), LuksError> {
    let status = with_header(device, "read the header of", |handle| {
        if keyslot >= most_keyslots(handle)? {
            return Ok(KeyslotInfo::Invalid);
        }
        handle.keyslot_handle().status(keyslot)
    })?;
    let device_of = || device.to_owned();
    match status {
        KeyslotInfo::Active | KeyslotInfo::Unbound => {}
        KeyslotInfo::ActiveLast => {
            return Err(LuksError::LastKeyslot {
                device: device_of(),
                keyslot,
            });
        }
        KeyslotInfo::Inactive | KeyslotInfo::Invalid => {
            return Err(LuksError::NoSuchKeyslot {
                device: device_of(),
                keyslot,
            });
        }
    }
    with_header(device, "remove a passphrase from", |handle| {
        handle.keyslot_handle().destroy(keyslot)
    })?;
    sync(device)
}
