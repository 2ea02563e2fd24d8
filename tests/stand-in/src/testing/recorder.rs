use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use ureq::Agent;

use super::Schema;
use super::schema::Message;

/// Stands between a client and a server, and holds each call and each answer against the API's
/// schema. Bodies are held in memory: for small files only.
pub struct Recorder {
    url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    target: String,
    schema: Schema,
    agent: Agent,
    seen: Mutex<BTreeSet<String>>,
    problems: Mutex<Vec<String>>,
}

impl Recorder {
    /// Records what passes on the way to `target`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(target: &str, schema: Schema) -> Result<Self, String> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let shared = Arc::new(Shared {
            target: target.trim_end_matches('/').to_owned(),
            schema,
            agent,
            seen: Mutex::default(),
            problems: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let router = Router::new()
            .fallback(forward)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            url: format!("http://{address}"),
            shared,
            runtime: Some(runtime),
        })
    }

    /// Where the client is to go.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls that passed and succeeded, as `METHOD /path/{parameter}`.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<String> {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was not as the schema says.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let problems = self.shared.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Answered {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let work = tokio::task::spawn_blocking(move || {
        let answered = shared.pass_on(&method, &uri, &headers, &body)?;
        shared.judge(&method, &uri, &headers, &body, &answered);
        Ok::<_, String>(answered)
    });
    match work.await {
        Ok(Ok(answered)) => {
            let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let headers = [("content-type", answered.kind)];
            (status, headers, Body::from(answered.body)).into_response()
        }
        Ok(Err(error)) => (StatusCode::BAD_GATEWAY, error).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn kind(headers: &HeaderMap) -> &str {
    let kind = headers.get("content-type");
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

impl Shared {
    fn pass_on(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answered, String> {
        let mut request = ureq::http::Request::builder()
            .method(method.clone())
            .uri(format!("{}{uri}", self.target));
        for name in ["content-type", "authorization", "x-api-key", "accept"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value.clone());
            }
        }
        let answer = if body.is_empty() {
            request
                .body(())
                .map_err(|error| error.to_string())
                .and_then(|request| self.agent.run(request).map_err(|error| error.to_string()))
        } else {
            request
                .body(body)
                .map_err(|error| error.to_string())
                .and_then(|request| self.agent.run(request).map_err(|error| error.to_string()))
        };
        let mut answer = answer?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec();
        Ok(Answered {
            status: answer.status().as_u16(),
            kind: kind(answer.headers()).to_owned(),
            body: body.map_err(|error| error.to_string())?,
        })
    }

    fn judge(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        answered: &Answered,
    ) {
        let call = format!("{method} {uri}");
        let note = |what: String| {
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            problems.push(what);
        };
        let Some(operation) = self.schema.operation(method.as_str(), uri.path()) else {
            return note(format!("{call}: there is no such call"));
        };
        // A call that was refused may have been wrong on purpose.
        if answered.status < 400 {
            let message = Message {
                kind: kind(headers),
                body,
            };
            let asked = self
                .schema
                .check_query(&operation, uri.query())
                .and_then(|()| self.schema.check_request(&operation, &message));
            if let Err(problem) = asked {
                note(format!("{call}: {problem}"));
            }
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(operation.to_string());
        }
        let message = Message {
            kind: &answered.kind,
            body: &answered.body,
        };
        let checked = self
            .schema
            .check_answer(&operation, answered.status, &message);
        if let Err(problem) = checked {
            note(format!(
                "the answer {} to {call}: {problem}",
                answered.status
            ));
        }
    }
}
