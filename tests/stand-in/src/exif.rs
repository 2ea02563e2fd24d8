use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use exif::{Exif, In, Tag, Value};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// What of a photo's EXIF data is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// When it was taken.
    pub(crate) taken: Option<Timestamp>,
    /// When it was taken, by the clock on the wall.
    pub(crate) local: Option<DateTime>,
    /// The wall's time zone, where the photo tells it.
    pub(crate) zone: Option<String>,
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) width: Option<i32>,
    pub(crate) height: Option<i32>,
}

/// Reads a file's EXIF data; a file without any has no facts.
pub(crate) fn read(path: &Path) -> Facts {
    let Ok(file) = File::open(path) else {
        return Facts::default();
    };
    let container = exif::Reader::new().read_from_container(&mut BufReader::new(file));
    container.map_or_else(|_| Facts::default(), |exif| facts(&exif))
}

fn facts(exif: &Exif) -> Facts {
    let local = text(exif, Tag::DateTimeOriginal).and_then(|text| wall_clock(&text));
    let zone = text(exif, Tag::OffsetTimeOriginal);
    let offset = zone.as_deref().and_then(offset);
    Facts {
        taken: local.and_then(|local| {
            let zone = offset.map_or(TimeZone::UTC, TimeZone::fixed);
            Some(local.to_zoned(zone).ok()?.timestamp())
        }),
        local,
        zone: offset.and(zone).map(|zone| format!("UTC{zone}")),
        make: text(exif, Tag::Make),
        model: text(exif, Tag::Model),
        width: number(exif, Tag::PixelXDimension),
        height: number(exif, Tag::PixelYDimension),
    }
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => {
            let text = String::from_utf8_lossy(parts.first()?);
            let text = text.trim_matches(['\0', ' ']);
            (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
        }
        _ => None,
    }
}

fn number(exif: &Exif, tag: Tag) -> Option<i32> {
    let value = exif.get_field(tag, In::PRIMARY)?.value.get_uint(0)?;
    i32::try_from(value).ok()
}

/// `2024:01:15 19:30:00`.
fn wall_clock(text: &str) -> Option<DateTime> {
    DateTime::strptime("%Y:%m:%d %H:%M:%S", text).ok()
}

/// `+01:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_clock_is_read() {
        assert_eq!(
            wall_clock("2024:01:15 19:30:00"),
            Some(jiff::civil::datetime(2024, 1, 15, 19, 30, 0, 0))
        );
        assert_eq!(wall_clock("0000:00:00 00:00:00"), None);
        assert_eq!(offset("+01:30").map(Offset::seconds), Some(5400));
        assert_eq!(offset("-08:00").map(Offset::seconds), Some(-28800));
        assert_eq!(offset("Z"), None);
    }
}
