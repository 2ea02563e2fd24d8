//! What an error means: how the process exits, and what helps. Printed for a person and as JSON.

use std::error::Error as StdError;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::refused::Refused;
use crate::report::{self, Report, to_stdout};
use crate::to_stderr;

/// What an error means to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// How the process exits.
    pub exit: Exit,
    /// What to do, where anything helps.
    pub help: Option<String>,
}

impl Meaning {
    /// An exit code, with nothing to add.
    pub fn plain(exit: Exit) -> Self {
        Meaning { exit, help: None }
    }

    /// An exit code, and what helps.
    pub fn helped(exit: Exit, help: impl Into<String>) -> Self {
        Meaning {
            exit,
            help: Some(help.into()),
        }
    }

    /// What an error means: a [`Refused`] says so itself; else it is the meaning of the first
    /// cause, outermost first, that `known` has one for. Without one, the run has failed.
    pub fn of(
        error: &anyhow::Error,
        known: impl Fn(&(dyn StdError + 'static)) -> Option<Meaning>,
    ) -> Self {
        // Anyhow hides what was put around an error as its context from the chain of causes, but
        // finds it by its type.
        let refused = error
            .downcast_ref::<Refused>()
            .or_else(|| error.chain().find_map(|cause| cause.downcast_ref()));
        if let Some(refused) = refused {
            return Meaning {
                exit: refused.exit,
                help: refused.help.clone(),
            };
        }
        error
            .chain()
            .find_map(known)
            .unwrap_or(Meaning::plain(Exit::Failed))
    }

    /// Prints the error that this is the meaning of: for a person on standard error, and with
    /// `json` as the one document on standard output.
    pub fn print(&self, error: &anyhow::Error, json: bool) {
        let causes = causes(error);
        for line in self.lines(&causes) {
            to_stderr(&line);
        }
        if json {
            // The error itself is what the run ends with, also where nobody reads it.
            let _ = to_stdout(format!("{:#}", self.document(&causes)));
        }
    }

    fn lines(&self, causes: &[String]) -> Vec<String> {
        let error = format!("error: {}", causes.join(": "));
        let help = self.help.iter().map(|help| format!("help: {help}"));
        std::iter::once(error).chain(help).collect()
    }

    fn document(&self, causes: &[String]) -> Value {
        json!({
            "error": {
                "exit": self.exit,
                "code": self.exit.code(),
                "message": causes.first(),
                "causes": causes.get(1..),
                "help": self.help,
            }
        })
    }
}

/// Ends a run: prints its report, or its error with the meaning that `known` gives it.
pub fn conclude(
    outcome: anyhow::Result<Box<dyn Report>>,
    json: bool,
    known: impl Fn(&(dyn StdError + 'static)) -> Option<Meaning>,
) -> ExitCode {
    let printed = outcome.and_then(|report| {
        report::print(report.as_ref(), json)?;
        Ok(report.exit())
    });
    let exit = printed.unwrap_or_else(|error| {
        let meaning = Meaning::of(&error, known);
        meaning.print(&error, json);
        meaning.exit
    });
    ExitCode::from(exit.code())
}

/// The texts of an error and of what caused it.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Wrappers that show their source in their own text would say it twice.
        if !causes.iter().any(|said| said.contains(&text)) {
            causes.push(text);
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn io(error: &(dyn StdError + 'static)) -> Option<Meaning> {
        error
            .is::<std::io::Error>()
            .then(|| Meaning::plain(Exit::DriveNotFound))
    }

    fn refusal() -> Refused {
        Refused::new(Exit::Busy, "not now", "wait")
    }

    #[test]
    fn a_cause_that_was_said_already_is_not_said_again() {
        let error = anyhow::anyhow!("no such file")
            .context("cannot read x: no such file")
            .context("cannot start");
        assert_eq!(
            causes(&error),
            ["cannot start", "cannot read x: no such file"]
        );
    }

    #[test]
    fn an_error_is_printed_with_its_causes_and_with_what_helps() {
        let meaning = Meaning::helped(Exit::Refused, "do it");
        let causes = ["first".to_owned(), "second".to_owned()];
        assert_eq!(
            meaning.lines(&causes),
            ["error: first: second", "help: do it"]
        );
        let expected = json!({"error": {
            "exit": "refused", "code": 9, "message": "first", "causes": ["second"], "help": "do it",
        }});
        assert_eq!(meaning.document(&causes), expected);
    }

    #[test]
    fn without_help_there_is_no_line_for_it() {
        let lines = Meaning::plain(Exit::Failed).lines(&["first".to_owned()]);
        assert_eq!(lines, ["error: first"]);
    }

    #[test]
    fn a_cause_that_is_known_decides_and_a_refusal_before_it_wherever_it_stands() {
        let inner = std::io::Error::other("gone");
        let error = anyhow::Error::new(inner).context("while looking");
        assert_eq!(Meaning::of(&error, io).exit, Exit::DriveNotFound);
        let error = anyhow::Error::new(std::io::Error::other("gone")).context(refusal());
        assert_eq!(Meaning::of(&error, io), Meaning::helped(Exit::Busy, "wait"));
        let error = Err::<(), _>(refusal())
            .context("while waiting")
            .unwrap_err();
        assert_eq!(Meaning::of(&error, io), Meaning::helped(Exit::Busy, "wait"));
        let error = anyhow::anyhow!("no idea");
        assert_eq!(Meaning::of(&error, io), Meaning::plain(Exit::Failed));
    }
}
