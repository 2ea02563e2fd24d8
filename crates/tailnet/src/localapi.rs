//! tailscaled's LocalAPI: HTTP over its Unix socket.
//!
//! Every call is a connection of its own, has a time limit, and its error says what was being
//! done and what tailscaled answered. Fields that tailscaled has and nobody here reads are left
//! out of the types; fields that are missing or null in an answer take their default, as Go's
//! own client reads them.

mod error;
mod notify;
mod prefs;
mod serve;
mod status;
mod transport;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

pub use error::{LocalApiError, Result, Why};
pub use notify::{Health, InitialNotify, Notify, Warning};
pub use prefs::{Prefs, PrefsEdit};
pub use serve::{HttpHandler, ServeConfig, TcpPort, WebServer};
pub use status::{BackendState, SelfNode, Status, TailnetStatus};
pub use transport::Notifications;

use transport::Call;

/// Where tailscaled's packages put its socket.
pub const SOCKET: &str = "/run/tailscale/tailscaled.sock";
/// Going out of the tailnet waits for the control server's answer.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(60);

/// tailscaled, by its socket.
#[derive(Debug, Clone)]
pub struct LocalApi {
    socket: PathBuf,
}

impl LocalApi {
    /// Nothing is connected to before the first call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How this node stands; its peers are left out.
    ///
    /// # Errors
    /// As every call: tailscaled is not running, denies it, or answers something else.
    pub async fn status(&self) -> Result<Status> {
        let call = Call::get("ask how it stands", "status?peers=false");
        self.fetch(&call).await
    }

    /// The preferences.
    ///
    /// # Errors
    /// As every call.
    pub async fn prefs(&self) -> Result<Prefs> {
        self.fetch(&Call::get("read its preferences", "prefs"))
            .await
    }

    /// Changes the preferences that are named, and returns all.
    ///
    /// Another control server is used from the next [`start`](Self::start) on.
    ///
    /// # Errors
    /// As every call; a preference that tailscaled refuses is [`Why::Refused`].
    pub async fn edit_prefs(&self, edit: &PrefsEdit) -> Result<Prefs> {
        let call = Call::new("change its preferences", "PATCH", "prefs");
        self.fetch(&call.body(&edit.masked())?).await
    }

    /// Starts the connection to the control server anew, with the preferences as they are. The
    /// key, if one is given, is used by the next login.
    ///
    /// # Errors
    /// As every call.
    pub async fn start(&self, auth_key: Option<&SecretString>) -> Result<()> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Options<'a> {
            auth_key: &'a str,
        }
        let options = Options {
            auth_key: auth_key.map_or("", |key| key.expose_secret()),
        };
        let call = Call::post("start the connection", "start");
        self.send(&call.body(&options)?).await
    }

    /// Begins a login. The link, or the end of a login by key, comes as a [`Notify`].
    ///
    /// # Errors
    /// As every call.
    pub async fn login_interactive(&self) -> Result<()> {
        self.send(&Call::post("begin the login", "login-interactive"))
            .await
    }

    /// Takes this node out of its tailnet. What it served is forgotten with it.
    ///
    /// # Errors
    /// As every call.
    pub async fn logout(&self) -> Result<()> {
        self.send(&Call::post("log out", "logout").within(LOGOUT_TIMEOUT))
            .await
    }

    /// Listens to what changes from now on; the first notification holds what `initial` asks for.
    ///
    /// # Errors
    /// As every call.
    pub async fn watch(&self, initial: InitialNotify) -> Result<Notifications> {
        let path = format!("watch-ipn-bus?mask={}", initial.mask());
        transport::listen(&self.socket, &Call::get("listen to it", path)).await
    }

    /// What it serves, and the tag by which [`set_serve_config`](Self::set_serve_config) notices
    /// that someone else changed it meanwhile.
    ///
    /// # Errors
    /// As every call.
    pub async fn serve_config(&self) -> Result<(ServeConfig, String)> {
        let call = Call::get("read what it serves", "serve-config");
        let answer = transport::exchange(&self.socket, &call).await?;
        let config: Option<ServeConfig> = self.parse(&call, &answer.body)?;
        Ok((config.unwrap_or_default(), answer.etag.unwrap_or_default()))
    }

    /// Replaces what it serves.
    ///
    /// # Errors
    /// As every call; [`Why::Changed`] when it is not any more what `etag` stands for.
    pub async fn set_serve_config(&self, config: &ServeConfig, etag: &str) -> Result<()> {
        let call = Call::post("change what it serves", "serve-config").only_if(etag);
        self.send(&call.body(config)?).await
    }

    async fn send(&self, call: &Call) -> Result<()> {
        transport::exchange(&self.socket, call).await.map(drop)
    }

    async fn fetch<T: serde::de::DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let answer = transport::exchange(&self.socket, call).await?;
        self.parse(call, &answer.body)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, call: &Call, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body)
            .map_err(|error| call.failed(&self.socket, Why::Answer(error.to_string())))
    }
}

/// A body that is wiped once it was sent: it may hold an auth key.
fn wiped_json(body: &impl Serialize) -> serde_json::Result<bytes::Bytes> {
    // Room for every body of this API, so that no part of a key is left behind by growing.
    let mut text = Zeroizing::new(Vec::with_capacity(16 * 1024));
    serde_json::to_writer(&mut *text, body)?;
    Ok(bytes::Bytes::from_owner(text))
}

/// Go writes an empty list or map as null.
fn null_as_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}
