//! What is attached: block devices, what is on them and who uses them.

mod refusal;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

pub use refusal::{MINIMUM_SIZE, Note, Refusal, notes, refusal};

use crate::System;

/// A whole disk or one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockDevice {
    /// Kernel name, such as `sda1`.
    pub name: String,
    /// Device node, such as `/dev/sda1`.
    pub path: PathBuf,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Whole disk, partition, and so on.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// Vendor and model as the device tells them.
    pub model: Option<String>,
    /// Serial number as the device tells it.
    pub serial: Option<String>,
    /// How it is attached.
    pub transport: Transport,
    /// The medium can be taken out (says little for USB disks, which report `false`).
    pub removable: bool,
    /// The kernel refuses to write to it.
    pub read_only: bool,
    /// Stable names under `/dev/disk/by-*`.
    pub links: Vec<PathBuf>,
    /// Partitions of a whole disk, in the order of their numbers.
    pub partitions: Vec<BlockDevice>,
    /// What is on it.
    pub content: Content,
    /// Who uses it, directly or through a mapping on top of it (not through its partitions).
    pub uses: Vec<Use>,
}

/// What a block device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Kind {
    /// A whole disk.
    Disk,
    /// One partition.
    Partition {
        /// Kernel name of the whole disk.
        disk: String,
        /// Number on the disk, from 1.
        number: u32,
    },
    /// A loop device over a file.
    Loop,
    /// A device-mapper device.
    Mapping {
        /// Its name under `/dev/mapper`.
        mapper: String,
    },
    /// A software RAID.
    Raid,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// USB.
    Usb,
    /// SD card or eMMC.
    Mmc,
    /// NVMe.
    Nvme,
    /// SATA or SAS.
    Sata,
    /// A virtual machine's disk.
    Virtio,
    /// Only software (loop, mapping, RAID).
    Virtual,
    /// Something else.
    Unknown,
}

/// What is on a block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Content {
    /// No signature of anything known.
    Empty,
    /// A LUKS header.
    Luks {
        /// 1 or 2.
        version: u8,
        /// UUID of the header.
        uuid: Uuid,
        /// Label (LUKS2).
        label: Option<String>,
        /// Subsystem field (LUKS2).
        subsystem: Option<String>,
    },
    /// A file system.
    FileSystem {
        /// Its kind, such as `ext4`.
        kind: String,
        /// UUID as the file system tells it (FAT's are no RFC 9562 UUIDs).
        uuid: Option<String>,
        /// Label.
        label: Option<String>,
    },
    /// A partition table.
    PartitionTable {
        /// `gpt`, `dos`, …
        kind: String,
    },
    /// Something else that libblkid knows (RAID member, swap, LVM), or contradicting signatures.
    Other {
        /// What libblkid calls it.
        kind: String,
    },
    /// It could not be read, so it must not be taken for empty.
    Unreadable {
        /// Why.
        why: String,
    },
}

/// One use of a block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Use {
    /// Mounted, itself or a mapping on top of it.
    Mounted {
        /// Mount point.
        at: PathBuf,
    },
    /// Active swap space.
    Swap,
    /// Held by a mapping or a RAID.
    Held {
        /// Kernel name of the holder, such as `dm-0`.
        by: String,
        /// Name under `/dev/mapper`, if it is a mapping.
        mapper: Option<String>,
    },
}

/// Block devices could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A file of the kernel's could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The mount table could not be read.
    #[error("cannot read the mount table {path}: {why}")]
    MountTable {
        /// The table.
        path: PathBuf,
        /// Why it failed.
        why: String,
    },
    /// Nothing is attached under that name.
    #[error("no block device is attached as {id}")]
    NotFound {
        /// The name asked for.
        id: String,
    },
    /// The name leads to something else.
    #[error("{path} is not a block device")]
    NotABlockDevice {
        /// The name asked for.
        path: PathBuf,
    },
}

/// All whole disks with their partitions, in the order of their names. Mappings and RAIDs are not
/// listed (they show as [`Use`]), nor are empty drives, RAM disks and unused loop devices.
///
/// # Errors
/// When sysfs or the mount table cannot be read. A device that cannot be probed is listed as
/// [`Content::Unreadable`].
pub fn list(system: &System) -> Result<Vec<BlockDevice>, InspectError> {
    let _ = system;
    todo!()
}

/// One device by its path, a link under `/dev/disk/by-*`, `UUID=…` or `LABEL=…`.
///
/// # Errors
/// [`InspectError::NotFound`] when nothing is attached under that name.
pub fn device(system: &System, id: &str) -> Result<BlockDevice, InspectError> {
    let _ = (system, id);
    todo!()
}

/// What is on `path` (a device or an image file).
pub fn probe(path: &Path) -> Content {
    let _ = path;
    todo!()
}
