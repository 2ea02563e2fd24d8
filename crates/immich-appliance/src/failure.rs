//! What an error means to a person: the exit code, and the command that mends it.
//!
//! Library errors say what was being done, to which object and why it failed; here the
//! same types decide how the process exits and what to do next.

mod classify;

use appliance_terminal::{Failure, Unlike};

use crate::exit::Exit;
pub use classify::classify;

/// Something the tool would not do, or could not ask.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    message: String,
    /// How the process exits.
    pub exit: Exit,
    /// What to do.
    pub mend: Option<String>,
}

impl Refused {
    /// A refusal with its exit code and the way out.
    pub fn new(exit: Exit, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Refused {
            message: message.into(),
            exit,
            mend: Some(mend.into()),
        }
    }

    /// A question that may not be asked.
    pub fn missing_answer(question: &str, flag: &str) -> Self {
        Refused::new(
            Exit::Usage,
            format!("{question}: no answer was given, and nothing may be asked here"),
            format!("give it with {flag}"),
        )
    }

    /// Consent that was not given.
    pub fn no_consent(name: &str, what_is_lost: &str) -> Self {
        Refused::new(
            Exit::Refused,
            format!("{name} is not touched without consent. {what_is_lost}"),
            format!("if that is what you want, give --erase {name}"),
        )
    }

    /// Consent for something else.
    pub fn unlike(unlike: &Unlike) -> Self {
        Refused::new(Exit::Refused, unlike.to_string(), unlike.mend())
    }

    /// The drive must be unlocked first.
    pub fn drive_locked(doing: &str) -> Self {
        Refused::new(
            Exit::DriveLocked,
            format!("cannot {doing}: the drive is not unlocked"),
            "immich-appliance unlock --start",
        )
    }
}

/// Prints an error: for a person on standard error, and with `--json` as the one
/// document on standard output.
pub fn print(error: &anyhow::Error, json: bool) -> Exit {
    let meaning = classify(error);
    let failure = Failure {
        exit: meaning.exit,
        code: meaning.exit.code(),
        mend: meaning.mend,
    };
    failure.print(error, json);
    meaning.exit
}
