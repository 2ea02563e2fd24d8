//! Making a new LUKS header.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use appliance_blockdev::{ConsentError, Consented};
use libcryptsetup_rs::consts::flags::CryptVolumeKey;
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use libcryptsetup_rs::{CryptDevice, CryptParamsLuks2, CryptParamsLuks2Ref, Either, LibcryptErr};
use nix::libc;
use secrecy::{ExposeSecret, SecretSlice};
use uuid::Uuid;

use super::info::{keyslot, with_header};
use super::{Limits, LuksError};
use crate::cipher::Cipher;
use crate::cryptsetup::{self, locked};

/// Old signatures lie within so much of either end.
const ENDS: u64 = 4 << 20;

/// A LUKS2 header with its keyslots takes 16 MiB; a device must be larger than that.
const HEADER: u64 = 16 << 20;

/// How a new header is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Cipher of the data.
    pub cipher: Cipher,
    /// Limits of its keyslots.
    pub limits: Limits,
    /// UUID to give it; `None` makes one up.
    pub uuid: Option<Uuid>,
}

/// Writes a new LUKS2 header with a keyslot for the passphrase and one for each of `others`, as
/// strong as the first. It is labelled [`crate::LABEL`] and marked [`crate::UNFINISHED`] until
/// [`mark_finished`]. Destroys what was on the device. Cut short, it leaves a blank or an
/// unfinished device, and can be run again.
///
/// # Errors
/// [`LuksError::InUse`] when anybody uses the device; [`LuksError::Consent`] when it is no longer
/// the one consented to.
pub fn format(
    consented: &Consented,
    how: &Format,
    passphrase: &SecretSlice<u8>,
    others: &[&SecretSlice<u8>],
) -> Result<Uuid, LuksError> {
    let device = consented.path();
    let size = wipe_signatures(consented)?;
    let (cipher, mode) = how.cipher.parts();
    let key_bytes = how.cipher.key_bits() as usize / 8;
    let parameters = CryptParamsLuks2 {
        pbkdf: Some(how.limits.pbkdf()),
        integrity: None,
        integrity_params: None,
        data_alignment: 0,
        data_device: None,
        sector_size: sector_size(size),
        label: Some(crate::LABEL.to_owned()),
        subsystem: Some(crate::UNFINISHED.to_owned()),
    };
    // libcryptsetup opens it by its name.
    consented.check()?;
    let uuid = locked(|| {
        let mut handle = cryptsetup::handle(device)?;
        let mut parameters: CryptParamsLuks2Ref<'_> = (&parameters).try_into()?;
        handle.context_handle().format(
            EncryptionFormat::Luks2,
            (cipher, mode),
            how.uuid,
            Either::Right(key_bytes),
            Some(&mut parameters),
        )?;
        how.limits.apply(&mut handle)?;
        let first = add(&mut handle, passphrase)?;
        let measured = keyslot(&mut handle, first)?;
        how.limits.as_measured_for(&measured).apply(&mut handle)?;
        for other in others {
            add(&mut handle, other)?;
        }
        handle.status_handle().get_uuid()
    })
    .map_err(LuksError::plain("write a LUKS header on", device))?;
    sync(device)?;
    Ok(uuid)
}

/// Adds a keyslot for the volume key that a header was just made with.
fn add(handle: &mut CryptDevice, secret: &SecretSlice<u8>) -> Result<u32, LibcryptErr> {
    let flags = CryptVolumeKey::empty();
    let mut keyslots = handle.keyslot_handle();
    keyslots.add_by_key(None, None, secret.expose_secret(), flags)
}

/// Takes the mark of an unfinished creation off. Done twice is done.
///
/// # Errors
/// [`LuksError::NoHeader`] when there is none.
pub fn mark_finished(device: &Path) -> Result<(), LuksError> {
    with_header(device, "mark as finished", |handle| {
        handle
            .context_handle()
            .set_label(Some(crate::LABEL), Some(crate::FINISHED))
    })?;
    sync(device)
}

/// 4096 bytes, as ext4's blocks are: an eighth of the work per byte of 512, and what Adiantum is
/// made for. A device that is no multiple of that (some USB bridges keep a sector) gets 512.
fn sector_size(size: u64) -> u32 {
    if size.is_multiple_of(4096) { 4096 } else { 512 }
}

/// Overwrites both ends with zeros, so that no signature of an earlier use is left to
/// contradict the new header. Tells the size in bytes.
fn wipe_signatures(consented: &Consented) -> Result<u64, LuksError> {
    let device = consented.path();
    let mut file = erasable(consented)?;
    let wipe = |file: &mut File| -> io::Result<u64> {
        let size = file.seek(SeekFrom::End(0))?;
        let zeros = vec![0_u8; usize::try_from(ENDS.min(size)).unwrap_or(0)];
        for start in [0, size.saturating_sub(ENDS)] {
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(size)
    };
    let size = wipe(&mut file).map_err(LuksError::file("wipe", device))?;
    if file
        .metadata()
        .is_ok_and(|data| data.file_type().is_block_device())
    {
        forget_partitions(&file);
    }
    if size <= HEADER {
        return Err(LuksError::Failed {
            doing: "write a LUKS header on",
            object: device.display().to_string(),
            why: format!("it has {size} bytes and the header alone takes {HEADER}"),
        });
    }
    Ok(size)
}

/// Opens what was consented to for writing, unless anybody (a mount, a mapping, a RAID) uses it.
pub(super) fn erasable(consented: &Consented) -> Result<File, LuksError> {
    let options = alone(consented.path())?;
    consented.open(&options).map_err(|error| match error {
        ConsentError::Open { path, source } => refused(&path)(source),
        changed => changed.into(),
    })
}

/// Opens for writing, unless anybody uses it, to see whether anybody does.
pub(crate) fn exclusive(device: &Path) -> Result<File, LuksError> {
    alone(device)?.open(device).map_err(refused(device))
}

fn alone(device: &Path) -> Result<OpenOptions, LuksError> {
    let block = std::fs::metadata(device)
        .map_err(LuksError::file("open", device))?
        .file_type()
        .is_block_device();
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // The kernel gives this flag that meaning for block devices only.
    options.custom_flags(if block { libc::O_EXCL } else { 0 });
    Ok(options)
}

fn refused(device: &Path) -> impl FnOnce(io::Error) -> LuksError {
    let device = device.to_owned();
    move |error| match error.raw_os_error() {
        Some(libc::EBUSY) => LuksError::InUse {
            what: device.display().to_string(),
        },
        _ => LuksError::file("open", &device)(error),
    }
}

pub(super) fn sync(device: &Path) -> Result<(), LuksError> {
    File::open(device)
        .and_then(|file| file.sync_all())
        .map_err(LuksError::file("sync", device))
}

/// Has the kernel drop the partitions of a table that is gone. A partition has none: no matter.
fn forget_partitions(file: &File) {
    use std::os::fd::AsRawFd;
    nix::ioctl_none!(reread_partition_table, 0x12, 95);
    // SAFETY: BLKRRPART takes no argument, and the descriptor is open during the call.
    if let Err(error) = unsafe { reread_partition_table(file.as_raw_fd()) } {
        tracing::debug!(%error, "the kernel keeps the partition table it knows");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_sectors_wherever_the_size_allows_them() {
        assert_eq!(sector_size(64 << 30), 4096);
        assert_eq!(sector_size((64 << 30) + 512), 512);
    }
}
