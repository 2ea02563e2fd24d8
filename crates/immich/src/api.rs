//! The HTTP API of Immich 2.7 and 3, as far as a control tool calls it.
//!
//! Where the two differ, the client asks the server once for its version and speaks accordingly.
//! Fields and values that it does not know break nothing.
//!
//! Blocking; no call waits longer than its [`Timeouts`] say. Redirects are not followed and no
//! proxy is used: the server is this machine's own, and a key must not travel elsewhere.

mod albums;
mod assets;
mod auth;
mod error;
mod integrity;
mod jobs;
mod notifications;
mod search;
mod server;
mod system_config;
mod version;

use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Method, Request, Response};

pub use albums::{Album, AlbumChange, NewAlbum};
pub use assets::{Asset, AssetKind, Exif, NewAsset, UploadOutcome, Uploaded};
pub use auth::{Account, ApiKey, Session, SignUp};
pub use error::{ApiError, Result, Why};
pub use integrity::{IntegrityFlaw, IntegrityItem, IntegritySummary};
pub use jobs::{Job, JobCounts, Queue, QueueCommand, QueueInfo, QueueState};
pub use notifications::{Notification, NotificationLevel};
pub use search::{MetadataSearch, SearchPage};
pub use server::{ServerConfig, Statistics, UserUsage};
pub use version::ServerVersion;

/// The longest JSON answer read: a full page of assets is about 3 MB.
const LONGEST_ANSWER: u64 = 64 << 20;

/// How a client proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An API key, sent as `x-api-key`.
    ApiKey(SecretString),
    /// A session's access token, sent as `Authorization: Bearer`.
    Bearer(SecretString),
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// A whole call, answer included.
    pub call: Duration,
    /// The longest standstill within an upload or a download; the whole may take any time.
    pub stall: Duration,
}

impl Default for Timeouts {
    /// 5 s to connect, 30 s for a call, 5 min of standstill (Immich hashes a large file before it
    /// answers).
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(30),
            stall: Duration::from_secs(300),
        }
    }
}

/// A client of one Immich server.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    credential: Option<Credential>,
    timeouts: Timeouts,
    /// Asked for once, where the versions differ; shared by all clones.
    version: Arc<OnceLock<ServerVersion>>,
}

/// One call's name and address, for its errors.
#[derive(Clone)]
struct Call {
    name: &'static str,
    method: Method,
    path: String,
}

impl Call {
    fn new(name: &'static str, method: Method, path: impl Into<String>) -> Self {
        Self {
            name,
            method,
            path: path.into(),
        }
    }

    fn get(name: &'static str, path: impl Into<String>) -> Self {
        Self::new(name, Method::GET, path)
    }

    fn post(name: &'static str, path: impl Into<String>) -> Self {
        Self::new(name, Method::POST, path)
    }

    fn put(name: &'static str, path: impl Into<String>) -> Self {
        Self::new(name, Method::PUT, path)
    }

    fn failed(&self, why: Why) -> ApiError {
        let method = match self.method {
            Method::GET => "GET",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "POST",
        };
        ApiError {
            call: self.name,
            method,
            path: self.path.clone(),
            why,
        }
    }
}

impl Client {
    /// A client of the server at `base_url`, for example `http://127.0.0.1:2283`; a trailing slash
    /// or `/api` is allowed. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is not an `http` or `https` one, or carries a user name or a password.
    pub fn new(base_url: &str) -> Result<Self> {
        let trimmed = base_url.trim_end_matches('/');
        let base = trimmed.strip_suffix("/api").unwrap_or(trimmed);
        let invalid = |why: &str| ApiError {
            call: "use the address of Immich",
            method: "GET",
            path: "/api".to_owned(),
            why: Why::Invalid(why.to_owned()),
        };
        let address: ureq::http::Uri = base
            .parse()
            .map_err(|_| invalid("it is not a web address such as http://127.0.0.1:2283"))?;
        if !matches!(address.scheme_str(), Some("http" | "https")) {
            return Err(invalid("it does not start with http:// or https://"));
        }
        let authority = address.authority().map_or("", |part| part.as_str());
        if authority.is_empty() || authority.contains('@') || address.query().is_some() {
            return Err(invalid("it holds more than a host, a port and a folder"));
        }
        let timeouts = Timeouts::default();
        Ok(Self {
            agent: agent(timeouts),
            base: base.to_owned(),
            credential: None,
            timeouts,
            version: Arc::default(),
        })
    }

