use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body as Stream;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use deadpool_postgres::Object;
use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::asset_view::{COLUMNS, mime, view};
use super::{Body, Id};
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::server::App;

/// The caller's own asset; anyone else's is as good as none.
async fn own(client: &Object, caller: &Caller, id: Uuid, permission: &str) -> Answer<Row> {
    let sql = format!(
        "SELECT {COLUMNS} FROM asset a LEFT JOIN asset_exif e ON e.\"assetId\" = a.id
         WHERE a.id = $1 AND a.\"ownerId\" = $2"
    );
    client
        .query_opt(&sql, &[&id, &caller.id])
        .await?
        .ok_or_else(|| no_access(permission))
}

fn no_access(permission: &str) -> Refusal {
    Refusal::bad_request(format!("Not found or no {permission} access"))
}

pub(super) async fn read(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Answer<Json<Value>> {
    caller.needs("asset.read")?;
    let client = app.pool.get().await?;
    let row = own(&client, &caller, id, "asset.read").await?;
    Ok(Json(view(app.settings.version, &row, true)))
}

pub(super) async fn download(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Answer<Response> {
    caller.needs("asset.download")?;
    let client = app.pool.get().await?;
    let row = own(&client, &caller, id, "asset.download").await?;
    drop(client);
    let (path, name): (String, String) = (row.get("originalPath"), row.get("originalFileName"));
    send_file(
        Path::new(&path),
        mime(&name).unwrap_or("application/octet-stream"),
    )
    .await
}

/// Streams a file; one that is gone is an error of the server's, as in Immich.
pub(super) async fn send_file(path: &Path, kind: &str) -> Answer<Response> {
    let file = tokio::fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CACHE_CONTROL, "private, no-cache, no-transform")
        .body(Stream::from_stream(ReaderStream::with_capacity(
            file,
            128 << 10,
        )))
        .map_err(|error| Refusal::internal("answer", error))
}

#[derive(Deserialize)]
pub(super) struct Doomed {
    ids: Vec<Uuid>,
    #[serde(default)]
    force: bool,
}

pub(super) async fn delete(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(doomed): Body<Doomed>,
) -> Answer<StatusCode> {
    caller.needs("asset.delete")?;
    let client = app.pool.get().await?;
    let own: i64 = client
        .query_one(
            "SELECT count(*) FROM asset WHERE id = ANY($1) AND \"ownerId\" = $2",
            &[&doomed.ids, &caller.id],
        )
        .await?
        .get(0);
    let mut distinct = doomed.ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if usize::try_from(own).ok() != Some(distinct.len()) {
        return Err(no_access("asset.delete"));
    }
    if !doomed.force {
        client
            .execute(
                "UPDATE asset SET \"deletedAt\" = now(), status = 'trashed' WHERE id = ANY($1)",
                &[&doomed.ids],
            )
            .await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let files = client
        .query(
            "SELECT \"originalPath\" FROM asset WHERE id = ANY($1)
             UNION ALL SELECT path FROM asset_file WHERE \"assetId\" = ANY($1)",
            &[&doomed.ids],
        )
        .await?;
    client
        .execute("DELETE FROM asset WHERE id = ANY($1)", &[&doomed.ids])
        .await?;
    for file in files {
        let path: String = file.get(0);
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::warn!("Unable to remove file from disk {path}: {error}");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
