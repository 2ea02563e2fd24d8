use std::io::{Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderValue, Method};
use ureq::unversioned::multipart::{Form, Part};
use uuid::Uuid;

use super::{Call, Client, Result, Why};

/// A photo or a video.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asset {
    /// The asset.
    pub id: Uuid,
    /// Whose it is.
    pub owner_id: Uuid,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: AssetKind,
    /// The name it was uploaded with.
    pub original_file_name: String,
    /// Where the server keeps the original.
    pub original_path: String,
    /// Base64 of the original's SHA-1.
    pub checksum: String,
    /// When it was taken, as far as known.
    pub file_created_at: Timestamp,
    /// When the file was last changed.
    pub file_modified_at: Timestamp,
    /// Whether it is in the trash.
    pub is_trashed: bool,
    /// Whether Immich found the original missing.
    pub is_offline: bool,
    /// What the photo says of itself, where it was asked for.
    pub exif_info: Option<Exif>,
}

/// What an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AssetKind {
    /// A photo.
    Image,
    /// A video.
    Video,
    /// Anything else.
    #[serde(other)]
    Other,
}

/// What a photo says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exif {
    /// When it was taken.
    pub date_time_original: Option<Timestamp>,
    /// The camera's maker.
    pub make: Option<String>,
    /// The camera.
    pub model: Option<String>,
    /// The original's bytes.
    pub file_size_in_byte: Option<u64>,
}

/// A file to be uploaded.
#[derive(Debug, Clone)]
pub struct NewAsset {
    /// What the uploading device calls it. Immich 2 wants it; it is not sent to Immich 3.
    pub device_asset_id: String,
    /// The uploading device. Immich 2 wants it; it is not sent to Immich 3.
    pub device_id: String,
    /// When it was taken; EXIF data goes first.
    pub file_created_at: Timestamp,
    /// When the file was last changed.
    pub file_modified_at: Timestamp,
}

/// An asset after its upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    /// The asset, new or old.
    pub id: Uuid,
    /// Whether it is new.
    pub status: UploadOutcome,
}

/// Whether an upload brought anything new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UploadOutcome {
    /// A new asset.
    Created,
    /// Immich had this very file already.
    Duplicate,
    /// Anything else, such as a new original for an old asset (Immich 2 only).
    #[serde(other)]
    Other,
}

impl Client {
    /// Uploads a file of any size; it is streamed.
    ///
    /// # Errors
    /// As every call; also when the file cannot be read or has no name in UTF-8.
    pub fn upload_asset(&self, file: &Path, asset: &NewAsset) -> Result<Uploaded> {
        let call = Call::post("upload a file", "/api/assets");
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| {
                call.failed(Why::Invalid(format!(
                    "{} has no name that Immich can keep",
                    file.display()
                )))
            })?;
        let part = Part::file(file)
            .map_err(|source| {
                call.failed(Why::File {
                    path: file.to_owned(),
                    source,
                })
            })?
            .file_name(&header_safe(name));
        let created = asset.file_created_at.to_string();
        let modified = asset.file_modified_at.to_string();
        let mut form = Form::new();
        if self.known_version()?.major < 3 {
            form = form
                .text("deviceAssetId", &asset.device_asset_id)
                .text("deviceId", &asset.device_id);
        }
        let form = form
            .text("fileCreatedAt", &created)
            .text("fileModifiedAt", &modified)
            .part("assetData", part);
        let kind = format!("multipart/form-data; boundary={}", form.boundary());
        let kind = HeaderValue::from_str(&kind)
            .map_err(|error| call.failed(Why::Invalid(error.to_string())))?;
        let mut request = self.request(&call, form)?;
        request.headers_mut().insert("content-type", kind);
        let answer = self.accepted(&call, self.agent.run(self.unhurried(request)))?;
        super::read(&call, answer, self.timeouts.stall)
    }

    /// One asset.
    ///
    /// # Errors
    /// As every call; status 400 when there is none with this id, or it is someone else's.
    pub fn asset(&self, id: Uuid) -> Result<Asset> {
        self.fetch(&Call::get("read an asset", format!("/api/assets/{id}")))
    }

    /// Downloads an original into `to`; gives its bytes.
    ///
    /// # Errors
    /// As every call; status 500 when the original is missing on the server's disk; also when `to`
    /// cannot be written.
    pub fn download_original(&self, id: Uuid, to: &mut dyn Write) -> Result<u64> {
        let call = Call::get("download an original", format!("/api/assets/{id}/original"));
        let mut reader = self.download(&call)?;
        transfer(&call, &mut reader, to)
    }

    /// Puts assets into the trash, or with `force` deletes them for good. One asset that is not the
    /// credential's own fails the call and nothing is deleted.
    ///
    /// # Errors
    /// As every call.
    pub fn delete_assets(&self, ids: &[Uuid], force: bool) -> Result<()> {
        #[derive(Serialize)]
        struct Doomed<'a> {
            ids: &'a [Uuid],
            force: bool,
        }
        self.order(
            &Call::new("delete assets", Method::DELETE, "/api/assets"),
            &Doomed { ids, force },
        )
    }
}

/// A file name for a header, where a quote or a line break would end the value.
fn header_safe(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c == '"' || c == '\\' || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect()
}

/// Copies a download, telling the server's failures from this side's.
pub(super) fn transfer(call: &Call, from: &mut impl Read, to: &mut dyn Write) -> Result<u64> {
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(call.failed(Why::Unreachable(error.to_string()))),
        };
        to.write_all(&buffer[..count])
            .map_err(|source| call.failed(Why::Write(source)))?;
        total += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_end_its_header() {
        assert_eq!(header_safe("a\"; x=\"b\r\n.jpg"), "a_; x=_b__.jpg");
        assert_eq!(header_safe("Grüße 🎉.jpg"), "Grüße 🎉.jpg");
    }
}
