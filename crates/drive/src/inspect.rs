//! What is attached: block devices, what is on them and who uses them.

mod probe;

#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

use appliance_blockdev::{BuiltIn, Demand};
pub use appliance_blockdev::{
    ConsentError, Consented, Identity, InspectError, Kind, Refusal, Sample, Sampled, Transport,
    Use, flat, sample,
};
use serde::Serialize;
use uuid::Uuid;

pub use probe::probe;

use crate::System;
use crate::find::KnownDrive;

/// A whole disk or one partition.
pub type BlockDevice = appliance_blockdev::Device<Content>;

/// Smallest device that a drive is made on, in bytes.
pub const MINIMUM_SIZE: u64 = 512 << 20;

/// What is on a block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Content {
    /// No signature of anything known. That is not "blank": see [`sample`].
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

/// What a person should know before a device is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Note {
    /// A partition: the rest of the disk stays as it is.
    Partition {
        /// Kernel name of the disk.
        disk: String,
    },
    /// A whole disk: these partitions would go with it.
    Partitions {
        /// Their paths.
        paths: Vec<PathBuf>,
    },
    /// Something is on it.
    HasContent,
    /// Built into the machine.
    Internal,
    /// It is a drive of this box whose header is gone, and with it goes the last chance.
    KnownDrive {
        /// What the box remembers of it.
        drive: KnownDrive,
    },
    /// It shows nothing but noise: it may be encrypted by something that leaves no signature.
    MayBeEncrypted,
    /// It holds data of a kind that nobody here knows.
    UnknownData,
}

impl Note {
    /// Does it take a consent of its own, beside the one to lose what the device shows?
    pub fn needs_own_consent(&self) -> bool {
        matches!(
            self,
            Self::KnownDrive { .. } | Self::MayBeEncrypted | Self::UnknownData
        )
    }
}

/// All whole disks with their partitions, in the order of their names; see
/// [`appliance_blockdev::list`].
///
/// # Errors
/// When sysfs or the mount table cannot be read. A device that cannot be probed is listed as
/// [`Content::Unreadable`].
pub fn list(system: &System) -> Result<Vec<BlockDevice>, InspectError> {
    appliance_blockdev::list(system, &|path, _| probe(path))
}

/// One device by its path, a link to it, a name under `/dev/disk/by-id`, `UUID=…` or `LABEL=…`.
///
/// # Errors
/// [`InspectError::NotFound`] when nothing is attached under that name.
pub fn device(system: &System, id: &str) -> Result<BlockDevice, InspectError> {
    if let Some((tag, value)) = id.split_once('=').filter(|_| !id.starts_with('/')) {
        return flat(&list(system)?)
            .find(|device| device.content.has_tag(tag, value))
            .cloned()
            .ok_or_else(|| InspectError::NotFound { id: id.to_owned() });
    }
    // An absolute path stays as it is when joined.
    let path = system.dev.join("disk/by-id").join(Path::new(id));
    appliance_blockdev::device(system, &path, &|path, _| probe(path))
}

/// Why `device` must not be made a drive, whatever the person says; `None` when it may be.
pub fn refusal(device: &BlockDevice) -> Option<Refusal> {
    let demand = Demand {
        size: MINIMUM_SIZE,
        built_in: BuiltIn::Allowed,
    };
    appliance_blockdev::refusal(device, demand).or_else(|| match &device.content {
        Content::Unreadable { why } => Some(Refusal::Unreadable {
            device: device.path.clone(),
            why: why.clone(),
        }),
        _ => None,
    })
}

/// What a person should know before `device` is erased. `sampled` is what [`sample`] saw, `known`
/// what the box remembers of its drives.
pub fn before_erasing(
    device: &BlockDevice,
    sampled: Option<Sampled>,
    known: &[KnownDrive],
) -> Vec<Note> {
    let mut notes = notes(device);
    if let Some(drive) = crate::find::header_lost(device, known) {
        notes.push(Note::KnownDrive {
            drive: drive.clone(),
        });
    }
    // What shows a signature is told by that.
    if device.content == Content::Empty {
        match sampled.map(|sampled| sampled.sample) {
            Some(Sample::Noise) => notes.push(Note::MayBeEncrypted),
            Some(Sample::Structured) => notes.push(Note::UnknownData),
            Some(Sample::Blank) | None => {}
        }
    }
    notes
}

/// The part of [`before_erasing`] that takes no second look at the device.
pub fn notes(device: &BlockDevice) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Kind::Partition { disk, .. } = &device.kind {
        notes.push(Note::Partition { disk: disk.clone() });
    }
    if !device.partitions.is_empty() {
        notes.push(Note::Partitions {
            paths: device
                .partitions
                .iter()
                .map(|part| part.path.clone())
                .collect(),
        });
    }
    if device.content != Content::Empty {
        notes.push(Note::HasContent);
    }
    if !device.removable {
        notes.push(Note::Internal);
    }
    notes
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
            Self::Empty => "nothing known".to_owned(),
            Self::Luks { version, label, .. } => {
                format!("a LUKS{version} encrypted drive{}", named(label))
            }
            Self::FileSystem { kind, label, .. } => {
                format!("a file system of the kind {kind}{}", named(label))
            }
            Self::PartitionTable { kind } => format!("a partition table ({kind})"),
            Self::Other { kind } => match kind.as_str() {
                "LVM2_member" | "LVM1_member" => "a physical volume of LVM".to_owned(),
                "BitLocker" => "a drive encrypted with BitLocker".to_owned(),
                "swap" | "swsuspend" => "swap space".to_owned(),
                "drbd" => "a DRBD replica".to_owned(),
                "bcache" => "a bcache device".to_owned(),
                "zfs_member" => "a member of a ZFS pool".to_owned(),
                raid if raid.ends_with("_raid_member") => {
                    format!(
                        "a member of a RAID ({})",
                        raid.trim_end_matches("_raid_member")
                    )
                }
                other => other.to_owned(),
            },
            Self::Unreadable { why } => format!("what cannot be read ({why})"),
        }
    }
}

/// A device's contents and those of its partitions, in words.
pub(crate) fn holds(device: &BlockDevice) -> String {
    let content = device.content.in_words();
    let partitions: Vec<String> = device
        .partitions
        .iter()
        .map(|part| format!("{} with {}", part.name, part.content.in_words()))
        .collect();
    if partitions.is_empty() {
        content
    } else {
        format!("{content}: {}", partitions.join(", "))
    }
}
