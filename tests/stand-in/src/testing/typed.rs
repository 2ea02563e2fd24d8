use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Schema;
use super::schema::Message;
use crate::version::ImmichVersion;

/// How much an answer made from types says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only what must be there; empty lists, and nothing where nothing is allowed.
    Least,
    /// All that is described.
    Most,
    /// All that is described, fields that are not, and only values of enumerations that are not.
    Unheard,
}

/// A server that knows nothing but the types of a version: it answers each call with a document
/// made from them, and notes which calls do not fit them.
pub struct TypedServer {
    url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    schema: Schema,
    version: ImmichVersion,
    verbosity: Verbosity,
    seen: Mutex<BTreeSet<String>>,
    problems: Mutex<Vec<String>>,
}

impl TypedServer {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot listen, or the types in this repository are broken.
    pub fn start(version: ImmichVersion, verbosity: Verbosity) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            schema: Schema::sdk(version, true)?,
            version,
            verbosity,
            seen: Mutex::default(),
            problems: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let router = Router::new().fallback(answer).with_state(shared.clone());
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

    /// The calls that came, as `METHOD /path/{parameter}`.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<String> {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What does not fit the types.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let problems = self.shared.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TypedServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let note = |what: String| {
        let mut problems = shared
            .problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        problems.push(format!("{method} {uri}: {what}"));
    };
    let Some(operation) = shared.schema.operation(method.as_str(), uri.path()) else {
        note("there is no such call".to_owned());
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = headers.get("content-type");
    let message = Message {
        kind: kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default(),
        body: &body,
    };
    let asked = shared
        .schema
        .check_query(&operation, uri.query())
        .and_then(|()| shared.schema.check_request(&operation, &message));
    if let Err(problem) = asked {
        note(problem);
    }
    shared
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(operation.to_string());
    if operation.path == "/server/version" {
        let (major, minor, patch) = shared.version.numbers();
        return Json(json!({ "major": major, "minor": minor, "patch": patch })).into_response();
    }
    match shared.schema.answer_of(&operation) {
        Some(schema) => Json(made(&shared, schema, "")).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A value of a type; `name` is the field's, by which the kinds of text are told apart, for the
/// types do not.
fn made(shared: &Shared, schema: &Value, name: &str) -> Value {
    let verbosity = shared.verbosity;
    if let Some(reference) = schema["$ref"].as_str() {
        return made(shared, shared.schema.referred(reference), name);
    }
    if let Some(values) = schema["enum"].as_array() {
        return match values.first() {
            Some(Value::String(_)) if verbosity == Verbosity::Unheard => "never-heard-of".into(),
            Some(first) => first.clone(),
            None => Value::Null,
        };
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let is_null = |choice: &&Value| choice["type"] == "null";
        let wanted = if verbosity == Verbosity::Least {
            choices.iter().find(is_null)
        } else {
            choices.iter().find(|choice| !is_null(choice))
        };
        return made(
            shared,
            wanted.or(choices.first()).unwrap_or(&Value::Null),
            name,
        );
    }
    match schema["type"].as_str() {
        Some("string") => text(name).into(),
        Some("number") => 1.into(),
        // Or else the server were in maintenance mode.
        Some("boolean") => false.into(),
        Some("array") if verbosity == Verbosity::Least => json!([]),
        Some("array") => json!([made(shared, &schema["items"], name)]),
        Some("object") => {
            let mut object = Map::new();
            let required = schema["required"].as_array();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let must = required.is_some_and(|all| all.iter().any(|one| one == name));
                if must || verbosity != Verbosity::Least {
                    object.insert(name.clone(), made(shared, field, name));
                }
            }
            if verbosity == Verbosity::Unheard {
                object.insert("neverHeardOf".to_owned(), json!({ "more": [1, null] }));
            }
            Value::Object(object)
        }
        _ => Value::Null,
    }
}

fn text(name: &str) -> &'static str {
    const UUID: &str = "3f9d3c1e-52f7-4c52-9a6f-6f5d8c1b7a10";
    const TIME: &str = "2026-01-02T03:04:05.678Z";
    let lower = name.to_lowercase();
    if lower == "id" || name.ends_with("Id") || name.ends_with("Ids") {
        UUID
    } else if name.ends_with("At") || lower.contains("date") || lower.contains("time") {
        TIME
    } else if name == "nextPage" {
        "2"
    } else {
        "text"
    }
}
