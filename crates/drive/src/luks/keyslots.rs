//! Passphrases: which keyslot one opens, adding, changing, removing.
//!
//! Each try of a passphrase takes seconds for each keyslot. So what one has opened is kept:
//! nothing is derived twice.

use std::fmt;
use std::path::Path;

use libcryptsetup_rs::consts::flags::{CryptActivate, CryptVolumeKey};
use libcryptsetup_rs::consts::vals::KeyslotInfo;
use libcryptsetup_rs::{Either, SafeMemHandle};
use secrecy::{ExposeSecret, SecretSlice};

use super::format::sync;
use super::info::{active, info, loaded, most_keyslots, with_header};
use super::{Limits, LuksError};

const TRYING: &str = "try the passphrase on";

/// A keyslot that a passphrase opened.
pub struct Opened {
    keyslot: u32,
    passphrase: SecretSlice<u8>,
    /// In libcryptsetup's own memory, which is never swapped and wiped at the end.
    volume_key: SafeMemHandle,
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opened(keyslot {})", self.keyslot)
    }
}

impl Opened {
    /// The number of the keyslot.
    pub fn keyslot(&self) -> u32 {
        self.keyslot
    }
}

/// Opens the keyslot that `passphrase` fits. Nothing is unlocked.
///
/// # Errors
/// [`LuksError::WrongPassphrase`] when it fits none.
pub fn open(device: &Path, passphrase: &SecretSlice<u8>) -> Result<Opened, LuksError> {
    let info = info(device)?;
    let (keyslot, volume_key) = loaded(device, |handle| {
        let mut volume_key = SafeMemHandle::alloc(info.key_bits as usize / 8)?;
        let passphrase = passphrase.expose_secret();
        let (keyslot, _) =
            handle
                .volume_key_handle()
                .get(None, volume_key.as_mut(), Some(passphrase))?;
        Ok((keyslot.unsigned_abs(), volume_key))
    })?
    .map_err(LuksError::keyed(TRYING, device, info.memory_needed_kib()))?;
    Ok(Opened {
        keyslot,
        passphrase: SecretSlice::from(passphrase.expose_secret().to_vec()),
        volume_key,
    })
}

/// The keyslot that `other` opens, if any. The one that is open is not tried again.
///
/// # Errors
/// When the header cannot be read, or its memory is not there.
pub fn keyslot_of_another(
    device: &Path,
    opened: &Opened,
    other: &SecretSlice<u8>,
) -> Result<Option<u32>, LuksError> {
    if other.expose_secret() == opened.passphrase.expose_secret() {
        return Ok(Some(opened.keyslot));
    }
    let all = with_header(device, "read the header of", active)?;
    for keyslot in all.into_iter().filter(|number| *number != opened.keyslot) {
        match tried(device, keyslot, other) {
            Ok(()) => return Ok(Some(keyslot)),
            Err(LuksError::WrongPassphrase { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Tries one keyslot.
fn tried(device: &Path, keyslot: u32, passphrase: &SecretSlice<u8>) -> Result<(), LuksError> {
    let needed = info(device)?.memory_needed_kib();
    loaded(device, |handle| {
        handle.activate_handle().activate_by_passphrase(
            None,
            Some(keyslot),
            passphrase.expose_secret(),
            CryptActivate::empty(),
        )
    })?
    .map_err(LuksError::keyed(TRYING, device, needed))
    .map(drop)
}

/// Adds `new` in a free keyslot. Tells its number. The limits are those of the new keyslot.
///
/// # Errors
/// [`LuksError::NoFreeKeyslot`].
pub fn add_key(
    device: &Path,
    opened: &Opened,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    let full = with_header(device, "read the header of", |handle| {
        Ok(active(handle)?.len() >= most_keyslots(handle)? as usize)
    })?;
    if full {
        return Err(LuksError::NoFreeKeyslot {
            device: device.to_owned(),
        });
    }
    let number = with_header(device, "add a passphrase to", |handle| {
        limits.apply(handle)?;
        handle.keyslot_handle().add_by_key(
            None,
            Some(Either::Left(opened.volume_key.as_ref())),
            new.expose_secret(),
            CryptVolumeKey::empty(),
        )
    })?;
    sync(device)?;
    Ok(number)
}

/// Puts `new` in the place of the passphrase that `opened`. Tells the number of the new keyslot.
/// At every moment at least one of the two opens the drive; cut short, it can be run again with
/// the same two.
///
/// # Errors
/// As [`keyslot_of_another`] and [`add_key`].
pub fn change_key(
    device: &Path,
    opened: &Opened,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    // Another run may have been cut short after it added the new one.
    let added = match keyslot_of_another(device, opened, new)? {
        Some(number) => number,
        None => {
            let number = add_key(device, opened, new, limits)?;
            // Proven to open before the old one goes.
            tried(device, number, new)?;
            number
        }
    };
    if added != opened.keyslot {
        remove_keyslot(device, opened.keyslot)?;
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
