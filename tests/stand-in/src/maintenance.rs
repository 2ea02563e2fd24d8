//! Maintenance mode, kept as a flag in the database: what the real server answers then was seen of
//! `/server/config` only, which says nothing but that. Here nothing else is answered but a ping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use deadpool_postgres::{GenericClient, Pool};
use serde_json::{Value, json};

use crate::database::{metadata, set_metadata};
use crate::error::Refusal;
use crate::server::{App, StartError};

const KEY: &str = "maintenance-mode";
const FIELD: &str = "isMaintenanceMode";

/// Whether the server serves nothing but its maintenance page. The database may be away then.
pub(crate) struct Maintenance(AtomicBool);

async fn flag(client: &impl GenericClient) -> Result<bool, tokio_postgres::Error> {
    let value = metadata(client, KEY).await?;
    Ok(value.is_some_and(|value| value[FIELD] == true))
}

impl Maintenance {
    pub(crate) async fn at_start(pool: &Pool) -> Result<Self, StartError> {
        let client = pool.get().await?;
        Ok(Self(AtomicBool::new(flag(&client).await?)))
    }

    /// As the database says now: `immich-admin` changes it there.
    pub(crate) async fn read_again(
        &self,
        client: &impl GenericClient,
    ) -> Result<bool, tokio_postgres::Error> {
        let on = flag(client).await?;
        self.0.store(on, Ordering::Relaxed);
        Ok(on)
    }
}

/// Sets or clears the flag.
pub(crate) async fn set(pool: &Pool, on: bool) -> Result<(), StartError> {
    let client = pool.get().await?;
    set_metadata(&client, KEY, &json!({ FIELD: on })).await?;
    Ok(())
}

/// All that `/server/config` says.
pub(crate) fn config() -> Json<Value> {
    Json(json!({ "maintenanceMode": true }))
}

/// Answers in the place of everything while the mode lasts.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.maintenance.0.load(Ordering::Relaxed) {
        let still_on = match app.pool.get().await {
            Ok(client) => app.maintenance.read_again(&client).await.unwrap_or(true),
            Err(_) => true,
        };
        let path = request.uri().path();
        if still_on && path.ends_with("/server/config") {
            return config().into_response();
        }
        if still_on && !path.ends_with("/server/ping") {
            return Refusal::not_found().into_response();
        }
    }
    next.run(request).await
}
