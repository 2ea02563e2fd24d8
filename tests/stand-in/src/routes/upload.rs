use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::Field;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use sha1::{Digest, Sha1};
use tokio::io::AsyncWriteExt;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::asset_view::mime;
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::exif::Facts;
use crate::media::place;
use crate::server::App;
use crate::{exif, thumbnail};

/// A file that has arrived.
struct Arrived {
    path: PathBuf,
    name: String,
    bytes: i64,
    sha1: Vec<u8>,
}

pub(super) async fn upload(
    caller: Caller,
    State(app): State<Arc<App>>,
    mut form: Multipart,
) -> Answer<impl IntoResponse> {
    caller.needs("asset.upload")?;
    let (mut fields, mut arrived) = (HashMap::new(), None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "assetData" {
            arrived = Some(receive(&app, caller.id, field).await?);
        } else {
            fields.insert(name, field.text().await.map_err(broken)?);
        }
    }
    let arrived = arrived.ok_or_else(|| Refusal::bad_request("assetData should not be empty"))?;
    // A file whose form is refused stays in upload/, as in Immich.
    let text = |name: &str| {
        let value = fields.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::bad_request(format!("{name} should not be empty")))
    };
    let time = |name: &str| {
        let value: Result<Timestamp, _> = text(name)?.parse();
        value.map_err(|_| Refusal::bad_request(format!("{name} must be a Date instance")))
    };
    let form = Form {
        device: if app.settings.version.is_3() {
            None
        } else {
            Some((text("deviceAssetId")?.clone(), text("deviceId")?.clone()))
        },
        created: time("fileCreatedAt")?,
        modified: time("fileModifiedAt")?,
    };
    let (id, new) = record(&app, &caller, &form, &arrived).await?;
    let (status, word) = if new {
        (StatusCode::CREATED, "created")
    } else {
        tokio::fs::remove_file(&arrived.path).await?;
        (StatusCode::OK, "duplicate")
    };
    Ok((status, Json(json!({ "id": id, "status": word }))))
}

fn broken(error: axum::extract::multipart::MultipartError) -> Refusal {
    Refusal::bad_request(error.body_text())
}

/// Streams the file to its place, at the speed of the disk and of SHA-1.
async fn receive(app: &App, user: Uuid, mut field: Field<'_>) -> Answer<Arrived> {
    let name = field.file_name().unwrap_or_default().to_owned();
    if mime(&name).is_none() {
        return Err(Refusal::bad_request(format!(
            "Unsupported file type {name}"
        )));
    }
    let ending = Path::new(&name)
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let file_name = format!("{}.{ending}", Uuid::new_v4());
    let path = place(&app.settings.media, "upload", &user.to_string(), &file_name);
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let file = tokio::fs::File::create_new(&path).await?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 20, file);
    let (mut sha1, mut bytes) = (Sha1::new(), 0);
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        sha1.update(&chunk);
        bytes += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    Ok(Arrived {
        path,
        name,
        bytes,
        sha1: sha1.finalize().to_vec(),
    })
}

struct Form {
    /// The device's name of the asset, and the device's own, which Immich 3 no longer takes.
    device: Option<(String, String)>,
    created: Timestamp,
    modified: Timestamp,
}

/// Gives the asset and whether it is new: the same file of the same owner is one asset.
async fn record(app: &App, caller: &Caller, form: &Form, file: &Arrived) -> Answer<(Uuid, bool)> {
    let path = file.path.clone();
    let facts = tokio::task::spawn_blocking(move || exif::read(&path))
        .await
        .map_err(|error| Refusal::internal("read EXIF data", error))?;
    // What the photo says goes first; else the earlier of the file's own dates.
    let taken = facts.taken.unwrap_or(form.created.min(form.modified));
    let local = match facts.local {
        Some(local) => local
            .to_zoned(TimeZone::UTC)
            .map_or(taken, |local| local.timestamp()),
        None => taken,
    };
    let kind = match mime(&file.name) {
        Some(mime) if mime.starts_with("video/") => "VIDEO",
        _ => "IMAGE",
    };
    let mut client = app.pool.get().await?;
    let transaction = client.transaction().await?;
    let path = file.path.to_string_lossy();
    let mut columns = vec![
        "ownerId",
        "type",
        "originalPath",
        "originalFileName",
        "checksum",
        "fileCreatedAt",
        "fileModifiedAt",
        "localDateTime",
    ];
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &caller.id,
        &kind,
        &path,
        &file.name,
        &file.sha1,
        &taken,
        &form.modified,
        &local,
    ];
    if let Some((asset, device)) = &form.device {
        columns.extend(["deviceAssetId", "deviceId"]);
        values.extend([asset as &(dyn ToSql + Sync), device]);
    }
    let places: Vec<_> = (1..=columns.len()).map(|at| format!("${at}")).collect();
    let sql = format!(
        "INSERT INTO asset (\"{}\") VALUES ({})
         ON CONFLICT (\"ownerId\", checksum) WHERE \"libraryId\" IS NULL DO NOTHING
         RETURNING id",
        columns.join("\", \""),
        places.join(", ")
    );
    let row = transaction.query_opt(&sql, &values).await?;
    let Some(row) = row else {
        let row = transaction
            .query_one(
                "SELECT id FROM asset WHERE \"ownerId\" = $1 AND checksum = $2",
                &[&caller.id, &file.sha1],
            )
            .await?;
        return Ok((row.get(0), false));
    };
    let id: Uuid = row.get(0);
    record_exif(&transaction, id, &facts, taken, form.modified, file.bytes).await?;
    transaction.commit().await?;
    thumbnail::make(&client, &app.settings.media, caller.id, id, &file.path).await?;
    Ok((id, true))
}

async fn record_exif(
    client: &impl deadpool_postgres::GenericClient,
    asset: Uuid,
    facts: &Facts,
    taken: Timestamp,
    modified: Timestamp,
    bytes: i64,
) -> Answer<()> {
    client
        .execute(
            "INSERT INTO asset_exif (\"assetId\", make, model, \"exifImageWidth\",
                \"exifImageHeight\", \"fileSizeInByte\", \"dateTimeOriginal\", \"modifyDate\",
                \"timeZone\")
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                &asset,
                &facts.make,
                &facts.model,
                &facts.width,
                &facts.height,
                &bytes,
                &taken,
                &modified,
                &facts.zone,
            ],
        )
        .await?;
    Ok(())
}
