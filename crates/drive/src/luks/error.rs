//! What can go wrong with a LUKS header.

use std::path::{Path, PathBuf};

use appliance_blockdev::ConsentError;
use nix::errno::Errno;
use uuid::Uuid;

use crate::cryptsetup::Failure;

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
    /// It is not the device that was consented to.
    #[error(transparent)]
    Consent(#[from] ConsentError),
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

impl LuksError {
    /// A failed call that had no passphrase to be wrong.
    pub(super) fn plain(doing: &'static str, object: &Path) -> impl FnOnce(Failure) -> Self {
        let object = object.to_owned();
        move |failure| match failure.errno.map(Errno::from_raw) {
            Some(Errno::EBUSY) => Self::InUse {
                what: object.display().to_string(),
            },
            _ => Self::Failed {
                doing,
                object: object.display().to_string(),
                why: failure.why,
            },
        }
    }

    /// A failed call that was given a passphrase.
    pub(super) fn keyed(
        doing: &'static str,
        device: &Path,
        needed_kib: u64,
    ) -> impl FnOnce(Failure) -> Self {
        let device = device.to_owned();
        move |failure| match failure.errno.map(Errno::from_raw) {
            Some(Errno::EPERM) => Self::WrongPassphrase { device },
            Some(Errno::ENOMEM) => Self::OutOfMemory { device, needed_kib },
            _ => Self::plain(doing, &device)(failure),
        }
    }

    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}