    /// The same server, with this credential on every call.
    #[must_use]
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// The same server, with other time limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.agent = agent(timeouts);
        self.timeouts = timeouts;
        self
    }

    /// The server's address, without `/api`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The version, asked for once.
    fn known_version(&self) -> Result<ServerVersion> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let version = self.version()?;
        Ok(*self.version.get_or_init(|| version))
    }

    /// Refuses a call that came with a later version than the one that runs.
    fn offered(&self, call: &Call, since: ServerVersion) -> Result<()> {
        let version = self.known_version()?;
        if version < since {
            return Err(call.failed(Why::NotOffered { version }));
        }
        Ok(())
    }

    /// Takes "no such call" for what it means.
    fn or_not_offered(&self, mut error: ApiError) -> ApiError {
        if let (Some(404), Some(version)) = (error.status(), self.version.get()) {
            error.why = Why::NotOffered { version: *version };
        }
        error
    }

    fn request<B>(&self, call: &Call, body: B) -> Result<Request<B>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header("accept", "application/json");
        let (name, value) = match &self.credential {
            Some(Credential::ApiKey(key)) => ("x-api-key", key.expose_secret().to_owned()),
            Some(Credential::Bearer(token)) => {
                ("authorization", format!("Bearer {}", token.expose_secret()))
            }
            None => ("", String::new()),
        };
        if !name.is_empty() {
            let mut value = ureq::http::HeaderValue::from_str(&value).map_err(|_| {
                call.failed(Why::Invalid("the credential is not plain text".into()))
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        request
            .body(body)
            .map_err(|error| call.failed(Why::Invalid(error.to_string())))
    }

    /// A call without a body.
    fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let request = self.request(call, ())?;
        let answer = self.agent.run(request);
        read(call, self.accepted(call, answer)?, self.timeouts.call)
    }

    /// A call with a JSON body.
    fn send<T: DeserializeOwned>(&self, call: &Call, body: &impl Serialize) -> Result<T> {
        read(call, self.post_json(call, body)?, self.timeouts.call)
    }

    /// A call with a JSON body, whose answer has none.
    fn order(&self, call: &Call, body: &impl Serialize) -> Result<()> {
        self.post_json(call, body).map(drop)
    }

    fn post_json(&self, call: &Call, body: &impl Serialize) -> Result<Response<ureq::Body>> {
        let json = serde_json::to_vec(body)
            .map_err(|error| call.failed(Why::Invalid(error.to_string())))?;
        let mut request = self.request(call, &json[..])?;
        request.headers_mut().insert(
            "content-type",
            ureq::http::HeaderValue::from_static("application/json"),
        );
        self.accepted(call, self.agent.run(request))
    }

    fn accepted(
        &self,
        call: &Call,
        answer: std::result::Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Response<ureq::Body>> {
        let mut answer =
            answer.map_err(|error| call.failed(Why::transport(error, self.timeouts.call)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let body = answer
            .body_mut()
            .with_config()
            .limit(1 << 20)
            .read_to_vec()
            .unwrap_or_default();
        Err(call.failed(Why::refused(answer.status().as_u16(), &body)))
    }

    /// A request that may take any time, as long as it does not stand still.
    fn unhurried<B: ureq::AsSendBody>(&self, request: Request<B>) -> Request<B> {
        self.agent
            .configure_request(request)
            .timeout_global(None)
            .timeout_per_read(Some(self.timeouts.stall))
            .timeout_per_write(Some(self.timeouts.stall))
            .build()
    }

    /// The reader of a file that Immich sends; the caller's own reads set the pace.
    fn download(&self, call: &Call) -> Result<impl Read + use<>> {
        let request = self.request(call, ())?;
        let answer = self.accepted(call, self.agent.run(self.unhurried(request)))?;
        Ok(answer
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader())
    }
}

fn agent(timeouts: Timeouts) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("immich-appliance/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(timeouts.connect))
        .timeout_global(Some(timeouts.call))
        .build()
        .new_agent()
}

fn read<T: DeserializeOwned>(
    call: &Call,
    mut answer: Response<ureq::Body>,
    limit: Duration,
) -> Result<T> {
    let body = answer
        .body_mut()
        .with_config()
        .limit(LONGEST_ANSWER)
        .read_to_vec()
        .map_err(|error| call.failed(Why::transport(error, limit)))?;
    serde_json::from_slice(&body).map_err(|error| call.failed(Why::Answer(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_with_or_without_api() {
        for given in [
            "http://127.0.0.1:2283",
            "http://127.0.0.1:2283/",
            "http://127.0.0.1:2283/api",
            "http://127.0.0.1:2283/api/",
        ] {
            assert_eq!(
                Client::new(given).unwrap().base_url(),
                "http://127.0.0.1:2283"
            );
        }
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        for given in [
            "",
            "photos",
            "ftp://box",
            "http://a:b@box",
            "http://box?x=1",
            "http://",
        ] {
            assert!(Client::new(given).is_err(), "{given}");
        }
    }

    #[test]
    fn a_credential_is_not_shown() {
        let client = Client::new("http://127.0.0.1:2283")
            .unwrap()
            .with_credential(Credential::ApiKey("hunter2".into()));
        assert!(!format!("{client:?}").contains("hunter2"));
    }

    #[test]
    fn a_server_that_is_not_there_is_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Client::new(&format!("http://{address}"))
            .unwrap()
            .config()
            .unwrap_err();
        assert!(error.is_unreachable(), "{error}");
    }

    #[test]
    fn a_redirect_is_an_error_and_the_key_does_not_follow_it() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).unwrap();
            stream
                .write_all(format!("HTTP/1.1 302 Found\r\nLocation: http://{address}/there\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
                .unwrap();
            listener.set_nonblocking(true).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            listener.accept().is_err()
        });
        let error = Client::new(&format!("http://{address}"))
            .unwrap()
            .with_credential(Credential::ApiKey("k".into()))
            .statistics()
            .unwrap_err();
        assert_eq!(error.status(), Some(302));
        assert!(server.join().unwrap(), "the redirect was followed");
    }
}
