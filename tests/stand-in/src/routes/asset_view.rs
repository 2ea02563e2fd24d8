use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::iso;
use crate::version::ImmichVersion;

/// What every query for assets selects, for [`view`].
pub(super) const COLUMNS: &str =
    "a.*, e.make, e.model, e.\"exifImageWidth\", e.\"exifImageHeight\",
    e.\"fileSizeInByte\", e.\"dateTimeOriginal\", e.\"modifyDate\", e.\"timeZone\", e.description";

/// What Immich 2 says of a photo's length.
const NO_DURATION: &str = "0:00:00.00000";

/// An asset as the API shows it.
pub(super) fn view(version: ImmichVersion, row: &Row, with_exif: bool) -> Value {
    let time = |name: &str| iso(row.get::<_, Timestamp>(name));
    let text = |name: &str| row.get::<_, String>(name);
    let visibility = text("visibility");
    let mut view = json!({
        "id": row.get::<_, Uuid>("id"),
        "createdAt": time("createdAt"),
        "ownerId": row.get::<_, Uuid>("ownerId"),
        "libraryId": row.get::<_, Option<Uuid>>("libraryId"),
        "type": text("type"),
        "originalPath": text("originalPath"),
        "originalFileName": text("originalFileName"),
        "originalMimeType": mime(&text("originalFileName")),
        "thumbhash": null,
        "fileCreatedAt": time("fileCreatedAt"),
        "fileModifiedAt": time("fileModifiedAt"),
        "localDateTime": time("localDateTime"),
        "updatedAt": time("updatedAt"),
        "isFavorite": row.get::<_, bool>("isFavorite"),
        "isArchived": visibility == "archive",
        "isTrashed": row.get::<_, Option<Timestamp>>("deletedAt").is_some(),
        "isOffline": row.get::<_, bool>("isOffline"),
        "isEdited": false,
        "visibility": visibility,
        "livePhotoVideoId": row.get::<_, Option<Uuid>>("livePhotoVideoId"),
        "people": [],
        "tags": [],
        "checksum": STANDARD.encode(row.get::<_, Vec<u8>>("checksum")),
        "duplicateId": null,
        "resized": true,
        "hasMetadata": true,
        "width": row.get::<_, Option<i32>>("exifImageWidth"),
        "height": row.get::<_, Option<i32>>("exifImageHeight"),
    });
    if version.is_3() {
        view["duration"] = row.get::<_, Option<i32>>("duration").into();
    } else {
        view["deviceAssetId"] = text("deviceAssetId").into();
        view["deviceId"] = text("deviceId").into();
        let duration = row.get::<_, Option<String>>("duration");
        view["duration"] = duration.unwrap_or_else(|| NO_DURATION.to_owned()).into();
    }
    if with_exif {
        view["exifInfo"] = exif(row);
    }
    view
}

fn exif(row: &Row) -> Value {
    let time = |name: &str| row.get::<_, Option<Timestamp>>(name).map(iso);
    json!({
        "make": row.get::<_, Option<String>>("make"),
        "model": row.get::<_, Option<String>>("model"),
        "exifImageWidth": row.get::<_, Option<i32>>("exifImageWidth"),
        "exifImageHeight": row.get::<_, Option<i32>>("exifImageHeight"),
        "fileSizeInByte": row.get::<_, Option<i64>>("fileSizeInByte"),
        "dateTimeOriginal": time("dateTimeOriginal"),
        "modifyDate": time("modifyDate"),
        "timeZone": row.get::<_, Option<String>>("timeZone"),
        "description": row.get::<_, Option<String>>("description"),
    })
}

/// The types that are taken at all.
const TYPES: [(&str, &str); 14] = [
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("avif", "image/avif"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("dng", "image/dng"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
];

/// A file's type by its name; `None` for one that is not taken.
pub(super) fn mime(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let (_, mime) = TYPES.iter().find(|(known, _)| *known == ending)?;
    Some(mime)
}
