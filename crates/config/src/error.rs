use std::fmt;
use std::io;
use std::path::PathBuf;

/// A line of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// Why the configuration is not valid. Every variant says in which file, and where it can in
/// which line and at which key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or the folder of fragments could not be read.
    #[error("cannot read the configuration in {}", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// What the operating system said; also for text that is not UTF-8.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        reason: String,
    },
    /// There is no such key.
    #[error("{place}: unknown key {key}{}", suggestion(similar))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key, with its tables: "drive.uid".
        key: String,
        /// The key that was most likely meant.
        similar: Option<String>,
    },
    /// The value is of another type or out of its range.
    #[error("{place}: {key} {reason}")]
    Value {
        /// Where.
        place: Place,
        /// The key, with its tables.
        key: String,
        /// What the value has to be: "must be a whole number from 1 to 10".
        reason: String,
    },
    /// Two keys do not fit together.
    #[error("{}{key} {reason}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    Conflict {
        /// Where the key is set; `None` when its default does not fit.
        place: Option<Place>,
        /// The key, with its tables.
        key: &'static str,
        /// How it has to fit the other.
        reason: String,
    },
}

fn suggestion(similar: &Option<String>) -> String {
    similar
        .as_ref()
        .map(|key| format!("; did you mean {key}?"))
        .unwrap_or_default()
}
