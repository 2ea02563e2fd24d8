//! The API's calls, one file for each group.

mod albums;
mod asset_view;
mod assets;
mod integrity;
mod jobs;
mod notifications;
mod search;
mod server;
mod socket;
pub(crate) mod system_config;
mod upload;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Answer, Refusal};
use crate::maintenance::guard;
use crate::server::App;

pub(crate) fn router(app: Arc<App>) -> Router {
    let mut api = Router::new()
        .route("/server/ping", get(server::ping))
        .route("/server/config", get(server::config))
        .route("/server/version", get(server::version))
        .route("/server/statistics", get(server::statistics))
        .route("/auth/admin-sign-up", post(users::admin_sign_up))
        .route("/auth/login", post(users::login))
        .route("/api-keys", post(users::create_api_key))
        .route(
            "/system-config",
            get(system_config::read).put(system_config::write),
        )
        .route("/jobs", post(jobs::start))
        .route("/jobs/{queue}", put(jobs::command))
        .route("/queues/{queue}", get(jobs::look))
        .route("/notifications", get(notifications::list))
        .route("/albums", get(albums::list).post(albums::create))
        .route("/albums/{id}", get(albums::read).delete(albums::delete))
        .route("/albums/{id}/assets", put(albums::add))
        .route("/search/metadata", post(search::metadata))
        .route("/assets", post(upload::upload).delete(assets::delete))
        .route("/assets/{id}", get(assets::read))
        .route("/assets/{id}/original", get(assets::download))
        .route("/socket.io/", get(socket::connect));
    if app.settings.version.is_3() {
        api = api
            .route(
                "/admin/config",
                get(system_config::read).put(system_config::write),
            )
            .route("/admin/integrity/summary", get(integrity::summary))
            .route("/admin/integrity/report", get(integrity::report));
    }
    let api = api
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app);
    Router::new()
        .nest("/api", api)
        .fallback(async || Refusal::not_found())
}

/// A JSON body; a bad one is refused in Immich's own way.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|error| Refusal::bad_request(error.to_string()))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal::bad_request(error.to_string()))
    }
}

/// An id in the path.
pub(crate) struct Id(pub(crate) Uuid);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        Path::<Uuid>::from_request_parts(parts, app)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| Refusal::bad_request("id must be a UUID"))
    }
}

/// A time as JavaScript writes it.
pub(crate) fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
