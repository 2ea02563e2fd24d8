//! Partition tables: which partitions an image or a card has, and which of them is the FAT one.

use std::io::{Cursor, Read, Seek, SeekFrom};

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use mbrman::MBRHeader;
use serde::Serialize;

/// Sectors of every image and card that is met here.
const SECTOR: u64 = 512;

/// The kind of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The old one of PCs, and of the Raspberry Pi's images.
    Mbr,
    /// GPT.
    Gpt,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Whether its type is one that FAT file systems have.
    pub may_be_fat: bool,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its kind.
    pub kind: Kind,
    /// Its partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// Why there is no partition table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Neither kind is there.
    #[error("there is no partition table")]
    None,
    /// There is one, but it contradicts itself.
    #[error("the partition table is damaged: {0}")]
    Damaged(String),
}

/// MBR types of FAT: 12, 16 (three), 32 (two), and the EFI system partition.
const FAT_TYPES: [u8; 7] = [0x01, 0x04, 0x06, 0x0e, 0x0b, 0x0c, 0xef];

/// Reads the table from the first MiB of an image or a card (less will do if it is shorter).
///
/// # Errors
/// [`TableError`].
pub fn read(start: &[u8]) -> Result<Table, TableError> {
    let sector = start.get(..SECTOR as usize).ok_or(TableError::None)?;
    if sector[510..] != [0x55, 0xaa] {
        return Err(TableError::None);
    }
    let damaged = |error: &dyn std::fmt::Display| TableError::Damaged(error.to_string());
    let mbr = MBRHeader::read_from(&mut Cursor::new(sector)).map_err(|error| damaged(&error))?;
    let entries = [
        mbr.partition_1,
        mbr.partition_2,
        mbr.partition_3,
        mbr.partition_4,
    ];
    if entries.iter().any(|entry| entry.sys == 0xee) {
        return gpt(start);
    }
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(&entries) {
        if entry.is_unused() {
            continue;
        }
        if entry.starting_lba == 0 || entry.sectors == 0 {
            return Err(TableError::Damaged(format!(
                "partition {number} is nowhere"
            )));
        }
        partitions.push(Partition {
            number,
            start: u64::from(entry.starting_lba) * SECTOR,
            size: u64::from(entry.sectors) * SECTOR,
            may_be_fat: FAT_TYPES.contains(&entry.sys),
        });
    }
    if partitions.is_empty() {
        return Err(TableError::None);
    }
    Ok(Table {
        kind: Kind::Mbr,
        partitions,
    })
}

fn gpt(start: &[u8]) -> Result<Table, TableError> {
    let damaged = |why: &str| TableError::Damaged(why.to_owned());
    // The crate takes it for granted that an entry has 128 bytes and stops the program otherwise.
    let header = start
        .get(512..604)
        .ok_or_else(|| damaged("the GPT header is missing"))?;
    if header[84..88] != 128_u32.to_le_bytes() {
        return Err(damaged("its entries have an unknown size"));
    }
    // Only the first copy: the second is at the end, where a stream has not come yet.
    let device = FirstCopy(Cursor::new(start.to_vec()));
    let disk = GptConfig::new()
        .writable(false)
        .logical_block_size(LogicalBlockSize::Lb512)
        .open_from_device(device)
        .map_err(|error| damaged(&error.to_string()))?;
    if disk.primary_header().is_err() {
        return Err(damaged("the GPT header's sum is wrong"));
    }
    let fat = [
        gpt::partition_types::EFI.guid,
        gpt::partition_types::BASIC.guid,
    ];
    let mut partitions = Vec::new();
    for (number, partition) in disk.partitions() {
        let sectors = partition
            .last_lba
            .checked_sub(partition.first_lba)
            .and_then(|sectors| sectors.checked_add(1));
        let place = partition.first_lba.checked_mul(SECTOR);
        let size = sectors.and_then(|sectors| sectors.checked_mul(SECTOR));
        let (Some(place), Some(size)) = (place, size) else {
            return Err(damaged(&format!("partition {number} is nowhere")));
        };
        partitions.push(Partition {
            number: *number,
            start: place,
            size,
            may_be_fat: fat.contains(&partition.part_type_guid.guid),
        });
    }
    Ok(Table {
        kind: Kind::Gpt,
        partitions,
    })
}

/// The start of an image as a device that has no end to look for the second copy at.
#[derive(Debug)]
struct FirstCopy(Cursor<Vec<u8>>);

impl Read for FirstCopy {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for FirstCopy {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

impl std::io::Write for FirstCopy {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_mbr_of_a_raspberry_pi_image_is_understood() {
        let mut start = vec![0; 4096];
        start[446..462].copy_from_slice(&[0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]);
        start[462..478].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 1, 0, 0, 0, 2, 0]);
        start[510..512].copy_from_slice(&[0x55, 0xaa]);
        let table = read(&start).unwrap();
        assert_eq!(table.kind, Kind::Mbr);
        assert_eq!(
            table.partitions[0],
            Partition {
                number: 1,
                start: 1 << 20,
                size: 32 << 20,
                may_be_fat: true
            }
        );
        assert!(!table.partitions[1].may_be_fat);
    }

    #[test]
    fn zeros_are_no_table() {
        assert_eq!(read(&[0; 1024]), Err(TableError::None));
        assert_eq!(read(&[]), Err(TableError::None));
    }

    proptest! {
        #[test]
        fn any_sector_is_answered(
            entries in proptest::collection::vec(any::<u8>(), 64),
            header in proptest::collection::vec(any::<u8>(), 92),
            protective in any::<bool>(),
        ) {
            let mut start = vec![0; 40 * 512];
            start[446..510].copy_from_slice(&entries);
            start[510..512].copy_from_slice(&[0x55, 0xaa]);
            start[512..604].copy_from_slice(&header);
            if protective {
                start[450] = 0xee;
                start[512..520].copy_from_slice(b"EFI PART");
                start[596..600].copy_from_slice(&128_u32.to_le_bytes());
            }
            let _ = read(&start);
        }
    }
}
