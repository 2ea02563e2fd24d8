//! A generated set of photos: small JPEGs that differ, each with the EXIF date it was
//! "taken" at, so that an upload has something real to sort by. The same number gives
//! the same bytes.

use std::io;
use std::path::{Path, PathBuf};

use jpeg_encoder::{ColorType, Encoder, EncodingError};

const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;

/// A photo on this machine.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Its file.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Writes `count` photos into `folder`, which is made if it is missing.
///
/// # Errors
/// If the folder does not take them.
pub fn generate(folder: &Path, count: u32) -> io::Result<Vec<Photo>> {
    std::fs::create_dir_all(folder)?;
    (0..count)
        .map(|number| {
            let bytes = photo(number).map_err(io::Error::other)?;
            let path = folder.join(format!("IMG_{:04}.jpg", number + 1));
            std::fs::write(&path, &bytes)?;
            Ok(Photo { path, bytes })
        })
        .collect()
}

/// The content of the photo with this number.
///
/// # Errors
/// If the encoder refuses.
pub fn photo(number: u32) -> Result<Vec<u8>, EncodingError> {
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (x, y) = (u32::from(x), u32::from(y));
            let sky = y * 255 / u32::from(HEIGHT);
            let hill = u32::from(y > 120 + (x * (number % 7 + 1) / 9) % 60);
            let speck = (x * 31 + y * 17 + number * 101) % 23;
            pixels.push(low(sky + number * 5 + speck));
            pixels.push(low(sky * 2 / 3 + hill * 90 + speck));
            pixels.push(low(512 - sky + number * 11 - hill * 80));
        }
    }
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 80);
    encoder.add_app_segment(1, exif(&taken(number)))?;
    encoder.encode(&pixels, WIDTH, HEIGHT, ColorType::Rgb)?;
    Ok(jpeg)
}

/// When the photo was taken, as EXIF writes it: one photo every nine days from 2019 on.
pub fn taken(number: u32) -> String {
    let day = number * 9;
    let (year, day) = (2019 + day / 336, day % 336);
    format!(
        "{year}:{:02}:{:02} {:02}:{:02}:00",
        day / 28 + 1,
        day % 28 + 1,
        8 + number % 12,
        number % 60
    )
}

fn low(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

/// A little-endian TIFF block with one entry in the Exif directory: DateTimeOriginal.
fn exif(taken: &str) -> Vec<u8> {
    const ASCII: u16 = 2;
    const LONG: u16 = 4;
    const EXIF_DIRECTORY: u16 = 0x8769;
    const DATE_TIME_ORIGINAL: u16 = 0x9003;
    // Header 8 bytes; a directory of one entry takes 2 + 12 + 4.
    const FIRST: u32 = 8;
    const SECOND: u32 = FIRST + 18;
    const TEXT: u32 = SECOND + 18;

    let mut block = b"Exif\0\0II*\0".to_vec();
    block.extend(FIRST.to_le_bytes());
    let mut directory = |tag: u16, kind: u16, count: u32, value: u32| {
        block.extend(1u16.to_le_bytes());
        block.extend(tag.to_le_bytes());
        block.extend(kind.to_le_bytes());
        block.extend(count.to_le_bytes());
        block.extend(value.to_le_bytes());
        block.extend(0u32.to_le_bytes());
    };
    directory(EXIF_DIRECTORY, LONG, 1, SECOND);
    // 19 characters and their final zero byte.
    directory(DATE_TIME_ORIGINAL, ASCII, 20, TEXT);
    block.extend(taken.as_bytes());
    block.push(0);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_differ_and_are_the_same_each_time() {
        assert_ne!(photo(1).unwrap(), photo(2).unwrap());
        assert_eq!(photo(1).unwrap(), photo(1).unwrap());
    }

    #[test]
    fn a_photo_tells_when_it_was_taken() {
        let jpeg = photo(41).unwrap();
        let mut reader = std::io::Cursor::new(&jpeg);
        let exif = exif::Reader::new()
            .read_from_container(&mut reader)
            .unwrap();
        let field = exif
            .get_field(exif::Tag::DateTimeOriginal, exif::In::PRIMARY)
            .unwrap();
        assert_eq!(
            field.display_value().to_string(),
            taken(41).replacen(':', "-", 2)
        );
    }
}
