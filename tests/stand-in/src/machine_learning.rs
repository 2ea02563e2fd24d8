use std::future::Future;
use std::io;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use crate::settings::{host, parsed};

/// Answers `/ping` on `IMMICH_HOST` and `IMMICH_PORT` (default 3003) until `stop` ends.
///
/// # Errors
/// When the port or the address is none, or is taken.
pub async fn serve(stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let address = host().map_err(io::Error::other)?;
    let port = parsed("IMMICH_PORT", 3003_u16, "a port").map_err(io::Error::other)?;
    let router = Router::new()
        .route("/", get(async || Json(json!({ "message": "Immich ML" }))))
        .route("/ping", get(async || "pong"));
    let listener = TcpListener::bind((address, port)).await?;
    tracing::info!(
        "machine learning is listening on {}",
        listener.local_addr()?
    );
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}
