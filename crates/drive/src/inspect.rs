//! What is attached: block devices, what is on them and who uses them.

mod probe;
mod refusal;
mod sysfs;
mod uses;

#[cfg(test)]
pub(crate) mod tests;

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use self::uses::Users;
pub use probe::probe;
pub(crate) use refusal::holds_the_system;
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
    let users = Users::read(system)?;
    let links = sysfs::links(system);
    let mut devices = Vec::new();
    for name in sysfs::names(system)? {
        match sysfs::whole(system, &users, &name) {
            Ok(mut device) => {
                give_links(&mut device, &links);
                devices.push(device);
            }
            // Pulled out between listing and reading, which is no failure of the listing.
            Err(error) => tracing::debug!(name, %error, "block device passed over"),
        }
    }
    Ok(devices)
}

/// One device by its path, a link to it, a name under `/dev/disk/by-id`, `UUID=…` or `LABEL=…`.
///
/// # Errors
/// [`InspectError::NotFound`] when nothing is attached under that name.
pub fn device(system: &System, id: &str) -> Result<BlockDevice, InspectError> {
    let not_found = || InspectError::NotFound { id: id.to_owned() };
    if let Some((tag, value)) = id.split_once('=').filter(|_| !id.starts_with('/')) {
        return flat(&list(system)?)
            .find(|device| device.content.has_tag(tag, value))
            .cloned()
            .ok_or_else(not_found);
    }
    let path = if id.starts_with('/') {
        PathBuf::from(id)
    } else {
        system.dev.join("disk/by-id").join(id)
    };
    let real = fs::canonicalize(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => not_found(),
        _ => InspectError::Read {
            path: path.clone(),
            source,
        },
    })?;
    if let Some(device) = flat(&list(system)?).find(|device| device.path == real) {
        return Ok(device.clone());
    }
    // A mapping, a RAID or an unused loop device: attached, but not in the list.
    let users = Users::read(system)?;
    let name = real
        .strip_prefix(&system.dev)
        .map(|name| name.to_string_lossy().replace('/', "!"))
        .ok()
        .filter(|name| system.sys.join("block").join(name).exists())
        .ok_or(InspectError::NotABlockDevice { path })?;
    let mut device = sysfs::whole(system, &users, &name).map_err(|source| InspectError::Read {
        path: system.sys.join("block").join(&name),
        source,
    })?;
    give_links(&mut device, &sysfs::links(system));
    Ok(device)
}

/// Whole disks and partitions in one row.
pub fn flat(devices: &[BlockDevice]) -> impl Iterator<Item = &BlockDevice> {
    devices
        .iter()
        .flat_map(|device| std::iter::once(device).chain(&device.partitions))
}

fn give_links(device: &mut BlockDevice, links: &[(PathBuf, PathBuf)]) {
    let of = |device: &BlockDevice| {
        links
            .iter()
            .filter(|(_, node)| *node == device.path)
            .map(|(link, _)| link.clone())
            .collect()
    };
    device.links = of(device);
    for part in &mut device.partitions {
        part.links = of(part);
    }
}

impl Content {
    fn has_tag(&self, tag: &str, wanted: &str) -> bool {
        let (uuid, label) = match self {
            Self::Luks { uuid, label, .. } => (Some(uuid.to_string()), label.clone()),
            Self::FileSystem { uuid, label, .. } => (uuid.clone(), label.clone()),
            _ => return false,
        };
        match tag {
            "UUID" => uuid.is_some_and(|uuid| uuid.eq_ignore_ascii_case(wanted)),
            "LABEL" => label.is_some_and(|label| label == wanted),
            _ => false,
        }
    }

    /// In words, for a person.
    pub fn in_words(&self) -> String {
        let named = |label: &Option<String>| match label {
            Some(label) => format!(" named {label:?}"),
            None => String::new(),
        };
        match self {
            Self::Empty => "nothing".to_owned(),
            Self::Luks { version, label, .. } => {
                format!("a LUKS{version} encrypted drive{}", named(label))
            }
            Self::FileSystem { kind, label, .. } => {
                format!("a file system of the kind {kind}{}", named(label))
            }
            Self::PartitionTable { kind } => format!("a partition table ({kind})"),
            Self::Other { kind } => kind.clone(),
            Self::Unreadable { why } => format!("what cannot be read ({why})"),
        }
    }
}
