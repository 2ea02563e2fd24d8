use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use deadpool_postgres::Object;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asset_view::{COLUMNS, view};
use super::users::user;
use super::{Body, Id, iso};
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::server::App;
use crate::version::ImmichVersion;

pub(super) async fn list(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Vec<Value>>> {
    caller.needs("album.read")?;
    let client = app.pool.get().await?;
    let rows = client
        .query(
            &format!(
                "SELECT id FROM album a WHERE {} = $1 AND \"deletedAt\" IS NULL
                 ORDER BY \"createdAt\" DESC",
                owner(app.settings.version)
            ),
            &[&caller.id],
        )
        .await?;
    let mut albums = Vec::new();
    for row in rows {
        albums.push(show(&app, &client, row.get(0), false).await?);
    }
    Ok(Json(albums))
}

pub(super) async fn read(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Answer<Json<Value>> {
    caller.needs("album.read")?;
    let client = app.pool.get().await?;
    own(&app, &client, &caller, id, "album.read").await?;
    Ok(Json(show(&app, &client, id, true).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewAlbum {
    album_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    asset_ids: Vec<Uuid>,
}

pub(super) async fn create(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(album): Body<NewAlbum>,
) -> Answer<impl IntoResponse> {
    caller.needs("album.create")?;
    let client = app.pool.get().await?;
    let sql = if app.settings.version.is_3() {
        "WITH new AS (INSERT INTO album (\"albumName\", description) VALUES ($2, $3) RETURNING id)
         INSERT INTO album_user (\"albumId\", \"userId\", role) SELECT id, $1::uuid, 'owner' FROM new
         RETURNING \"albumId\""
    } else {
        "INSERT INTO album (\"ownerId\", \"albumName\", description) VALUES ($1, $2, $3)
         RETURNING id"
    };
    let id: Uuid = client
        .query_one(sql, &[&caller.id, &album.album_name, &album.description])
        .await?
        .get(0);
    // Assets that are not the caller's own are left out without a word, as in Immich.
    put(&client, &caller, id, &album.asset_ids).await?;
    Ok((
        StatusCode::CREATED,
        Json(show(&app, &client, id, true).await?),
    ))
}

pub(super) async fn delete(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Answer<StatusCode> {
    caller.needs("album.delete")?;
    let client = app.pool.get().await?;
    own(&app, &client, &caller, id, "album.delete").await?;
    client
        .execute("DELETE FROM album WHERE id = $1", &[&id])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Ids {
    ids: Vec<Uuid>,
}

pub(super) async fn add(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
    Body(assets): Body<Ids>,
) -> Answer<Json<Vec<Value>>> {
    caller.needs("albumAsset.create")?;
    let client = app.pool.get().await?;
    own(&app, &client, &caller, id, "albumAsset.create").await?;
    Ok(Json(put(&client, &caller, id, &assets.ids).await?))
}

/// The fate of each asset that is put into an album.
async fn put(client: &Object, caller: &Caller, album: Uuid, ids: &[Uuid]) -> Answer<Vec<Value>> {
    let mut fates = Vec::new();
    for id in ids {
        let mine: bool = client
            .query_one(
                "SELECT EXISTS (SELECT FROM asset WHERE id = $1 AND \"ownerId\" = $2)",
                &[id, &caller.id],
            )
            .await?
            .get(0);
        let error = if mine {
            let new = client
                .execute(
                    "INSERT INTO album_asset (\"albumId\", \"assetId\") VALUES ($1, $2)
                     ON CONFLICT DO NOTHING",
                    &[&album, id],
                )
                .await?;
            (new == 0).then_some("duplicate")
        } else {
            Some("no_permission")
        };
        let mut fate = json!({ "id": id, "success": error.is_none() });
        if let Some(error) = error {
            fate["error"] = error.into();
        }
        fates.push(fate);
    }
    Ok(fates)
}

/// The owner of the album `a`.
fn owner(version: ImmichVersion) -> &'static str {
    if version.is_3() {
        "(SELECT u.\"userId\" FROM album_user u WHERE u.\"albumId\" = a.id AND u.role = 'owner')"
    } else {
        "a.\"ownerId\""
    }
}

async fn own(
    app: &App,
    client: &Object,
    caller: &Caller,
    id: Uuid,
    permission: &str,
) -> Answer<()> {
    let own: bool = client
        .query_one(
            &format!(
                "SELECT EXISTS (SELECT FROM album a WHERE a.id = $1 AND {} = $2)",
                owner(app.settings.version)
            ),
            &[&id, &caller.id],
        )
        .await?
        .get(0);
    if own {
        Ok(())
    } else {
        Err(Refusal::bad_request(format!(
            "Not found or no {permission} access"
        )))
    }
}

async fn show(app: &App, client: &Object, id: Uuid, with_assets: bool) -> Answer<Value> {
    let version = app.settings.version;
    let sql = format!(
        "SELECT a.*, {} AS owner FROM album a WHERE id = $1",
        owner(version)
    );
    let album = client.query_one(&sql, &[&id]).await?;
    let owner: Uuid = album.get("owner");
    let user_row = client
        .query_one("SELECT * FROM \"user\" WHERE id = $1", &[&owner])
        .await?;
    let assets = client
        .query(
            &format!(
                "SELECT {COLUMNS} FROM album_asset l JOIN asset a ON a.id = l.\"assetId\"
                 LEFT JOIN asset_exif e ON e.\"assetId\" = a.id
                 WHERE l.\"albumId\" = $1 AND a.\"deletedAt\" IS NULL
                 ORDER BY a.\"fileCreatedAt\" DESC"
            ),
            &[&id],
        )
        .await?;
    let mut view_of_album = json!({
        "id": id,
        "albumName": album.get::<_, String>("albumName"),
        "description": album.get::<_, String>("description"),
        "albumUsers": [],
        "albumThumbnailAssetId": assets.first().map(|row| row.get::<_, Uuid>("id")),
        "shared": false,
        "hasSharedLink": false,
        "assetCount": assets.len(),
        "isActivityEnabled": album.get::<_, bool>("isActivityEnabled"),
        "order": album.get::<_, String>("order"),
        "createdAt": iso(album.get("createdAt")),
        "updatedAt": iso(album.get("updatedAt")),
    });
    if version.is_3() {
        view_of_album["albumUsers"] = json!([{ "user": user(&user_row), "role": "owner" }]);
    } else {
        view_of_album["ownerId"] = owner.to_string().into();
        view_of_album["owner"] = user(&user_row);
        view_of_album["assets"] = json!([]);
    }
    let taken = |row: &tokio_postgres::Row| iso(row.get::<_, Timestamp>("fileCreatedAt"));
    if let (Some(newest), Some(oldest)) = (assets.first(), assets.last()) {
        view_of_album["startDate"] = taken(oldest).into();
        view_of_album["endDate"] = taken(newest).into();
    }
    if with_assets && !version.is_3() {
        view_of_album["assets"] = assets.iter().map(|row| view(version, row, false)).collect();
    }
    Ok(view_of_album)
}
