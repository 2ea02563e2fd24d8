//! An error, for a person and as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{to_stderr, to_stdout};

/// What an error means: how the process exits, and what mends it.
#[derive(Debug, Clone)]
pub struct Failure<E> {
    /// The exit code's name, as it is written in JSON.
    pub exit: E,
    /// The exit code's number.
    pub code: u8,
    /// What to do.
    pub mend: Option<String>,
}

impl<E: Serialize> Failure<E> {
    /// Prints the error: for a person on standard error, and with `json` as the one document on
    /// standard output.
    pub fn print(&self, error: &anyhow::Error, json: bool) {
        let causes = causes(error);
        to_stderr(&format!("error: {}", causes.join(": ")));
        if let Some(mend) = &self.mend {
            to_stderr(&format!("to mend: {mend}"));
        }
        if json {
            // The error itself is what the run ends with, also where nobody reads it.
            let _ = to_stdout(format!("{:#}", self.document(&causes)));
        }
    }

    fn document(&self, causes: &[String]) -> Value {
        json!({
            "error": {
                "exit": self.exit,
                "code": self.code,
                "message": causes.first(),
                "causes": causes.get(1..),
                "mend": self.mend,
            }
        })
    }
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
    use super::*;

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
    fn the_document_names_exit_causes_and_mend() {
        let failure = Failure {
            exit: "refused",
            code: 9,
            mend: Some("do it".to_owned()),
        };
        let causes = ["first".to_owned(), "second".to_owned()];
        let expected = json!({"error": {
            "exit": "refused", "code": 9, "message": "first", "causes": ["second"], "mend": "do it",
        }});
        assert_eq!(failure.document(&causes), expected);
    }
}
