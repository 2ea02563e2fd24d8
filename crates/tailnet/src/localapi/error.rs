use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A call that did not succeed: what was being done, through which socket, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} (tailscaled at {}): {why}", socket.display())]
pub struct LocalApiError {
    /// What tailscaled was to do, in words.
    pub doing: &'static str,
    /// Its socket.
    pub socket: PathBuf,
    /// What went wrong.
    pub why: Why,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// There is no socket, or nobody listens at it.
    #[error("tailscaled is not running")]
    NotRunning,
    /// The socket is there, but closed to this user; or tailscaled knows the user and says no.
    #[error("not allowed: {0}")]
    Denied(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// tailscaled took longer than the call's time limit.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// tailscaled answered with an error.
    #[error("it answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// tailscaled's own words.
        message: String,
    },
    /// Someone else changed it since it was read.
    #[error("someone else changed it at the same time")]
    Changed,
    /// The answer is not what this call gives.
    #[error("the answer is not understood: {0}")]
    Answer(String),
}

impl Why {
    /// From the attempt to connect.
    pub(super) fn connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NotRunning,
            io::ErrorKind::PermissionDenied => Self::Denied(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }

    /// From an answer that is no success.
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        let message = message(body);
        match status {
            401 | 403 => Self::Denied(message),
            412 => Self::Changed,
            _ => Self::Refused { status, message },
        }
    }
}

/// tailscaled answers with a line of text, or with a document that holds one.
fn message(body: &[u8]) -> String {
    const LONGEST: usize = 300;
    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(alias = "Error")]
        error: String,
    }
    let text = serde_json::from_slice::<Document>(body).map_or_else(
        |_| String::from_utf8_lossy(body).into_owned(),
        |document| document.error,
    );
    let line: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if line.is_empty() {
        "no reason given".to_owned()
    } else {
        line
    }
}

/// What every call gives.
pub type Result<T> = std::result::Result<T, LocalApiError>;

impl LocalApiError {
    /// Whether nobody listens at the socket.
    #[must_use]
    pub fn is_not_running(&self) -> bool {
        matches!(self.why, Why::NotRunning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tailscaleds_own_words_are_kept_in_both_its_forms() {
        for body in [
            &b"your Tailscale account does not support getting TLS certs\n"[..],
            br#"{"error":"your Tailscale account does not support getting TLS certs"}"#,
        ] {
            assert_eq!(
                Why::refused(500, body).to_string(),
                "it answered 500: your Tailscale account does not support getting TLS certs"
            );
        }
    }

    #[test]
    fn a_page_of_something_else_is_one_short_line() {
        let body = format!("<html>\n{}\x1b[31m", "x".repeat(5000));
        let said = Why::refused(502, body.as_bytes()).to_string();
        assert!(said.len() < 400, "{said}");
        assert!(!said.contains('\n') && !said.contains('\x1b'));
    }

    #[test]
    fn a_denied_call_and_a_lost_race_are_told_apart_from_failures() {
        assert!(matches!(Why::refused(403, b"no"), Why::Denied(_)));
        assert!(matches!(Why::refused(412, b"etag"), Why::Changed));
    }
}
