use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::iso;
use crate::auth::Caller;
use crate::error::Answer;
use crate::server::App;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    unread: bool,
}

pub(super) async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Vec<Value>>> {
    caller.needs("notification.read")?;
    let client = app.pool.get().await?;
    let rows = client
        .query(
            "SELECT id, level, type, title, description, \"createdAt\", \"readAt\"
             FROM notification
             WHERE \"userId\" = $1 AND (NOT $2 OR \"readAt\" IS NULL)
             ORDER BY \"createdAt\" DESC",
            &[&caller.id, &wanted.unread],
        )
        .await?;
    let view = |row: tokio_postgres::Row| {
        let mut view = json!({
            "id": row.get::<_, Uuid>(0),
            "level": row.get::<_, String>(1),
            "type": row.get::<_, String>(2),
            "title": row.get::<_, String>(3),
            "createdAt": iso(row.get(5)),
        });
        if let Some(description) = row.get::<_, Option<String>>(4) {
            view["description"] = description.into();
        }
        if let Some(read) = row.get::<_, Option<Timestamp>>(6) {
            view["readAt"] = iso(read).into();
        }
        view
    };
    Ok(Json(rows.into_iter().map(view).collect()))
}
