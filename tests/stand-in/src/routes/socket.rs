//! `/api/socket.io`: as much of Immich's web socket as shows that one passes what stands before
//! Immich. The handshake of Engine.IO 4 and Socket.IO 5, pings, and every other message sent back.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{Answer, Refusal};
use crate::server::App;

#[derive(Deserialize)]
pub(super) struct Wanted {
    transport: Option<String>,
    #[serde(rename = "EIO")]
    version: Option<String>,
}

pub(super) async fn connect(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    if wanted.version.as_deref() != Some("4") {
        return Err(Refusal::bad_request("Unsupported protocol version"));
    }
    // Immich allows no other: long polling would go from one worker to the next.
    let (Some("websocket"), Ok(upgrade)) = (wanted.transport.as_deref(), upgrade) else {
        return Err(Refusal::bad_request("Transport unknown"));
    };
    let (major, minor, patch) = app.settings.version.numbers();
    let version = json!({ "major": major, "minor": minor, "patch": patch });
    Ok(upgrade.on_upgrade(|socket| talk(socket, version)))
}

/// Ends when the other side does, or does not take an answer.
async fn talk(mut socket: WebSocket, version: Value) {
    let open = json!({
        "sid": Uuid::new_v4(),
        "upgrades": [],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    });
    if socket
        .send(Message::text(format!("0{open}")))
        .await
        .is_err()
    {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let answers = match text.as_str() {
            // A namespace is joined, and greeted.
            "40" => vec![
                format!("40{}", json!({ "sid": Uuid::new_v4() })),
                format!("42{}", json!(["on_server_version", version])),
            ],
            "2" => vec!["3".to_owned()],
            other => vec![other.to_owned()],
        };
        for answer in answers {
            if socket.send(Message::text(answer)).await.is_err() {
                return;
            }
        }
    }
}
