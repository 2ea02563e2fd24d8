use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};

use super::system_config;
use crate::auth::Caller;
use crate::database::metadata;
use crate::error::{Answer, Refusal};
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
    let flag = async |key: &str, field: &str| -> Answer<bool> {
        let value = metadata(&client, key).await?;
        Ok(value.is_some_and(|value| value[field] == true))
    };
    let system = system_config::effective(metadata(&client, "system-config").await?);
    Ok(Json(json!({
        "loginPageMessage": system["server"]["loginPageMessage"],
        "trashDays": system["trash"]["days"],
        "userDeleteDelay": system["user"]["deleteDelay"],
        "oauthButtonText": system["oauth"]["buttonText"],
        "isInitialized": initialized,
        "isOnboarded": flag("admin-onboarding", "isOnboarded").await?,
        "externalDomain": system["server"]["externalDomain"],
        "publicUsers": system["server"]["publicUsers"],
        "mapDarkStyleUrl": system["map"]["darkStyle"],
        "mapLightStyleUrl": system["map"]["lightStyle"],
        "maintenanceMode": flag("maintenance-mode", "isMaintenanceMode").await?,
    })))
}

pub(super) async fn version() -> Json<Value> {
    let (major, minor, patch) = crate::VERSION;
    Json(json!({ "major": major, "minor": minor, "patch": patch }))
}

pub(super) async fn about(caller: Caller) -> Answer<Json<Value>> {
    caller.needs("server.about")?;
    let (major, minor, patch) = crate::VERSION;
    let version = format!("v{major}.{minor}.{patch}");
    Ok(Json(json!({
        "version": version,
        "versionUrl": format!("https://github.com/immich-app/immich/releases/tag/{version}"),
        "licensed": false,
        "build": "stand-in",
    })))
}

pub(super) async fn storage(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    caller.needs("server.storage")?;
    let disk =
        statvfs(&app.settings.media).map_err(|error| Refusal::internal("media folder", error))?;
    let block = disk.fragment_size();
    let (size, free, available) = (
        disk.blocks() * block,
        disk.blocks_free() * block,
        disk.blocks_available() * block,
    );
    let used = size - free;
    #[expect(clippy::cast_precision_loss, reason = "a percentage with two digits")]
    let percentage = (used as f64 / size.max(1) as f64 * 10000.0).round() / 100.0;
    Ok(Json(json!({
        "diskSize": human(size),
        "diskUse": human(used),
        "diskAvailable": human(available),
        "diskSizeRaw": size,
        "diskUseRaw": used,
        "diskAvailableRaw": available,
        "diskUsagePercentage": percentage,
    })))
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let number = bytes as f64 / (1_u64 << (10 * unit)) as f64;
    format!("{number:.1} {}", UNITS[unit as usize])
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
