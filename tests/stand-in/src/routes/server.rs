use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::system_config;
use crate::auth::Caller;
use crate::database::metadata;
use crate::error::Answer;
use crate::server::App;

pub(super) async fn ping() -> Json<Value> {
    Json(json!({ "res": "pong" }))
}

pub(super) async fn config(State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    let client = app.pool.get().await?;
    let initialized: bool = client
        .query_one(
            "SELECT EXISTS (SELECT FROM \"user\" WHERE \"isAdmin\")",
            &[],
        )
        .await?
        .get(0);
    let onboarded = metadata(&client, "admin-onboarding")
        .await?
        .is_some_and(|value| value["isOnboarded"] == true);
    let system = system_config::effective(&app, metadata(&client, "system-config").await?);
    if app.maintenance.read_again(&client).await? {
        return Ok(crate::maintenance::config());
    }
    let mut answer = json!({
        "loginPageMessage": system["server"]["loginPageMessage"],
        "trashDays": system["trash"]["days"],
        "userDeleteDelay": system["user"]["deleteDelay"],
        "oauthButtonText": system["oauth"]["buttonText"],
        "isInitialized": initialized,
        "isOnboarded": onboarded,
        "externalDomain": system["server"]["externalDomain"],
        "publicUsers": system["server"]["publicUsers"],
        "mapDarkStyleUrl": system["map"]["darkStyle"],
        "mapLightStyleUrl": system["map"]["lightStyle"],
        "maintenanceMode": false,
    });
    if app.settings.version.is_3() {
        answer["minFaces"] = system["machineLearning"]["facialRecognition"]["minFaces"].clone();
    }
    Ok(Json(answer))
}

pub(super) async fn version(State(app): State<Arc<App>>) -> Json<Value> {
    let (major, minor, patch) = app.settings.version.numbers();
    let mut version = json!({ "major": major, "minor": minor, "patch": patch });
    if app.settings.version.is_3() {
        version["prerelease"] = Value::Null;
    }
    Json(version)
}

pub(super) async fn statistics(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    caller.needs_admin("server.statistics")?;
    let client = app.pool.get().await?;
    let rows = client
        .query(
            "SELECT u.id, u.name, u.\"quotaSizeInBytes\",
                count(a.id) FILTER (WHERE a.type = 'IMAGE'),
                count(a.id) FILTER (WHERE a.type = 'VIDEO'),
                coalesce(sum(e.\"fileSizeInByte\") FILTER (WHERE a.type = 'IMAGE'), 0)::bigint,
                coalesce(sum(e.\"fileSizeInByte\") FILTER (WHERE a.type = 'VIDEO'), 0)::bigint
             FROM \"user\" u
             LEFT JOIN asset a ON a.\"ownerId\" = u.id AND a.\"deletedAt\" IS NULL
             LEFT JOIN asset_exif e ON e.\"assetId\" = a.id
             GROUP BY u.id ORDER BY u.\"createdAt\"",
            &[],
        )
        .await?;
    let mut sums = [0_i64; 4];
    let mut users = Vec::new();
    for row in rows {
        let id: uuid::Uuid = row.get(0);
        let numbers: [i64; 4] = std::array::from_fn(|index| row.get(3 + index));
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number;
        }
        let [photos, videos, usage_photos, usage_videos] = numbers;
        users.push(json!({
            "userId": id,
            "userName": row.get::<_, String>(1),
            "quotaSizeInBytes": row.get::<_, Option<i64>>(2),
            "photos": photos,
            "videos": videos,
            "usage": usage_photos + usage_videos,
            "usagePhotos": usage_photos,
            "usageVideos": usage_videos,
        }));
    }
    let [photos, videos, usage_photos, usage_videos] = sums;
    Ok(Json(json!({
        "photos": photos,
        "videos": videos,
        "usage": usage_photos + usage_videos,
        "usagePhotos": usage_photos,
        "usageVideos": usage_videos,
        "usageByUser": users,
    })))
}
