//! Reading a LUKS header.

use std::path::{Path, PathBuf};

use libcryptsetup_rs::consts::vals::{CryptKdf, EncryptionFormat, KeyslotInfo};
use libcryptsetup_rs::{CryptDevice, CryptKeyslotHandle, LibcryptErr, get_sector_size};
use serde::Serialize;
use uuid::Uuid;

use super::LuksError;
use crate::cryptsetup::{self, locked};
use crate::inspect::{Content, probe};

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Info {
    /// The device or file read.
    pub device: PathBuf,
    /// 1 or 2.
    pub version: u8,
    /// UUID.
    pub uuid: Uuid,
    /// Label.
    pub label: Option<String>,
    /// Subsystem field.
    pub subsystem: Option<String>,
    /// Cipher as the device mapper writes it.
    pub cipher: String,
    /// Length of the volume key in bits.
    pub key_bits: u32,
    /// Encryption sector in bytes.
    pub sector_size: u32,
    /// Keyslots in use.
    pub keyslots: Vec<Keyslot>,
}

impl Info {
    /// The creation of this drive was not finished.
    pub fn unfinished(&self) -> bool {
        self.subsystem.as_deref() == Some(crate::UNFINISHED)
    }

    /// Memory that opening any keyslot may take, in KiB. Compare with
    /// [`super::memory_available_kib`].
    pub fn memory_needed_kib(&self) -> u64 {
        self.keyslots
            .iter()
            .map(|slot| u64::from(slot.memory_kib))
            .max()
            .unwrap_or(0)
    }
}

/// One keyslot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keyslot {
    /// Number, from 0.
    pub number: u32,
    /// `argon2id`, `argon2i` or `pbkdf2`.
    pub kdf: String,
    /// Memory the derivation takes, in KiB (0 for PBKDF2).
    pub memory_kib: u32,
    /// Passes (Argon2's time cost, PBKDF2's iterations).
    pub iterations: u32,
    /// Threads.
    pub parallel: u32,
}

/// Reads the header of a device, an image file or a header backup.
///
/// # Errors
/// [`LuksError::NoHeader`] when there is none that can be read.
pub fn info(device: &Path) -> Result<Info, LuksError> {
    let mut info = with_header(device, "read the header of", |handle| read(handle, device))?;
    // The safe crate does not read these two; libblkid does.
    if let Content::Luks {
        label, subsystem, ..
    } = probe(device)
    {
        info.label = label;
        info.subsystem = subsystem;
    }
    Ok(info)
}

/// Runs `work` on a handle with the header of `device` loaded.
pub(super) fn with_header<T>(
    device: &Path,
    doing: &'static str,
    work: impl FnOnce(&mut CryptDevice) -> Result<T, LibcryptErr>,
) -> Result<T, LuksError> {
    loaded(device, work)?.map_err(LuksError::plain(doing, device))
}

/// As [`with_header`], leaving the failure of `work` itself to the caller.
pub(super) fn loaded<T>(
    device: &Path,
    work: impl FnOnce(&mut CryptDevice) -> Result<T, LibcryptErr>,
) -> Result<Result<T, cryptsetup::Failure>, LuksError> {
    // libcryptsetup says of a missing file only that it is no block device.
    std::fs::File::open(device).map_err(LuksError::file("open", device))?;
    let mut handle = locked(|| {
        let mut handle = cryptsetup::handle(device)?;
        handle.context_handle().load::<()>(None, None)?;
        Ok(handle)
    })
    .map_err(|failure| LuksError::NoHeader {
        device: device.to_owned(),
        why: failure.why,
    })?;
    let outcome = locked(|| work(&mut handle));
    // Freeing the handle is a call into libcryptsetup as well.
    let _ = locked(|| {
        drop(handle);
        Ok(())
    });
    Ok(outcome)
}

fn read(handle: &mut CryptDevice, device: &Path) -> Result<Info, LibcryptErr> {
    let version = match handle.format_handle().get_type()? {
        EncryptionFormat::Luks1 => 1,
        EncryptionFormat::Luks2 => 2,
        _ => return Err(LibcryptErr::Other("it is not LUKS".to_owned())),
    };
    let keyslots = active(handle)?
        .into_iter()
        .map(|number| keyslot(handle, number))
        .collect::<Result<_, _>>()?;
    let sector_size = get_sector_size(Some(handle));
    let mut status = handle.status_handle();
    let (cipher, mode) = (status.get_cipher()?, status.get_cipher_mode()?);
    Ok(Info {
        device: device.to_owned(),
        version,
        uuid: status.get_uuid()?,
        label: None,
        subsystem: None,
        cipher: format!("{cipher}-{mode}"),
        key_bits: u32::try_from(status.get_volume_key_size()).unwrap_or(0) * 8,
        sector_size: u32::try_from(sector_size).unwrap_or(0),
        keyslots,
    })
}

/// Numbers of the keyslots in use.
pub(super) fn active(handle: &mut CryptDevice) -> Result<Vec<u32>, LibcryptErr> {
    let all = most_keyslots(handle)?;
    let mut numbers = Vec::new();
    for number in 0..all {
        match handle.keyslot_handle().status(number)? {
            KeyslotInfo::Active | KeyslotInfo::ActiveLast => numbers.push(number),
            KeyslotInfo::Invalid | KeyslotInfo::Inactive | KeyslotInfo::Unbound => {}
        }
    }
    Ok(numbers)
}

/// How many keyslots this kind of header can hold.
pub(super) fn most_keyslots(handle: &mut CryptDevice) -> Result<u32, LibcryptErr> {
    CryptKeyslotHandle::max_keyslots(handle.format_handle().get_type()?)
}

pub(super) fn keyslot(handle: &mut CryptDevice, number: u32) -> Result<Keyslot, LibcryptErr> {
    let pbkdf = handle.keyslot_handle().get_pbkdf(number)?;
    Ok(Keyslot {
        number,
        kdf: match pbkdf.type_ {
            CryptKdf::Pbkdf2 => "pbkdf2",
            CryptKdf::Argon2I => "argon2i",
            CryptKdf::Argon2Id => "argon2id",
        }
        .to_owned(),
        memory_kib: pbkdf.max_memory_kb,
        iterations: pbkdf.iterations,
        parallel: pbkdf.parallel_threads,
    })
}
