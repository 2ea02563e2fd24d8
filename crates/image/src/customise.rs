//! Settings into an image: worked out as changes to its bytes, without mounting it, without root,
//! and without touching it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use appliance_first_boot::{FILE_NAME, MAX_BYTES, Problems, Settings};
use secrecy::{ExposeSecret, SecretSlice};

use crate::fat::{Fat, FatError, geometry};
use crate::source::{Image, ImageError, Packing};
use crate::table::{self, Table, TableError};
use crate::window::Below;
use crate::{HEAD, Patches};

mod copy;

pub use copy::write_copy;

/// How much of a compressed image's FAT partition is kept to work on, at most, in bytes.
const KEPT: u64 = 24 << 20;

/// How much is kept beyond the FATs, for FAT32's root folder, in bytes.
const BEYOND: u64 = 4 << 20;

/// Why an image could not be customised.
#[derive(Debug, thiserror::Error)]
pub enum CustomiseError {
    /// The image could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image has no partitions.
    #[error("{} cannot be customised: {why}", path.display())]
    Table {
        /// The image or card.
        path: PathBuf,
        /// Why.
        why: TableError,
    },
    /// The image has no FAT partition, or a damaged or full one.
    #[error("{} cannot be customised", path.display())]
    Fat {
        /// The image or card.
        path: PathBuf,
        /// Why.
        source: FatError,
    },
    /// The customised image could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The new image.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is on an image or a card, as far as settings are concerned.
#[derive(Debug)]
pub struct Found {
    /// Its partitions.
    pub table: Table,
    /// The number of the FAT partition.
    pub fat_partition: u32,
    /// Its kind and label.
    pub fat: String,
    /// The settings that wait for the first boot; `None` if there are none.
    pub settings: Option<Result<Settings, Problems>>,
    /// The settings file as it is.
    pub(crate) settings_text: Option<SecretSlice<u8>>,
    /// What the box wrote when it took over settings.
    pub applied: Option<String>,
    /// What the box wrote when it could not.
    pub error: Option<String>,
}

/// The changes that put `settings` into the image.
///
/// # Errors
/// [`CustomiseError`]; the image is only read.
pub fn patches(image: &Image, settings: &Settings) -> Result<Patches, CustomiseError> {
    let (below, table) = prepare(image)?;
    let path = image.path();
    let fat = Fat::find(&below, &table).map_err(fat_error(path))?;
    fat.write(FILE_NAME, &settings.render())
        .map_err(fat_error(path))
}

/// The changes that put a settings file, as it is, into the image.
pub(crate) fn patches_of_text(
    image: &Image,
    text: &SecretSlice<u8>,
) -> Result<Patches, CustomiseError> {
    let (below, table) = prepare(image)?;
    let path = image.path();
    let fat = Fat::find(&below, &table).map_err(fat_error(path))?;
    let text = String::from_utf8_lossy(text.expose_secret()).into_owned();
    fat.write(FILE_NAME, &text.into()).map_err(fat_error(path))
}

/// Looks what is on an image.
///
/// # Errors
/// [`CustomiseError`].
pub fn look(image: &Image) -> Result<Found, CustomiseError> {
    let (below, table) = prepare(image)?;
    found(image.path(), &below, table)
}

/// Looks what is on a card, or a file that stands for one.
///
/// # Errors
/// [`CustomiseError`].
pub fn look_at_device(path: &Path) -> Result<Found, CustomiseError> {
    let read = |source| {
        CustomiseError::Image(ImageError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let file = File::open(path).map_err(read)?;
    let table = table_of(&file, path)?;
    found(path, &Below::File(file), table)
}

fn found(path: &Path, below: &Below, table: Table) -> Result<Found, CustomiseError> {
    let fat = Fat::find(below, &table).map_err(fat_error(path))?;
    let read = |name: &str| fat.read(name, MAX_BYTES).map_err(fat_error(path));
    let text = |name: &str| -> Result<Option<String>, CustomiseError> {
        let bytes = read(name)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes.expose_secret()).into_owned()))
    };
    let settings_text = read(FILE_NAME)?;
    Ok(Found {
        fat_partition: fat.number(),
        fat: fat.describe().map_err(fat_error(path))?,
        settings: settings_text
            .as_ref()
            .map(|text| Settings::parse(text.expose_secret())),
        settings_text,
        applied: text(appliance_first_boot::APPLIED_FILE_NAME)?,
        error: text(appliance_first_boot::ERROR_FILE_NAME)?,
        table,
    })
}

fn fat_error(path: &Path) -> impl Fn(FatError) -> CustomiseError {
    let path = path.to_owned();
    move |source| CustomiseError::Fat {
        path: path.clone(),
        source,
    }
}

fn table_of(file: &File, path: &Path) -> Result<Table, CustomiseError> {
    let mut start = vec![0; HEAD as usize];
    let mut filled = 0;
    while filled < start.len() {
        let count = file
            .read_at(&mut start[filled..], filled as u64)
            .map_err(|source| ImageError::Read {
                path: path.to_owned(),
                source,
            })?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    table_in(&start[..filled], path)
}

fn table_in(start: &[u8], path: &Path) -> Result<Table, CustomiseError> {
    table::read(start).map_err(|why| CustomiseError::Table {
        path: path.to_owned(),
        why,
    })
}

/// What customising has to see of an image: all of a raw one, and of a compressed one the start
/// of the disk and the start of the FAT partition.
fn prepare(image: &Image) -> Result<(Below, Table), CustomiseError> {
    let path = image.path();
    if image.packing() == Packing::Raw {
        let file = File::open(path).map_err(|source| ImageError::Read {
            path: path.to_owned(),
            source,
        })?;
        let table = table_of(&file, path)?;
        return Ok((Below::File(file), table));
    }
    let mut stream = image.stream_with(false)?;
    let mut start = vec![0; HEAD as usize];
    let count = stream.fill(&mut start)?;
    start.truncate(count);
    let table = table_in(&start, path)?;
    let mut parts = vec![(0, start)];
    let mut place = count as u64;
    let mut candidates: Vec<_> = table
        .partitions
        .iter()
        .filter(|part| part.may_be_fat)
        .collect();
    candidates.sort_by_key(|part| part.start);
    for partition in candidates {
        // One that begins within what was read already is too small to be the firmware's.
        let Some(gap) = partition.start.checked_sub(place) else {
            continue;
        };
        stream.skip(gap)?;
        let mut bytes = vec![0; 4096];
        let count = stream.fill(&mut bytes)?;
        place = partition.start + count as u64;
        let Some(geometry) = geometry(&bytes[..count]) else {
            continue;
        };
        let kept = (geometry.metadata + BEYOND).min(geometry.end).min(KEPT);
        let from = bytes.len();
        bytes.resize((kept as usize).max(from), 0);
        let more = stream.fill(&mut bytes[from..])?;
        bytes.truncate(from + more);
        parts.push((partition.start, bytes));
        break;
    }
    Ok((Below::Parts(parts), table))
}
