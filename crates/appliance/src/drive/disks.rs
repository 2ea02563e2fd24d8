use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use appliance_drive::System;
use appliance_drive::cipher::{self, Cipher};
use appliance_drive::filesystem::{self, Check, FilesystemError, Repair, Superblock};
use appliance_drive::holders::{Holder, HoldersError, holders};
use appliance_drive::inspect::{self, BlockDevice, ConsentError, Consented, InspectError, Sampled};
use appliance_drive::luks::{self, Format, Info, Limits, LuksError, Overwrite, Removal};
use appliance_drive::mount::{self, Detached, Guard, MountError};
use appliance_drive::state::{self, DriveState, Expected, StateError};
use appliance_drive::usage::{Usage, UsageError, usage};
use secrecy::SecretSlice;
use uuid::Uuid;

/// What is done with block devices. Everything that needs root or a real disk stands behind it.
#[allow(clippy::missing_errors_doc)] // as in `appliance_drive`, function by function
pub trait Disks {
    /// How far along the drive is. Changes nothing.
    fn observe(&self, expected: &Expected<'_>) -> Result<DriveState, StateError>;
    /// All disks with their partitions, and what is on them. Changes nothing.
    fn list(&self) -> Result<Vec<BlockDevice>, InspectError>;
    /// One block device by path or by tag.
    fn device(&self, id: &str) -> Result<BlockDevice, InspectError>;
    /// The limits of a new keyslot on this machine.
    fn limits(&self) -> Result<Limits, LuksError>;
    /// The memory that a key derivation can have now, in KiB.
    fn memory_available_kib(&self) -> Result<u64, LuksError>;
    /// The cipher that a new drive gets here; measured where that is not clear already.
    fn cipher(&self) -> Cipher;
    /// What a LUKS header says, on a device or in a file.
    fn header(&self, device: &Path) -> Result<Info, LuksError>;
    /// Samples a device that shows no signature; `None` where it cannot be read.
    fn sample(&self, _device: &BlockDevice) -> Option<Sampled> {
        None
    }
    /// Holds a device that was looked at, so that what is erased is what is consented to.
    fn hold(&self, device: &BlockDevice) -> Result<Consented, ConsentError>;
    /// The open mapping of what is consented to.
    fn mapping(&self, consented: &Consented, node: &Path) -> Result<Consented, ConsentError>;
    /// Makes a LUKS header, marked unfinished.
    fn format(
        &self,
        consented: &Consented,
        how: &Format,
        passphrase: &SecretSlice<u8>,
        others: &[&SecretSlice<u8>],
    ) -> Result<Uuid, LuksError>;
    /// Takes the mark of [`Disks::format`] away.
    fn mark_finished(&self, device: &Path) -> Result<(), LuksError>;
    /// Opens the header under this name.
    fn activate(
        &self,
        device: &Path,
        mapper: &str,
        passphrase: &SecretSlice<u8>,
    ) -> Result<(), LuksError>;
    /// Closes it.
    fn deactivate(&self, mapper: &str) -> Result<(), LuksError>;
    /// Copies the header into a file.
    fn header_backup(&self, device: &Path, file: &Path) -> Result<(), LuksError>;
    /// Puts it back.
    fn header_restore(
        &self,
        consented: &Consented,
        file: &Path,
        overwrite: Overwrite,
    ) -> Result<(), LuksError>;
    /// The node of an open mapping.
    fn mapper_node(&self, mapper: &str) -> std::path::PathBuf;
    /// Makes a file system.
    fn make_filesystem(&self, consented: &Consented) -> Result<Uuid, FilesystemError>;
    /// Reads its superblock.
    fn superblock(&self, node: &Path) -> Result<Superblock, FilesystemError>;
    /// Checks it.
    fn check_filesystem(&self, node: &Path, repair: Repair) -> Result<Check, FilesystemError>;
    /// Makes the folder that is mounted on ready.
    fn prepare_mount_point(&self, at: &Path) -> Result<Guard, MountError>;
    /// Mounts.
    fn mount(&self, node: &Path, at: &Path) -> Result<(), MountError>;
    /// Unmounts.
    fn unmount(&self, at: &Path) -> Result<(), MountError>;
    /// Takes mount and mapping of a disk that is gone out of the way.
    fn detach(&self, at: &Path, mapper: &str) -> Result<Detached, MountError>;
    /// Who holds files below a folder.
    fn holders(&self, below: &Path) -> Result<Vec<Holder>, HoldersError>;
    /// The space of the file system that holds a path.
    fn usage(&self, path: &Path) -> Result<Usage, UsageError>;
    /// A number for the file system that holds a path: the same for all that lies on it.
    fn filesystem_of(&self, path: &Path) -> io::Result<u64>;
}

/// The disks of this machine.
#[derive(Debug)]
pub struct LiveDisks {
    system: System,
}

impl LiveDisks {
    /// The disks of this machine. Nothing is looked at yet.
    pub fn new() -> Self {
        LiveDisks {
            system: System::live(),
        }
    }
}

impl Default for LiveDisks {
    fn default() -> Self {
        Self::new()
    }
}

impl Disks for LiveDisks {
    fn observe(&self, expected: &Expected<'_>) -> Result<DriveState, StateError> {
        state::observe(&self.system, expected)
    }

