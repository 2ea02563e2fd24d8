use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Body;
use super::asset_view::{COLUMNS, view};
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::server::App;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default)]
    album_ids: Vec<Uuid>,
    taken_before: Option<Timestamp>,
    taken_after: Option<Timestamp>,
    original_file_name: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    with_deleted: bool,
    #[serde(default)]
    with_exif: bool,
    #[serde(default = "first")]
    page: i64,
    #[serde(default = "usual")]
    size: i64,
}

fn first() -> i64 {
    1
}

fn usual() -> i64 {
    250
}

pub(super) async fn metadata(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(wanted): Body<Wanted>,
) -> Answer<Json<Value>> {
    caller.needs("asset.read")?;
    if wanted.page < 1 || !(1..=1000).contains(&wanted.size) {
        return Err(Refusal::bad_request("size must not be greater than 1000"));
    }
    let checksum = match &wanted.checksum {
        Some(text) => Some(
            STANDARD
                .decode(text)
                .map_err(|_| Refusal::bad_request("checksum must be base64"))?,
        ),
        None => None,
    };
    let pattern = wanted
        .original_file_name
        .as_ref()
        .map(|name| format!("%{}%", name.replace(['%', '_', '\\'], "_")));
    // One more than wanted tells whether there is a next page.
    let (limit, offset) = (wanted.size + 1, (wanted.page - 1) * wanted.size);
    let sql = format!(
        "SELECT {COLUMNS} FROM asset a LEFT JOIN asset_exif e ON e.\"assetId\" = a.id
         WHERE a.\"ownerId\" = $1
         AND (cardinality($2::uuid[]) = 0 OR EXISTS (SELECT FROM album_asset l
             WHERE l.\"assetId\" = a.id AND l.\"albumId\" = ANY($2)))
         AND ($3::timestamptz IS NULL OR a.\"fileCreatedAt\" <= $3)
         AND ($4::timestamptz IS NULL OR a.\"fileCreatedAt\" >= $4)
         AND ($5::text IS NULL OR a.\"originalFileName\" ILIKE $5)
         AND ($6::bytea IS NULL OR a.checksum = $6)
         AND ($7 OR a.\"deletedAt\" IS NULL)
         ORDER BY a.\"fileCreatedAt\" DESC, a.id LIMIT $8 OFFSET $9"
    );
    let values: [&(dyn ToSql + Sync); 9] = [
        &caller.id,
        &wanted.album_ids,
        &wanted.taken_before,
        &wanted.taken_after,
        &pattern,
        &checksum,
        &wanted.with_deleted,
        &limit,
        &offset,
    ];
    let client = app.pool.get().await?;
    let mut rows = client.query(&sql, &values).await?;
    let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let version = app.settings.version;
    let items: Vec<_> = rows
        .iter()
        .map(|row| view(version, row, wanted.with_exif))
        .collect();
    let mut answer = json!({
        "albums": { "total": 0, "count": 0, "items": [], "facets": [] },
        "assets": {
            "total": items.len(),
            "count": items.len(),
            "facets": [],
            "nextPage": more.then(|| (wanted.page + 1).to_string()),
            "items": items,
        },
    });
    if version.is_3() {
        answer["assets"]["nextCursor"] = Value::Null;
    }
    Ok(Json(answer))
}
