use std::fmt::Display;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{remove_durably, write_durably};

/// A small file that holds one value as TOML. It is written durably, readable by its owner alone.
#[derive(Debug, Clone)]
pub struct Document<T> {
    path: PathBuf,
    heading: &'static str,
    secret: bool,
    value: PhantomData<fn() -> T>,
}

/// Why a document was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It holds something else than it should.
    #[error("{}:{line} is damaged{reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, in parentheses; empty where that could tell a secret.
        reason: String,
    },
    /// The value cannot be written as TOML.
    #[error("cannot write {} as TOML", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::ser::Error,
    },
    /// The file could not be written or removed.
    #[error(transparent)]
    Write(#[from] crate::FileError),
}

impl<T: Serialize + DeserializeOwned> Document<T> {
    /// The document in this file, which begins with `heading`: lines that start with `#`, or
    /// nothing.
    pub fn new(path: impl Into<PathBuf>, heading: &'static str) -> Self {
        Self {
            path: path.into(),
            heading,
            secret: false,
            value: PhantomData,
        }
    }

    /// The document holds secrets: an error never quotes from it, and no copy of it stays in
    /// memory.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; `None` where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn read(&self) -> Result<Option<T>, DocumentError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let path = self.path.clone();
                return Err(DocumentError::Read { path, source });
            }
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| self.damaged(&bytes, error.valid_up_to(), "this is no text"))?;
        toml::from_str(text).map(Some).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.damaged(&bytes, at, error.message().trim())
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file system does not take it; the file is then as it was.
    pub fn write(&self, value: &T) -> Result<(), DocumentError> {
        let body = toml::to_string(value).map_err(|source| DocumentError::Form {
            path: self.path.clone(),
            source,
        })?;
        let body = Zeroizing::new(body);
        let text = Zeroizing::new([self.heading, body.as_str()].concat());
        Ok(write_durably(&self.path, text.as_bytes(), 0o600)?)
    }

    /// Removes it. Tells whether it was there.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self) -> Result<bool, DocumentError> {
        Ok(remove_durably(&self.path)?)
    }

    fn damaged(&self, bytes: &[u8], at: usize, reason: impl Display) -> DocumentError {
        let before = bytes.iter().take(at);
        DocumentError::Damaged {
            path: self.path.clone(),
            line: before.filter(|&&byte| byte == b'\n').count() + 1,
            reason: if self.secret {
                String::new()
            } else {
                format!(" ({reason})")
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        text: String,
        count: u32,
    }

    fn document(folder: &tempfile::TempDir) -> Document<Note> {
        Document::new(folder.path().join("note.toml"), "# A note.\n\n")
    }

    #[test]
    fn what_is_written_is_read_back_and_only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let document = document(&folder);
        assert_eq!(document.read().unwrap(), None);
        let note = Note {
            text: "ä".into(),
            count: 3,
        };
        document.write(&note).unwrap();
        assert_eq!(document.read().unwrap(), Some(note));
        let text = fs::read_to_string(document.path()).unwrap();
        assert!(text.starts_with("# A note.\n\ntext"), "{text}");
        let mode = fs::metadata(document.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(document.remove().unwrap());
        assert!(!document.remove().unwrap());
    }

    #[test]
    fn damage_is_told_with_its_line_and_a_secret_is_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let document = document(&folder);
        fs::write(document.path(), "text = \"x\"\ncount = \"hunter2\"\n").unwrap();
        let told = document.read().unwrap_err().to_string();
        assert!(told.contains("note.toml:2 is damaged"), "{told}");
        assert!(told.contains("invalid type"), "{told}");
        let told = document.secret().read().unwrap_err().to_string();
        assert!(told.ends_with("note.toml:2 is damaged"), "{told}");
        let bytes = folder.path().join("bytes.toml");
        fs::write(&bytes, b"text = \"\xff\"\n").unwrap();
        let document: Document<Note> = Document::new(bytes, "");
        let told = document.read().unwrap_err().to_string();
        assert!(told.contains("no text"), "{told}");
    }
}
