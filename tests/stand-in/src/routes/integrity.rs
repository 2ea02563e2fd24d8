use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::Caller;
use crate::error::{Answer, Refusal};
use crate::integrity::Flaw;
use crate::server::App;

pub(super) async fn summary(caller: Caller, State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    caller.needs_admin("maintenance")?;
    let client = app.pool.get().await?;
    let mut summary = json!({});
    for flaw in Flaw::ALL {
        let count: i64 = client
            .query_one(
                "SELECT count(*) FROM integrity_report WHERE type = $1",
                &[&flaw.name()],
            )
            .await?
            .get(0);
        summary[flaw.name()] = count.into();
    }
    Ok(Json(summary))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "usual")]
    limit: i64,
    cursor: Option<Uuid>,
}

fn usual() -> i64 {
    100
}

pub(super) async fn report(
    caller: Caller,
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Value>> {
    caller.needs_admin("maintenance")?;
    if !Flaw::ALL.iter().any(|flaw| flaw.name() == wanted.kind) || wanted.limit < 1 {
        return Err(Refusal::bad_request("Invalid option: type"));
    }
    let client = app.pool.get().await?;
    // One more than wanted tells whether there is a next page.
    let rows = client
        .query(
            "SELECT id, path FROM integrity_report
             WHERE type = $1 AND ($2::uuid IS NULL OR id >= $2) ORDER BY id LIMIT $3",
            &[&wanted.kind, &wanted.cursor, &(wanted.limit + 1)],
        )
        .await?;
    let size = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let items: Vec<_> = rows
        .iter()
        .take(size)
        .map(|row| {
            json!({
                "id": row.get::<_, Uuid>(0),
                "path": row.get::<_, String>(1),
                "type": wanted.kind,
            })
        })
        .collect();
    let mut answer = json!({ "items": items });
    if let Some(next) = rows.get(size) {
        answer["nextCursor"] = next.get::<_, Uuid>(0).to_string().into();
    }
    Ok(Json(answer))
}
