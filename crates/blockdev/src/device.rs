use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Identity;

/// A whole disk or one partition. `C` is what its contents are told as; whoever lists chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device<C> {
    /// Kernel name, such as `sda1`: what a person types to consent.
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
    /// The kernel's count of disks seen, which no other disk attached since the machine was
    /// switched on shares (Linux 5.15 and later).
    pub diskseq: Option<u64>,
    /// How it is attached.
    pub transport: Transport,
    /// It can be taken out: a USB disk, a card, or what the kernel calls removable.
    pub removable: bool,
    /// The kernel refuses to write to it.
    pub read_only: bool,
    /// Stable names under `/dev/disk/by-*`.
    pub links: Vec<PathBuf>,
    /// Partitions of a whole disk, in the order of their numbers.
    pub partitions: Vec<Device<C>>,
    /// What is on it.
    pub content: C,
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
    /// An SD card in a slot of its own.
    Sd,
    /// Flash memory soldered in.
    Emmc,
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

/// Where a running system has its files, beside the root itself.
const SYSTEM_FOLDERS: [&str; 9] = [
    "/boot", "/efi", "/nix", "/usr", "/var", "/etc", "/home", "/opt", "/root",
];

impl Use {
    /// The system's part of this use, in words; `None` if the system does not live here.
    pub(crate) fn of_the_system(&self) -> Option<String> {
        match self {
            Self::Swap => Some("swap".to_owned()),
            Self::Mounted { at } => {
                let system = at == Path::new("/")
                    || SYSTEM_FOLDERS.iter().any(|folder| at.starts_with(folder));
                system.then(|| at.display().to_string())
            }
            Self::Held { .. } => None,
        }
    }
}

impl<C> Device<C> {
    /// Uses of the device and of its partitions.
    pub fn all_uses(&self) -> impl Iterator<Item = &Use> {
        flat(std::slice::from_ref(self)).flat_map(|device| &device.uses)
    }

    /// Does the running system live on it, directly, on a partition or through a mapping?
    pub fn holds_the_system(&self) -> bool {
        self.all_uses().any(|used| used.of_the_system().is_some())
    }

    /// What tells it from any other device.
    pub fn identity(&self) -> Identity {
        Identity {
            number: self.number,
            diskseq: self.diskseq,
            size: self.size,
            model: self.model.clone(),
            serial: self.serial.clone(),
        }
    }
}

/// Whole disks and partitions in one row.
pub fn flat<C>(devices: &[Device<C>]) -> impl Iterator<Item = &Device<C>> {
    devices
        .iter()
        .flat_map(|device| std::iter::once(device).chain(&device.partitions))
}
