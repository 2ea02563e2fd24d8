//! LUKS headers, keyslots and mappings, through libcryptsetup.

use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use serde::Serialize;
use uuid::Uuid;

use crate::cipher::Cipher;

/// Limits for deriving a key from a passphrase with Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most memory, in KiB.
    pub memory_kib: u32,
    /// Threads, 1 to 4.
    pub parallel: u32,
    /// Time to aim for on this machine, in milliseconds.
    pub time_ms: u32,
}

impl Limits {
    /// For a machine with that much memory and that many CPUs: a quarter of the memory, at most
    /// 512 MiB, so that a drive made on a PC opens on a small box; two seconds.
    pub fn for_machine(memory_kib: u64, cpus: u32) -> Self {
        let _ = (memory_kib, cpus);
        todo!()
    }

    /// For this machine.
    ///
    /// # Errors
    /// When `/proc/meminfo` cannot be read.
    pub fn of_this_machine() -> Result<Self, LuksError> {
        todo!()
    }
}

/// How a new header is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Cipher of the data.
    pub cipher: Cipher,
    /// Limits of the first keyslot.
    pub limits: Limits,
    /// UUID to give it; `None` makes one up.
    pub uuid: Option<Uuid>,
}

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

    /// Memory that opening any keyslot may take, in KiB. Compare with [`memory_available_kib`].
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

/// Which header may be overwritten by a restored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Only one with the same UUID.
    SameDrive,
    /// Anything. For a header so damaged that its UUID is lost, or when the person insists.
    Anything,
}

/// Work on a LUKS header or mapping failed.
#[derive(Debug, thiserror::Error)]
pub enum LuksError {
    /// No keyslot opens with it.
    #[error("the passphrase does not open {device}")]
    WrongPassphrase {
        /// The device.
        device: PathBuf,
    },
    /// No LUKS header there.
    #[error("{device} has no LUKS header: {why}")]
    NoHeader {
        /// The device.
        device: PathBuf,
        /// What libcryptsetup said.
        why: String,
    },
    /// The keyslot is empty or does not exist.
    #[error("{device} has no keyslot {keyslot} in use")]
    NoSuchKeyslot {
        /// The device.
        device: PathBuf,
        /// Number.
        keyslot: u32,
    },
    /// Without it nobody could ever open the drive.
    #[error("keyslot {keyslot} is the last of {device}; without it nothing opens the drive")]
    LastKeyslot {
        /// The device.
        device: PathBuf,
        /// Number.
        keyslot: u32,
    },
    /// All keyslots are taken.
    #[error("all keyslots of {device} are taken")]
    NoFreeKeyslot {
        /// The device.
        device: PathBuf,
    },
    /// The derivation needs more memory than the machine has free.
    #[error("opening {device} needs {needed_kib} KiB of memory, more than this machine has free")]
    OutOfMemory {
        /// The device.
        device: PathBuf,
        /// What the header asks for, in KiB.
        needed_kib: u64,
    },
    /// The mapper name or the device is in use.
    #[error("{what} is in use")]
    InUse {
        /// Device or mapper name.
        what: String,
    },
    /// No mapping of that name.
    #[error("no mapping is named {mapper}")]
    NotActive {
        /// Name.
        mapper: String,
    },
    /// The backup is of another header than the one on the device.
    #[error("the header in {file} has UUID {in_file}, {device} has {}", match .on_device { Some(uuid) => uuid.to_string(), None => "none that can be read".to_owned() })]
    OtherHeader {
        /// The device.
        device: PathBuf,
        /// UUID on the device, if it can be read.
        on_device: Option<Uuid>,
        /// The backup.
        file: PathBuf,
        /// UUID in the backup.
        in_file: Uuid,
    },
    /// A file of a header backup could not be written or read.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// libcryptsetup or the kernel failed.
    #[error("cannot {doing} {object}: {why}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To which device or mapping.
        object: String,
        /// What libcryptsetup said.
        why: String,
    },
}

/// Writes a new LUKS2 header with one keyslot, labelled [`crate::LABEL`] and marked
/// [`crate::UNFINISHED`] until [`mark_finished`]. Destroys what was on the device.
pub fn format(
    device: &Path,
    how: &Format,
    passphrase: &SecretSlice<u8>,
) -> Result<Uuid, LuksError> {
    let _ = (device, how, passphrase);
    todo!()
}

/// Takes the mark of an unfinished creation off.
pub fn mark_finished(device: &Path) -> Result<(), LuksError> {
    let _ = device;
    todo!()
}

/// Reads the header of a device, an image file or a header backup.
pub fn info(device: &Path) -> Result<Info, LuksError> {
    let _ = device;
    todo!()
}

/// The keyslot that `passphrase` opens. Nothing is unlocked.
pub fn keyslot_of(device: &Path, passphrase: &SecretSlice<u8>) -> Result<u32, LuksError> {
    let _ = (device, passphrase);
    todo!()
}

/// Adds `new` in a free keyslot, authorised by any `existing` secret. Tells its number.
pub fn add_key(
    device: &Path,
    existing: &SecretSlice<u8>,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    let _ = (device, existing, new, limits);
    todo!()
}

/// Puts `new` in the place of `existing`. Tells the number of the new keyslot. At every moment at
/// least one of the two opens the drive.
pub fn change_key(
    device: &Path,
    existing: &SecretSlice<u8>,
    new: &SecretSlice<u8>,
    limits: Limits,
) -> Result<u32, LuksError> {
    let _ = (device, existing, new, limits);
    todo!()
}

/// Empties a keyslot, never the last.
pub fn remove_keyslot(device: &Path, keyslot: u32) -> Result<(), LuksError> {
    let _ = (device, keyslot);
    todo!()
}

/// Opens the drive as `/dev/mapper/<mapper>`. Tells the keyslot that opened.
pub fn activate(
    device: &Path,
    mapper: &str,
    passphrase: &SecretSlice<u8>,
) -> Result<u32, LuksError> {
    let _ = (device, mapper, passphrase);
    todo!()
}

/// Closes the mapping. One that is not there is closed already.
pub fn deactivate(mapper: &str, removal: Removal) -> Result<(), LuksError> {
    let _ = (mapper, removal);
    todo!()
}

/// Saves the header with its keyslots to `file` (mode 0600), durably, replacing an older backup.
pub fn header_backup(device: &Path, file: &Path) -> Result<(), LuksError> {
    let _ = (device, file);
    todo!()
}

/// Writes the header saved in `file` to the device, durably. Every passphrase is then that of the
/// backup.
pub fn header_restore(device: &Path, file: &Path, overwrite: Overwrite) -> Result<(), LuksError> {
    let _ = (device, file, overwrite);
    todo!()
}

/// Memory free for use on this machine, in KiB (`MemAvailable`).
pub fn memory_available_kib() -> Result<u64, LuksError> {
    todo!()
}