    fn list(&self) -> Result<Vec<BlockDevice>, InspectError> {
        inspect::list(&self.system)
    }

    fn device(&self, id: &str) -> Result<BlockDevice, InspectError> {
        inspect::device(&self.system, id)
    }

    fn limits(&self) -> Result<Limits, LuksError> {
        Limits::of_this_machine()
    }

    fn memory_available_kib(&self) -> Result<u64, LuksError> {
        luks::memory_available_kib()
    }

    fn cipher(&self) -> Cipher {
        cipher::choice()
    }

    fn header(&self, device: &Path) -> Result<Info, LuksError> {
        luks::info(device)
    }

    fn sample(&self, device: &BlockDevice) -> Option<Sampled> {
        inspect::sample(&device.path).ok()
    }

    fn hold(&self, device: &BlockDevice) -> Result<Consented, ConsentError> {
        Consented::to(&self.system, device)
    }

    fn mapping(&self, consented: &Consented, node: &Path) -> Result<Consented, ConsentError> {
        consented.mapping(node)
    }

    fn format(
        &self,
        consented: &Consented,
        how: &Format,
        passphrase: &SecretSlice<u8>,
        others: &[&SecretSlice<u8>],
    ) -> Result<Uuid, LuksError> {
        luks::format(consented, how, passphrase, others)
    }

    fn mark_finished(&self, device: &Path) -> Result<(), LuksError> {
        luks::mark_finished(device)
    }

    fn activate(
        &self,
        device: &Path,
        mapper: &str,
        passphrase: &SecretSlice<u8>,
    ) -> Result<(), LuksError> {
        luks::activate(device, mapper, passphrase).map(drop)
    }

    fn deactivate(&self, mapper: &str) -> Result<(), LuksError> {
        luks::deactivate(mapper, Removal::Now)
    }

    fn header_backup(&self, device: &Path, file: &Path) -> Result<(), LuksError> {
        luks::header_backup(device, file)
    }

    fn header_restore(
        &self,
        consented: &Consented,
        file: &Path,
        overwrite: Overwrite,
    ) -> Result<(), LuksError> {
        luks::header_restore(consented, file, overwrite)
    }

    fn mapper_node(&self, mapper: &str) -> std::path::PathBuf {
        self.system.dev.join("mapper").join(mapper)
    }

    fn make_filesystem(&self, consented: &Consented) -> Result<Uuid, FilesystemError> {
        filesystem::make(consented)
    }

    fn superblock(&self, node: &Path) -> Result<Superblock, FilesystemError> {
        filesystem::superblock(node)
    }

    fn check_filesystem(&self, node: &Path, repair: Repair) -> Result<Check, FilesystemError> {
        filesystem::check(node, repair)
    }

    fn prepare_mount_point(&self, at: &Path) -> Result<Guard, MountError> {
        mount::prepare(&self.system, at)
    }

    fn mount(&self, node: &Path, at: &Path) -> Result<(), MountError> {
        mount::mount(&self.system, node, at)
    }

    fn unmount(&self, at: &Path) -> Result<(), MountError> {
        mount::unmount(&self.system, at)
    }

    fn detach(&self, at: &Path, mapper: &str) -> Result<Detached, MountError> {
        mount::detach(&self.system, at, mapper)
    }

    fn holders(&self, below: &Path) -> Result<Vec<Holder>, HoldersError> {
        holders(below)
    }

    fn usage(&self, path: &Path) -> Result<Usage, UsageError> {
        usage(path)
    }

    fn filesystem_of(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.dev())
    }
}
