use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::server::App;
use crate::{backup, redis, thumbnail};

const JOBS: [&str; 6] = [
    "person-cleanup",
    "tag-cleanup",
    "user-cleanup",
    "memory-cleanup",
    "memory-create",
    "backup-database",
];

const QUEUES: [&str; 18] = [
    "thumbnailGeneration",
    "metadataExtraction",
    "videoConversion",
    "faceDetection",
    "facialRecognition",
    "smartSearch",
    "duplicateDetection",
    "backgroundTask",
    "storageTemplateMigration",
    "migration",
    "search",
    "sidecar",
    "library",
    "notifications",
    "backupDatabase",
    "ocr",
    "workflow",
    "editor",
];

const COMMANDS: [&str; 5] = ["start", "pause", "resume", "empty", "clear-failed"];

/// Queues live in Redis: without it their calls hang.
async fn reach_queues(app: &App) {
    if let Some(address) = &app.settings.redis {
        redis::wait(address).await;
    }
}

#[derive(Deserialize)]
pub(super) struct Start {
    name: String,
}

pub(super) async fn start(
    caller: Caller,
    State(app): State<Arc<App>>,
    Body(job): Body<Start>,
) -> Answer<StatusCode> {
    caller.needs_admin("job.create")?;
    if !JOBS.contains(&job.name.as_str()) {
        return Err(Refusal::bad_request("name must be one of the job names"));
    }
    reach_queues(&app).await;
    if job.name == "backup-database" {
        tokio::spawn(backup::run(app));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Command {
    command: String,
    #[serde(default)]
    force: bool,
}

pub(super) async fn command(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(queue): Path<String>,
    Body(order): Body<Command>,
) -> Answer<Json<Value>> {
    caller.needs_admin("job.create")?;
    if !QUEUES.contains(&queue.as_str()) || !COMMANDS.contains(&order.command.as_str()) {
        return Err(Refusal::bad_request("name must be one of the queue names"));
    }
    reach_queues(&app).await;
    // As the real server: without force, lost thumbnails are not seen as missing.
    if queue == "thumbnailGeneration" && order.command == "start" && order.force {
        let client = app.pool.get().await?;
        thumbnail::make_all(&client, &app.settings.media).await?;
    }
    Ok(Json(json!({
        "jobCounts": {
            "active": 0,
            "completed": 0,
            "failed": 0,
            "delayed": 0,
            "waiting": 0,
            "paused": 0,
        },
        "queueStatus": { "isActive": false, "isPaused": order.command == "pause" },
    })))
}
