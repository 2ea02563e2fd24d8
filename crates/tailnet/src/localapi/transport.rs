//! One connection a call, over the Unix socket.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, ETAG, HOST, IF_MATCH};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;

use super::{LocalApiError, Notify, Result, Why, wiped_json};

/// The name that tailscaled wants to be called by, against requests of web pages.
const NAME: &str = "local-tailscaled.sock";
/// Everything but waiting for the control server is done at once.
const TIMEOUT: Duration = Duration::from_secs(20);
/// No answer of this API, and no notification, is longer.
const LONGEST: usize = 8 * 1024 * 1024;

/// One call of the API.
pub(super) struct Call {
    doing: &'static str,
    method: &'static str,
    path: Cow<'static, str>,
    body: Bytes,
    etag: Option<String>,
    timeout: Duration,
}

/// An answer that is a success.
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) etag: Option<String>,
}

impl Call {
    pub(super) fn new(
        doing: &'static str,
        method: &'static str,
        path: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            doing,
            method,
            path: path.into(),
            body: Bytes::new(),
            etag: None,
            timeout: TIMEOUT,
        }
    }

    pub(super) fn get(doing: &'static str, path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(doing, "GET", path)
    }

    pub(super) fn post(doing: &'static str, path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(doing, "POST", path)
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub(super) fn only_if(self, etag: &str) -> Self {
        Self {
            etag: Some(etag.to_owned()),
            ..self
        }
    }

    pub(super) fn body(self, body: &impl Serialize) -> Result<Self> {
        match wiped_json(body) {
            Ok(body) => Ok(Self { body, ..self }),
            Err(error) => Err(self.failed(Path::new(""), Why::Answer(error.to_string()))),
        }
    }

    pub(super) fn failed(&self, socket: &Path, why: Why) -> LocalApiError {
        LocalApiError {
            doing: self.doing,
            socket: socket.to_path_buf(),
            why,
        }
    }
}

/// Makes the call and reads its whole answer.
pub(super) async fn exchange(socket: &Path, call: &Call) -> Result<Answer> {
    let exchanged = async {
        let response = request(socket, call).await?;
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|tag| tag.to_str().ok())
            .map(str::to_owned);
        let body = read(response.into_body()).await?;
        Ok(Answer { body, etag })
    };
    match tokio::time::timeout(call.timeout, exchanged).await {
        Ok(exchanged) => exchanged.map_err(|why| call.failed(socket, why)),
        Err(_) => Err(call.failed(socket, Why::Timeout(call.timeout))),
    }
}

/// Makes a call whose answer does not end.
pub(super) async fn listen(socket: &Path, call: &Call) -> Result<Notifications> {
    let response = match tokio::time::timeout(call.timeout, request(socket, call)).await {
        Ok(response) => response.map_err(|why| call.failed(socket, why))?,
        Err(_) => return Err(call.failed(socket, Why::Timeout(call.timeout))),
    };
    Ok(Notifications {
        socket: socket.to_path_buf(),
        body: response.into_body(),
        unread: BytesMut::new(),
    })
}

/// Connects, asks, and returns the answer as soon as it is known to be a success.
async fn request(socket: &Path, call: &Call) -> std::result::Result<Response<Incoming>, Why> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| Why::connect(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // It ends with the answer, and its error is the answer's.
    tokio::spawn(connection);

    let mut request = Request::builder()
        .method(call.method)
        .uri(format!("/localapi/v0/{}", call.path))
        .header(HOST, NAME);
    if !call.body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(etag) = &call.etag {
        request = request.header(IF_MATCH, etag);
    }
    let request = request
        .body(Full::new(call.body.clone()))
        .map_err(|error| Why::Answer(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read(response.into_body()).await?;
    Err(Why::refused(status.as_u16(), &body))
}

async fn read(body: Incoming) -> std::result::Result<Bytes, Why> {
    Limited::new(body, LONGEST)
        .collect()
        .await
        .map(|whole| whole.to_bytes())
        .map_err(|error| Why::Broken(error.to_string()))
}

fn broken(error: hyper::Error) -> Why {
    Why::Broken(error.to_string())
}

/// What tailscaled tells while it is listened to: one document a line.
#[derive(Debug)]
pub struct Notifications {
    socket: PathBuf,
    body: Incoming,
    unread: BytesMut,
}

impl Notifications {
    /// The next notification; `None` when tailscaled ended. It may be waited for with a time
    /// limit, and asked again afterwards: nothing is lost.
    ///
    /// # Errors
    /// When the connection breaks, or the notification is not understood.
    pub async fn next(&mut self) -> Result<Option<Notify>> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line = self.unread.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| self.failed(Why::Answer(error.to_string())));
            }
            if self.unread.len() > LONGEST {
                return Err(self.failed(Why::Answer("a line without an end".to_owned())));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.unread.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(self.failed(broken(error))),
            }
        }
    }

    fn failed(&self, why: Why) -> LocalApiError {
        LocalApiError {
            doing: "listen to it",
            socket: self.socket.clone(),
            why,
        }
    }
}
