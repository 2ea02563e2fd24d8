use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::integrity::Flaw;
use crate::server::App;
use crate::{backup, integrity, redis, thumbnail};

const JOBS: [&str; 6] = [
    "person-cleanup",
    "tag-cleanup",
    "user-cleanup",
    "memory-cleanup",
    "memory-create",
    "backup-database",
];

/// Those that Immich 3 has beside these.
const JOBS_OF_3: [&str; 9] = [
    "integrity-missing-files",
    "integrity-untracked-files",
    "integrity-checksum-mismatch",
    "integrity-missing-files-refresh",
    "integrity-untracked-files-refresh",
    "integrity-checksum-mismatch-refresh",
    "integrity-missing-files-delete-all",
    "integrity-untracked-files-delete-all",
    "integrity-checksum-mismatch-delete-all",
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
    let name = job.name.as_str();
    if !(JOBS.contains(&name) || app.settings.version.is_3() && JOBS_OF_3.contains(&name)) {
        return Err(Refusal::bad_request("name must be one of the job names"));
    }
    reach_queues(&app).await;
    if job.name == "backup-database" {
        tokio::spawn(backup::run(app));
    } else if let Some(flaw) = Flaw::of_job(&job.name) {
        tokio::spawn(integrity::run(app, flaw));
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
    known_queue(&app, &queue)?;
    if !COMMANDS.contains(&order.command.as_str()) {
        return Err(Refusal::bad_request("command must be one of the commands"));
    }
    reach_queues(&app).await;
    // As the real server: without force, lost thumbnails are not seen as missing.
    if queue == "thumbnailGeneration" && order.command == "start" && order.force {
        let client = app.pool.get().await?;
        thumbnail::make_all(&client, &app.settings.media).await?;
    }
    Ok(Json(json!({
        "jobCounts": nothing_to_do(),
        "queueStatus": { "isActive": false, "isPaused": order.command == "pause" },
    })))
}

/// Jobs are done when their order is answered.
fn nothing_to_do() -> Value {
    json!({
        "active": 0,
        "completed": 0,
        "failed": 0,
        "delayed": 0,
        "waiting": 0,
        "paused": 0,
    })
}

fn known_queue(app: &App, queue: &str) -> Answer<()> {
    let of_3 = app.settings.version.is_3() && queue == "integrityCheck";
    if QUEUES.contains(&queue) || of_3 {
        Ok(())
    } else {
        Err(Refusal::bad_request("name must be one of the queue names"))
    }
}

pub(super) async fn look(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(queue): Path<String>,
) -> Answer<Json<Value>> {
    caller.needs_admin("queue.read")?;
    known_queue(&app, &queue)?;
    reach_queues(&app).await;
    Ok(Json(json!({
        "name": queue,
        "isPaused": false,
        "statistics": nothing_to_do(),
    })))
}
