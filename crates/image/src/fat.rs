//! The FAT partition: found by the table, confirmed by its boot sector, read and changed without
//! mounting.

use std::io::{Read, Seek, SeekFrom, Write};

use fatfs::{FatType, FileSystem, FsOptions};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::Patches;
use crate::table::{Partition, Table};
use crate::window::{Below, Window};

/// Why the FAT partition could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    /// No partition holds FAT.
    #[error("no partition holds a FAT file system, where the settings would go")]
    None,
    /// The file system is damaged, full, or reaches past what can be read.
    #[error("cannot {action} on the FAT partition {partition}")]
    Io {
        /// What was being done.
        action: String,
        /// The partition's number.
        partition: u32,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// What a boot sector says of its file system. All in bytes from the partition's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Where the file system ends.
    pub end: u64,
    /// Where boot sector, FATs and, of FAT12 and FAT16, the root folder end.
    pub metadata: u64,
}

/// Whether a sector is the boot sector of a FAT file system that can be worked with. `fatfs`
/// checks less, and counts on what it did not check.
pub(crate) fn geometry(sector: &[u8]) -> Option<Geometry> {
    let word = |at: usize| {
        Some(u64::from(u16::from_le_bytes(
            sector.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    let long = |at: usize| {
        Some(u64::from(u32::from_le_bytes(
            sector.get(at..at + 4)?.try_into().ok()?,
        )))
    };
    if sector.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let unit = word(11)?;
    let cluster = u64::from(*sector.get(13)?);
    let (reserved, fats, root) = (word(14)?, u64::from(*sector.get(16)?), word(17)?);
    let fat = Some(word(22)?)
        .filter(|size| *size > 0)
        .map_or_else(|| long(36), Some)?;
    let total = Some(word(19)?)
        .filter(|size| *size > 0)
        .map_or_else(|| long(32), Some)?;
    let fine = matches!(unit, 512 | 1024 | 2048 | 4096)
        && cluster.is_power_of_two()
        && reserved > 0
        && matches!(fats, 1 | 2)
        && fat > 0;
    if !fine {
        return None;
    }
    let metadata = reserved + fats * fat + (root * 32).div_ceil(unit);
    let clusters = total.checked_sub(metadata)? / cluster;
    // What the FAT itself has room for, and FAT32's own limit.
    let bits = match clusters {
        0 => return None,
        1..4085 => 12,
        4085..65525 => 16,
        65525..0x0fff_fff5 => 32,
        _ => return None,
    };
    if (clusters + 2) * bits > fat * unit * 8 || (bits == 32) != (word(22)? == 0) {
        return None;
    }
    if bits == 32 {
        let (root_cluster, info, backup) = (long(44)?, word(48)?, word(50)?);
        if !(2..clusters + 2).contains(&root_cluster) || info >= reserved || backup >= reserved {
            return None;
        }
    }
    Some(Geometry {
        end: total * unit,
        metadata: metadata * unit,
    })
}

/// The FAT partition of an image or a card.
#[derive(Debug)]
pub(crate) struct Fat<'a> {
    below: &'a Below,
    partition: Partition,
    length: u64,
}

impl<'a> Fat<'a> {
    /// The first partition of a FAT type that holds FAT.
    pub(crate) fn find(below: &'a Below, table: &Table) -> Result<Self, FatError> {
        let candidates = table.partitions.iter().filter(|part| part.may_be_fat);
        for partition in candidates {
            let mut sector = [0; 512];
            let mut window = Window::new(below, partition.start, 512);
            if window.read_exact(&mut sector).is_err() {
                continue;
            }
            if let Some(geometry) = geometry(&sector)
                && geometry.end <= partition.size
            {
                return Ok(Self {
                    below,
                    partition: partition.clone(),
                    length: geometry.end,
                });
            }
        }
        Err(FatError::None)
    }

    pub(crate) fn number(&self) -> u32 {
        self.partition.number
    }

    fn failed(&self, action: &str) -> impl FnOnce(std::io::Error) -> FatError {
        let (action, partition) = (action.to_owned(), self.partition.number);
        move |source| FatError::Io {
            action,
            partition,
            source,
        }
    }

    fn options() -> FsOptions {
        // The same settings give the same bytes, so that a card can be compared with its image.
        FsOptions::new().update_accessed_date(false)
    }

    /// Works on the file system; gives the changes it made.
    fn work<T>(
        &self,
        action: &str,
        job: impl FnOnce(&FileSystem<&mut Window<'a>>) -> std::io::Result<T>,
    ) -> Result<(T, Patches), FatError> {
        let mut window = Window::new(self.below, self.partition.start, self.length);
        let result = {
            let system =
                FileSystem::new(&mut window, Self::options()).map_err(self.failed(action))?;
            let result = job(&system);
            let closed = system.unmount();
            result.and_then(|result| closed.map(|()| result))
        };
        let result = result.map_err(self.failed(action))?;
        Ok((result, std::mem::take(&mut window.patches)))
    }

    /// The kind of FAT and the label.
    pub(crate) fn describe(&self) -> Result<String, FatError> {
        let (text, _) = self.work("read the label", |system| {
            let kind = match system.fat_type() {
                FatType::Fat12 => "FAT12",
                FatType::Fat16 => "FAT16",
                FatType::Fat32 => "FAT32",
            };
            let label = system.volume_label();
            let label: String = label.chars().filter(|c| !c.is_control()).collect();
            Ok(match label.trim() {
                "" | "NO NAME" => kind.to_owned(),
                label => format!("{kind} {label:?}"),
            })
        })?;
        Ok(text)
    }

    /// A file of the root folder, `None` if there is none of that name.
    pub(crate) fn read(
        &self,
        name: &str,
        limit: usize,
    ) -> Result<Option<SecretSlice<u8>>, FatError> {
        let (bytes, _) = self.work(&format!("read {name}"), |system| {
            let file = match system.root_dir().open_file(name) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut bytes = Vec::new();
            // One more than allowed, so that the reader sees that it is too long.
            file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
            Ok(Some(SecretSlice::from(bytes)))
        })?;
        Ok(bytes)
    }

    /// Puts a file into the root folder, over an old one of that name: what that held is
    /// overwritten first.
    pub(crate) fn write(&self, name: &str, text: &SecretString) -> Result<Patches, FatError> {
        let ((), patches) = self.work(&format!("write {name}"), |system| {
            let mut file = system.root_dir().create_file(name)?;
            let old = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(0))?;
            let zeros = [0_u8; 4096];
            let mut left = old;
            while left > 0 {
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
                file.write_all(&zeros[..part])?;
                left -= part as u64;
            }
            file.seek(SeekFrom::Start(0))?;
            file.truncate()?;
            file.write_all(text.expose_secret().as_bytes())?;
            file.flush()
        })?;
        Ok(patches)
    }
}
