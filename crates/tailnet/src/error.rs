use std::time::Duration;

use crate::localapi;

/// Why something was not done with the tailnet.
#[derive(Debug, thiserror::Error)]
pub enum TailnetError {
    /// tailscaled is not running, or did not do what it was asked.
    #[error(transparent)]
    LocalApi(#[from] localapi::LocalApiError),
    /// This machine is in no tailnet.
    #[error("this machine is in no tailnet")]
    NotEnrolled,
    /// Its key has expired: it is still listed, and reaches nobody.
    #[error("this machine's key in the tailnet has expired")]
    KeyExpired,
    /// It is enrolled, and switched off.
    #[error("Tailscale is switched off on this machine")]
    Off,
    /// It is with another control server.
    #[error("this machine is enrolled with {current}, not with {wanted}")]
    OtherServer {
        /// The one it is with.
        current: String,
        /// The one that was asked for.
        wanted: String,
    },
    /// The control server gives no proper answer: there is none, or it is something else.
    #[error("{server} does not answer as a control server of Tailscale: {reason}")]
    NoControlServer {
        /// Its address.
        server: String,
        /// tailscaled's words.
        reason: String,
    },
    /// The control server does not take the auth key.
    #[error("{server} does not accept the auth key: {reason}")]
    AuthKeyRefused {
        /// Its address.
        server: String,
        /// The server's words.
        reason: String,
        /// Whether the key was good once.
        expired: bool,
    },
    /// The control server refuses the login.
    #[error("{server} refuses the login: {reason}")]
    LoginRefused {
        /// Its address.
        server: String,
        /// The server's words.
        reason: String,
    },
    /// Nobody may be waited for, and a person has to log in.
    #[error("a person has to log in, at {link}")]
    PersonNeeded {
        /// The link.
        link: String,
    },
    /// Nobody opened the link in time. It stays good for a while.
    #[error("nobody logged in within {} at {link}", seconds(.after))]
    NobodyLoggedIn {
        /// The link.
        link: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// No administrator of the tailnet approved the machine in time.
    #[error("this machine waits to be approved by an administrator of the tailnet at {server}")]
    NeedsApproval {
        /// Its control server.
        server: String,
    },
    /// The connection did not come about in time.
    #[error("no connection to the tailnet within {}{}", seconds(.after), because(.reason))]
    NotConnected {
        /// How long it was waited for.
        after: Duration,
        /// What tailscaled says is not well.
        reason: String,
    },
    /// Something else is served at the place that Immich would have.
    #[error("tailscale serve already answers at port {port}, with {by}")]
    PortTaken {
        /// The port.
        port: u16,
        /// What answers there.
        by: String,
    },
    /// A value of the command line is not what it has to be.
    #[error("{0}")]
    Invalid(String),
    /// The asynchronous runtime could not be made.
    #[error("cannot talk to tailscaled: {0}")]
    Runtime(#[source] std::io::Error),
}

fn seconds(time: &Duration) -> String {
    format!("{} s", time.as_secs())
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

/// The result of something done with the tailnet.
pub type Result<T> = std::result::Result<T, TailnetError>;
