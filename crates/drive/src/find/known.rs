//! A drive of this box that no longer says so itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Found;
use crate::inspect::{BlockDevice, Content, Kind};

/// What a box remembers of a drive, to know it again when its header is gone: overwritten by a
/// partition table, by another computer that "initialised" the disk, by zeros.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDrive {
    /// UUID of its LUKS header, or of its file system.
    pub uuid: Uuid,
    /// It has a LUKS header (else it is a plain ext4 file system).
    pub encrypted: bool,
    /// Size in bytes of the disk, or of the partition that it lies on.
    pub size: u64,
    /// Vendor and model of the disk.
    pub model: Option<String>,
    /// Serial number of the disk.
    pub serial: Option<String>,
    /// Number of the partition that it lies on; `None` where it fills a whole disk.
    pub partition: Option<u32>,
    /// The copy of its header that the box keeps.
    pub header: Option<PathBuf>,
}

impl KnownDrive {
    /// What to remember of a drive in use, and of the copy of its header.
    pub fn of(found: &Found, header: Option<PathBuf>) -> Self {
        let device = &found.device;
        Self {
            uuid: found.uuid,
            encrypted: found.encrypted,
            size: device.size,
            model: device.model.clone(),
            serial: device.serial.clone(),
            partition: number(device),
            header,
        }
    }

    /// Is `device` the hardware that the drive was on? Two disks of one make that tell no serial
    /// number cannot be told apart.
    fn was_on(&self, device: &BlockDevice) -> bool {
        let same_disk = self.serial == device.serial
            && self.model == device.model
            && (self.serial.is_some() || self.model.is_some());
        let place = match (self.partition, number(device)) {
            (was, is) if was == is => self.size == device.size,
            // The table that told of the partition is gone.
            (Some(was), None) => {
                device.size > self.size
                    && !device
                        .partitions
                        .iter()
                        .any(|part| number(part) == Some(was))
            }
            _ => false,
        };
        same_disk && place
    }

    /// What of it was overwritten, in words.
    pub fn lost(&self) -> &'static str {
        match self {
            Self {
                partition: Some(_), ..
            } => "partition table or header",
            Self {
                encrypted: true, ..
            } => "LUKS header",
            _ => "start of its file system",
        }
    }
}

fn number(device: &BlockDevice) -> Option<u32> {
    match device.kind {
        Kind::Partition { number, .. } => Some(number),
        _ => None,
    }
}

/// The remembered drive that was on this device, if the device shows neither it nor another
/// encrypted drive. Judged by hardware alone, so it says nothing of what is left of the data.
pub fn header_lost<'a>(device: &BlockDevice, known: &'a [KnownDrive]) -> Option<&'a KnownDrive> {
    let shows = |drive: &KnownDrive| match &device.content {
        Content::Luks { .. } => true,
        Content::FileSystem {
            uuid: Some(uuid), ..
        } => Uuid::try_parse(uuid).is_ok_and(|uuid| uuid == drive.uuid),
        _ => false,
    };
    known
        .iter()
        .find(|drive| drive.was_on(device) && !shows(drive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::tests::{disk, partition};

    fn on(device: &BlockDevice) -> KnownDrive {
        let found = Found {
            device: device.clone(),
            uuid: Uuid::from_u128(0xa),
            encrypted: true,
        };
        KnownDrive::of(&found, Some("/var/lib/x/header.img".into()))
    }

    fn with(content: Content) -> BlockDevice {
        BlockDevice {
            content,
            ..disk("sdq")
        }
    }

    fn overwritten() -> [BlockDevice; 4] {
        let table = with(Content::PartitionTable { kind: "gpt".into() });
        [
            disk("sdq"),
            BlockDevice {
                partitions: vec![partition("sdq", 1)],
                ..table.clone()
            },
            table,
            with(Content::FileSystem {
                kind: "ntfs".into(),
                uuid: Some("0123456789ABCDEF".into()),
                label: None,
            }),
        ]
    }

    #[test]
    fn a_drive_whose_header_was_overwritten_is_known_by_its_hardware() {
        let known = [on(&disk("sda"))];
        for device in overwritten() {
            assert_eq!(header_lost(&device, &known), Some(&known[0]), "{device:?}");
        }
    }

    #[test]
    fn another_disk_of_the_same_make_is_not_taken_for_it() {
        let known = [on(&disk("sda"))];
        for change in [
            |device: &mut BlockDevice| device.serial = Some("0002".into()),
            |device: &mut BlockDevice| device.serial = None,
            |device: &mut BlockDevice| device.model = Some("Other".into()),
            |device: &mut BlockDevice| device.size += 512,
        ] {
            let mut device = disk("sda");
            change(&mut device);
            assert_eq!(header_lost(&device, &known), None, "{device:?}");
        }
        // Nothing that tells disks apart is no likeness.
        let mut nameless = disk("sda");
        (nameless.serial, nameless.model) = (None, None);
        assert_eq!(header_lost(&nameless, &[on(&nameless)]), None);
    }

    #[test]
    fn a_drive_that_shows_itself_or_another_encrypted_one_has_lost_nothing() {
        let mut known = on(&disk("sda"));
        let luks = with(Content::Luks {
            version: 1,
            uuid: Uuid::from_u128(0xb),
            label: None,
            subsystem: None,
        });
        assert_eq!(header_lost(&luks, std::slice::from_ref(&known)), None);
        known.encrypted = false;
        let plain = with(Content::FileSystem {
            kind: "ext4".into(),
            uuid: Some(known.uuid.to_string()),
            label: None,
        });
        assert_eq!(header_lost(&plain, std::slice::from_ref(&known)), None);
        assert!(header_lost(&disk("sda"), &[known]).is_some());
    }

    #[test]
    fn a_drive_on_a_partition_is_known_after_its_partition_table_is_gone() {
        let mut part = partition("sda", 1);
        part.size -= 1 << 20;
        let known = [on(&part)];
        for device in overwritten() {
            let gone = device.partitions.is_empty();
            let found = header_lost(&device, &known);
            assert_eq!(found.is_some(), gone, "{device:?}");
        }
        // The partition is there, and what was in it is not.
        assert_eq!(header_lost(&part, &known), Some(&known[0]));
        assert!(known[0].lost().contains("partition table"));
    }
}
