use jiff::civil::DateTime;

/// A grey square of 8 by 8 pixels, after its first marker.
const PIXELS: [u8; 137] = [
    0xff, 0xdb, 0x00, 0x43, 0x00, 0x10, 0x0b, 0x0c, 0x0e, 0x0c, 0x0a, 0x10, 0x0e, 0x0d, 0x0e, 0x12,
    0x11, 0x10, 0x13, 0x18, 0x28, 0x1a, 0x18, 0x16, 0x16, 0x18, 0x31, 0x23, 0x25, 0x1d, 0x28, 0x3a,
    0x33, 0x3d, 0x3c, 0x39, 0x33, 0x38, 0x37, 0x40, 0x48, 0x5c, 0x4e, 0x40, 0x44, 0x57, 0x45, 0x37,
    0x38, 0x50, 0x6d, 0x51, 0x57, 0x5f, 0x62, 0x67, 0x68, 0x67, 0x3e, 0x4d, 0x71, 0x79, 0x70, 0x64,
    0x78, 0x5c, 0x65, 0x67, 0x63, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x08, 0x00, 0x08, 0x01, 0x01,
    0x11, 0x00, 0xff, 0xc4, 0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xda,
    0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0x3f,
];

/// A small JPEG with EXIF data: taken at `taken`, in the zone +01:00, by a camera of the maker
/// "Stand-in". Each `number` gives another file.
#[must_use]
pub fn photo(number: u64, taken: DateTime) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    segment(&mut jpeg, 0xe1, &[b"Exif\0\0", &exif(taken)[..]].concat());
    segment(&mut jpeg, 0xfe, format!("number {number}").as_bytes());
    jpeg.extend(PIXELS);
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

fn segment(jpeg: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX);
    jpeg.extend([0xff, marker]);
    jpeg.extend(length.to_be_bytes());
    jpeg.extend(content);
}

/// A little-endian TIFF with a directory for the maker and one for the time.
fn exif(taken: DateTime) -> Vec<u8> {
    const ASCII: u16 = 2;
    const LONG: u16 = 4;
    let make = b"Stand-in\0";
    let time = taken.strftime("%Y:%m:%d %H:%M:%S\0").to_string();
    let zone = b"+01:00\0";
    // A directory is its count, 12 bytes an entry, and the next one's offset.
    let directory = |entries: u32| 2 + 12 * entries + 4;
    let second = 8 + directory(2);
    let make_at = second + directory(2);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default();
    let time_at = make_at + length(make);
    let zone_at = time_at + length(time.as_bytes());

    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let mut entries = |list: [(u16, u16, u32, u32); 2]| {
        tiff.extend(2_u16.to_le_bytes());
        for (tag, kind, count, value) in list {
            tiff.extend(tag.to_le_bytes());
            tiff.extend(kind.to_le_bytes());
            tiff.extend(count.to_le_bytes());
            tiff.extend(value.to_le_bytes());
        }
        tiff.extend(0_u32.to_le_bytes());
    };
    entries([
        (0x010f, ASCII, length(make), make_at),
        (0x8769, LONG, 1, second),
    ]);
    entries([
        (0x9003, ASCII, length(time.as_bytes()), time_at),
        (0x9011, ASCII, length(zone), zone_at),
    ]);
    tiff.extend(make);
    tiff.extend(time.as_bytes());
    tiff.extend(zone);
    tiff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_tells_when_it_was_taken() {
        let taken = jiff::civil::datetime(2021, 6, 1, 12, 30, 5, 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), photo(1, taken)).unwrap();
        let facts = crate::exif::read(file.path());
        assert_eq!(facts.local, Some(taken));
        assert_eq!(facts.zone.as_deref(), Some("UTC+01:00"));
        assert_eq!(facts.make.as_deref(), Some("Stand-in"));
        assert_eq!(
            facts.taken.map(|taken| taken.to_string()).as_deref(),
            Some("2021-06-01T11:30:05Z")
        );
        assert_ne!(photo(1, taken), photo(2, taken));
    }
}
