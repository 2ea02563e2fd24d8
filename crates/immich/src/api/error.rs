use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::ServerVersion;

/// A call that did not succeed: which one, to which address, and why.
#[derive(Debug, thiserror::Error)]
#[error("{call} ({method} {path}): {why}")]
pub struct ApiError {
    /// What was being done, in words.
    pub call: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path of the address; it never holds a secret.
    pub path: String,
    /// What went wrong.
    pub why: Why,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// No connection, or it broke.
    #[error("Immich cannot be reached: {0}")]
    Unreachable(String),
    /// Immich took longer than the call's time limit.
    #[error("no answer within {}", seconds(.0))]
    Timeout(Duration),
    /// Immich answered with an error.
    #[error("Immich answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Immich's own words.
        message: String,
        /// Finds the matching lines in Immich's log.
        correlation_id: Option<String>,
    },
    /// The answer is not what this call gives: another server, or a changed API.
    #[error("the answer is not understood: {0}")]
    Answer(String),
    /// Immich serves nothing but its maintenance page.
    #[error("Immich is in maintenance mode")]
    Maintenance,
    /// This version of Immich has no such call.
    #[error("Immich {version} does not offer this")]
    NotOffered {
        /// The version that runs.
        version: ServerVersion,
    },
    /// What was downloaded cannot be written.
    #[error("the download cannot be written: {0}")]
    Write(std::io::Error),
    /// The file to be sent cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The call cannot be made at all: a bad address or argument.
    #[error("{0}")]
    Invalid(String),
}

fn seconds(limit: &Duration) -> String {
    format!("{} s", limit.as_secs())
}

/// What every call gives.
pub type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// The HTTP status, where Immich answered with one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.why.status()
    }

    /// Whether the credential is missing, wrong or expired (401).
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.status() == Some(401)
    }

    /// Whether the credential lacks a permission (403); the message names it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(403)
    }

    /// Whether Immich serves nothing but its maintenance page.
    #[must_use]
    pub fn is_maintenance(&self) -> bool {
        matches!(self.why, Why::Maintenance)
    }

    /// Whether this version of Immich has no such call.
    #[must_use]
    pub fn is_not_offered(&self) -> bool {
        matches!(self.why, Why::NotOffered { .. })
    }

    /// Whether Immich could not be reached or did not answer in time.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.why, Why::Unreachable(_) | Why::Timeout(_))
    }
}

/// Immich's error document. Validation gives a list of messages, everything else one.
#[derive(Deserialize)]
struct Document {
    message: Message,
    #[serde(rename = "correlationId")]
    correlation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    One(String),
    Many(Vec<String>),
}

impl Why {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// From an answer's status and body; a body of another kind is shortened into the message.
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Document>(body) {
            Ok(document) => Self::Refused {
                status,
                message: match document.message {
                    Message::One(message) => message,
                    Message::Many(messages) => messages.join("; "),
                },
                correlation_id: document.correlation_id,
            },
            Err(_) => Self::Refused {
                status,
                message: excerpt(body),
                correlation_id: None,
            },
        }
    }

    /// From what the HTTP library says; `limit` is the time the call was given.
    pub(super) fn transport(error: ureq::Error, limit: Duration) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout(limit),
            ureq::Error::BadUri(uri) => Self::Invalid(format!("bad address {uri}")),
            ureq::Error::Json(error) => Self::Answer(error.to_string()),
            ureq::Error::BodyExceedsLimit(bytes) => {
                Self::Answer(format!("longer than {bytes} bytes"))
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Self::Timeout(limit)
            }
            other => Self::Unreachable(other.to_string()),
        }
    }
}

fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(body);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if line.trim().is_empty() {
        "no reason given".to_owned()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immichs_own_words_are_kept() {
        let body = br#"{"message":"Incorrect email or password","error":"Unauthorized","statusCode":401,"correlationId":"x1"}"#;
        let Why::Refused {
            status,
            message,
            correlation_id,
        } = Why::refused(401, body)
        else {
            panic!("not a refusal");
        };
        assert_eq!(status, 401);
        assert_eq!(message, "Incorrect email or password");
        assert_eq!(correlation_id.as_deref(), Some("x1"));
    }

    #[test]
    fn several_validation_messages_are_joined() {
        let body = br#"{"message":["email must be an email","name should not be empty"],"error":"Bad Request","statusCode":400}"#;
        assert_eq!(
            Why::refused(400, body).to_string(),
            "Immich answered 400: email must be an email; name should not be empty"
        );
    }

    #[test]
    fn a_page_of_another_server_is_shortened_to_one_line() {
        let body = format!("<html>\n{}\x1b[31m", "x".repeat(5000));
        let said = Why::refused(502, body.as_bytes()).to_string();
        assert!(said.len() < 300, "{said}");
        assert!(!said.contains('\n') && !said.contains('\x1b'));
    }

    #[test]
    fn an_error_names_the_call_and_its_path() {
        let error = ApiError {
            call: "log in",
            method: "POST",
            path: "/api/auth/login".to_owned(),
            why: Why::refused(401, b""),
        };
        assert_eq!(
            error.to_string(),
            "log in (POST /api/auth/login): Immich answered 401: no reason given"
        );
        assert!(error.is_unauthorized() && !error.is_unreachable());
    }
}
