use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::assets::send_file;
use crate::auth::Caller;
use crate::backup::{folder, is_backup_name, list as list_files};
use crate::error::{Answer, Refusal};
use crate::server::App;

pub(super) async fn list(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    caller.needs_admin("maintenance")?;
    let files = tokio::task::spawn_blocking(move || list_files(&folder(&app)))
        .await
        .map_err(|error| Refusal::internal("list", error))??;
    Ok(Json(json!({ "backups": files })))
}

pub(super) async fn download(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Answer<Response> {
    caller.needs_admin("backup.download")?;
    if !is_backup_name(&name) {
        return Err(Refusal::bad_request("Invalid backup name!"));
    }
    let path = folder(&app).join(&name);
    if !tokio::fs::try_exists(&path).await? {
        return Err(Refusal::not_found());
    }
    let kind = if name.ends_with(".gz") {
        "application/gzip"
    } else {
        "application/sql"
    };
    send_file(&path, kind).await
}
