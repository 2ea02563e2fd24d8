use std::fmt;

use serde::Serialize;

/// What is wrong with one field. Never holds the field's value: it may be secret, and the text
/// is shown on a console and written in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field with its group, such as `wifi.ssid`; the line for what is not TOML.
    pub field: String,
    /// Why, as the rest of a sentence: "must be …".
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.field, self.reason)
    }
}

/// Everything that is wrong with a settings file, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the settings are not valid: {}", list(.0))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One problem.
    pub(crate) fn one(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut problems = Self(Vec::new());
        problems.add(field, reason);
        problems
    }

    pub(crate) fn add(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            reason: reason.into(),
        });
    }
}

fn list(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}
