//! What a command does not do, and what the person can do instead.

use crate::exit::Exit;

/// Something that the tool would not do, or could not ask.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    message: String,
    /// How the process exits.
    pub exit: Exit,
    /// What to do instead.
    pub help: Option<String>,
}

impl Refused {
    /// A refusal with its exit code and the way out.
    pub fn new(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Refused {
            message: message.into(),
            exit,
            help: Some(help.into()),
        }
    }

    /// A question that may not be asked; `flag` answers it.
    pub fn missing_answer(question: &str, flag: &str) -> Self {
        Refused::new(
            Exit::Usage,
            format!("{question}: there is no answer, and nobody can be asked here"),
            format!("answer it with {flag}"),
        )
    }

    /// Consent that was not given; `flag` gives it.
    pub fn no_consent(name: &str, what_is_lost: &str, flag: &str) -> Self {
        Refused::new(
            Exit::Refused,
            format!("{name} is not touched without consent. {what_is_lost}"),
            format!("if that is what you want, add {flag} {name}"),
        )
    }

    /// Consent for something else.
    pub fn another_name(name: &str, typed: &str) -> Self {
        Refused::new(
            Exit::Refused,
            format!("nothing was touched: \"{typed}\" is not {name}"),
            format!("to consent, type the name exactly: {name}"),
        )
    }
}
