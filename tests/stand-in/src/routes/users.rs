use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Body, iso};
use crate::auth::{Caller, new_secret};
use crate::error::{Answer, Refusal};
use crate::server::App;
use crate::version::ImmichVersion;

/// bcrypt's cost; the lowest, for this is no place for real passwords.
const COST: u32 = 4;

#[derive(Deserialize)]
pub(super) struct SignUp {
    email: String,
    password: String,
    name: String,
}

pub(super) async fn admin_sign_up(
    State(app): State<Arc<App>>,
    Body(who): Body<SignUp>,
) -> Answer<impl IntoResponse> {
    if !who.email.contains('@') || who.password.is_empty() || who.name.is_empty() {
        return Err(Refusal::bad_request("email must be an email"));
    }
    let password = tokio::task::spawn_blocking(move || bcrypt::hash(who.password, COST))
        .await
        .map_err(|error| Refusal::internal("hash", error))?
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    let client = app.pool.get().await?;
    let row = client
        .query_opt(
            "INSERT INTO \"user\" (email, name, password, \"isAdmin\", \"shouldChangePassword\")
             SELECT $1, $2, $3, true, false
             WHERE NOT EXISTS (SELECT FROM \"user\" WHERE \"isAdmin\")
             RETURNING *",
            &[&who.email.to_lowercase(), &who.name, &password],
        )
        .await?
        .ok_or_else(|| Refusal::bad_request("The server already has an admin"))?;
    Ok((
        StatusCode::CREATED,
        Json(account(app.settings.version, &row)),
    ))
}

fn account(version: ImmichVersion, row: &Row) -> Value {
    let time = |name: &str| iso(row.get::<_, Timestamp>(name));
    let mut view = user(row);
    let more = json!({
        "isAdmin": row.get::<_, bool>("isAdmin"),
        "shouldChangePassword": row.get::<_, bool>("shouldChangePassword"),
        "storageLabel": "admin",
        "createdAt": time("createdAt"),
        "updatedAt": time("updatedAt"),
        "deletedAt": null,
        "oauthId": row.get::<_, String>("oauthId"),
        "quotaSizeInBytes": row.get::<_, Option<i64>>("quotaSizeInBytes"),
        "quotaUsageInBytes": 0,
        "status": row.get::<_, String>("status"),
        "license": null,
    });
    if let (Some(view), Value::Object(more)) = (view.as_object_mut(), more) {
        view.extend(more);
        if version.is_3() {
            let group: Uuid = row.get("clusterGroupId");
            view.insert("clusterGroupId".to_owned(), group.to_string().into());
        }
    }
    view
}

/// A user as other users see it, from a row with all columns of `"user"`.
pub(super) fn user(row: &Row) -> Value {
    json!({
        "id": row.get::<_, Uuid>("id"),
        "email": row.get::<_, String>("email"),
        "name": row.get::<_, String>("name"),
        "profileImagePath": row.get::<_, String>("profileImagePath"),
        "profileChangedAt": iso(row.get("profileChangedAt")),
        "avatarColor": row.get::<_, String>("avatarColor"),
    })
}

#[derive(Deserialize)]
pub(super) struct Login {
    email: String,
    password: String,
}

pub(super) async fn login(
    State(app): State<Arc<App>>,
    Body(who): Body<Login>,
) -> Answer<impl IntoResponse> {
    let refused = || Refusal::unauthorized("Incorrect email or password");
    let client = app.pool.get().await?;
    let row = client
        .query_opt(
            "SELECT * FROM \"user\" WHERE email = $1 AND \"deletedAt\" IS NULL",
            &[&who.email.to_lowercase()],
        )
        .await?
        .ok_or_else(refused)?;
    let hash: Option<String> = row.get("password");
    let hash = hash.ok_or_else(refused)?;
    let fits = tokio::task::spawn_blocking(move || bcrypt::verify(who.password, &hash))
        .await
        .map_err(|error| Refusal::internal("hash", error))?
        .unwrap_or(false);
    if !fits {
        return Err(refused());
    }
    let (token, hash) = new_secret();
    let id: Uuid = row.get("id");
    client
        .execute(
            "INSERT INTO session (token, \"userId\") VALUES ($1, $2)",
            &[&hash, &id],
        )
        .await?;
    let answer = json!({
        "accessToken": token,
        "userId": id,
        "userEmail": row.get::<_, String>("email"),
        "name": row.get::<_, String>("name"),
        "isAdmin": row.get::<_, bool>("isAdmin"),
        "profileImagePath": row.get::<_, String>("profileImagePath"),
        "shouldChangePassword": row.get::<_, bool>("shouldChangePassword"),
        "isOnboarded": false,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
pub(super) struct NewKey {
    #[serde(default = "default_name")]
    name: String,
    permissions: Vec<String>,
}

/// Those that Immich 3 has beside the ones of Immich 2.
const PERMISSIONS_OF_3: [&str; 13] = [
    "apiKey.rotate",
    "assetFile.read",
    "assetFile.delete",
    "assetFile.download",
    "clusterGroup.read",
    "clusterGroup.leave",
    "clusterGroupRequest.create",
    "clusterGroupRequest.read",
    "clusterGroupRequest.delete",
    "adminConfig.read",
    "adminConfig.update",
    "userConfig.read",
    "workflow.logs",
];

fn default_name() -> String {
    "API Key".to_owned()
}

pub(super) async fn create_api_key(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(wanted): Body<NewKey>,
) -> Answer<impl IntoResponse> {
    caller.needs("apiKey.create")?;
    let mut known: Vec<String> = serde_json::from_str(include_str!("../permissions.json"))
        .map_err(|error| Refusal::internal("permissions", error))?;
    if app.settings.version.is_3() {
        known.retain(|one| one != "asset.replace");
        known.extend(PERMISSIONS_OF_3.map(str::to_owned));
    }
    let unknown = wanted.permissions.iter().any(|one| !known.contains(one));
    if unknown || wanted.permissions.is_empty() {
        return Err(Refusal::bad_request(
            "each value in permissions must be one of the following values: all, ...",
        ));
    }
    if wanted.permissions.iter().any(|one| !caller.may(one)) {
        return Err(Refusal::bad_request(
            "Cannot grant permissions you do not have",
        ));
    }
    let (secret, hash) = new_secret();
    let client = app.pool.get().await?;
    let row = client
        .query_one(
            "INSERT INTO api_key (name, key, \"userId\", permissions) VALUES ($1, $2, $3, $4)
             RETURNING id, \"createdAt\", \"updatedAt\"",
            &[&wanted.name, &hash, &caller.id, &wanted.permissions],
        )
        .await?;
    let key = json!({
        "id": row.get::<_, Uuid>(0),
        "name": wanted.name,
        "createdAt": iso(row.get(1)),
        "updatedAt": iso(row.get(2)),
        "permissions": wanted.permissions,
    });
    let mut answer = json!({ "secret": secret, "apiKey": key });
    if let (true, Some(answer), Value::Object(key)) =
        (app.settings.version.is_3(), answer.as_object_mut(), key)
    {
        // Immich 3 says the same twice.
        answer.extend(key);
    }
    Ok((StatusCode::CREATED, Json(answer)))
}
