use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use crate::Secret;
use crate::prompt::{PromptError, prompt};
use crate::read::{self, ReadError, Warning};

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A person is asked on the terminal.
    Prompt,
    /// A file; one trailing newline is not part of the secret.
    File(PathBuf),
    /// An open file descriptor, read to its end; one trailing newline is not part of the secret.
    Descriptor(RawFd),
    /// A systemd credential, by the path of its file.
    Credential(PathBuf),
}

/// What the command line and the service manager offer for one secret.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// What the secret is, for error texts: "the drive's passphrase".
    pub what: &'a str,
    /// The flags that give it, for error texts: "--passphrase-file or --passphrase-fd".
    pub flags: &'a str,
    /// The file named by a flag. `-` is standard input.
    pub file: Option<&'a Path>,
    /// The file descriptor named by a flag.
    pub descriptor: Option<RawFd>,
    /// The file of a systemd credential that is there; see [`systemd_credential`].
    pub credential: Option<PathBuf>,
    /// Whether a person may not be asked (`--no-input`).
    pub no_input: bool,
}

/// Why no source could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Two flags each name a source.
    #[error("{what} is to come from two places; give only one of {flags}")]
    Ambiguous {
        /// What the secret is.
        what: String,
        /// The flags that give it.
        flags: String,
    },
    /// No source is named and nobody may be asked.
    #[error("{what} is needed and nobody may be asked; give it with {flags}")]
    NoneLeft {
        /// What the secret is.
        what: String,
        /// The flags that give it.
        flags: String,
    },
}

/// A secret that was read, and what a person should know about how.
#[derive(Debug)]
pub struct Obtained {
    /// The secret.
    pub secret: Secret,
    /// To be shown, in order.
    pub warnings: Vec<Warning>,
}

/// Why a secret was not obtained.
#[derive(Debug, thiserror::Error)]
pub enum ObtainError {
    /// Nobody was asked, or nobody answered.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A file, file descriptor or credential could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A new secret was typed differently the second time, as often as one may try.
    #[error("the two did not match, {tries} times")]
    Unequal {
        /// How often it was tried.
        tries: u32,
    },
    /// A new secret must not be empty.
    #[error("an empty secret protects nothing")]
    Empty,
}

impl Source {
    /// Chooses: a flag, else the systemd credential, else a person.
    ///
    /// # Errors
    /// When two flags name a source, or when nothing is left because nobody may be asked.
    pub fn choose(request: &Request<'_>) -> Result<Self, ChoiceError> {
        let Request { what, flags, .. } = *request;
        match (request.file, request.descriptor, &request.credential) {
            (Some(_), Some(_), _) => Err(ChoiceError::Ambiguous {
                what: what.to_owned(),
                flags: flags.to_owned(),
            }),
            (Some(file), None, _) if file == Path::new("-") => Ok(Self::Descriptor(0)),
            (Some(file), None, _) => Ok(Self::File(file.to_path_buf())),
            (None, Some(descriptor), _) => Ok(Self::Descriptor(descriptor)),
            (None, None, Some(credential)) => Ok(Self::Credential(credential.clone())),
            (None, None, None) if request.no_input => Err(ChoiceError::NoneLeft {
                what: what.to_owned(),
                flags: flags.to_owned(),
            }),
            (None, None, None) => Ok(Self::Prompt),
        }
    }

    /// Whether a person is asked, so that another try can give another answer.
    pub fn is_interactive(&self) -> bool {
        *self == Self::Prompt
    }

    /// Reads the secret. `question` is shown at a prompt, as it is.
    ///
    /// # Errors
    /// When the source cannot be read, is empty (a prompt may be), or a person cancels.
    pub fn obtain(&self, question: &str) -> Result<Obtained, ObtainError> {
        let (secret, warnings) = match self {
            Self::Prompt => (prompt(question)?, Vec::new()),
            Self::File(path) => read::from_file(path)?,
            Self::Descriptor(descriptor) => read::from_descriptor(*descriptor)?,
            Self::Credential(path) => {
                let (secret, mut warnings) = read::from_file(path)?;
                // Its folder is closed by systemd; the file's own mode says nothing.
                warnings.retain(|warning| !matches!(warning, Warning::ReadableByOthers { .. }));
                (secret, warnings)
            }
        };
        Ok(Obtained { secret, warnings })
    }

    /// Reads a secret that is new: a person types it twice, and may try up to `tries` times.
    /// `unequal` is called before each further try, to say why.
    ///
    /// # Errors
    /// As [`Source::obtain`]; also when the secret is empty or the two never match.
    pub fn obtain_new(
        &self,
        question: &str,
        again: &str,
        tries: u32,
        mut unequal: impl FnMut(),
    ) -> Result<Obtained, ObtainError> {
        for attempt in 1..=tries {
            let obtained = self.obtain(question)?;
            if obtained.secret.is_empty() {
                return Err(ObtainError::Empty);
            }
            if !self.is_interactive() || obtained.secret.matches(&self.obtain(again)?.secret) {
                return Ok(obtained);
            }
            if attempt < tries {
                unequal();
            }
        }
        Err(ObtainError::Unequal { tries })
    }
}

/// The file of the systemd credential of this name (`LoadCredential=`, `ImportCredential=`), if
/// the service manager gave one.
pub fn systemd_credential(name: &str) -> Option<PathBuf> {
    credential_in(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?), name)
}

fn credential_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    Some(folder.join(name)).filter(|path| plain && folder.is_absolute() && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<'static> {
        Request {
            what: "the drive's passphrase",
            flags: "--passphrase-file or --passphrase-fd",
            ..Request::default()
        }
    }

    #[test]
    fn a_flag_goes_before_the_credential_and_the_credential_before_a_person() {
        let credential = Some(PathBuf::from("/run/credentials/x/passphrase"));
        let file = Request {
            file: Some(Path::new("/root/passphrase")),
            credential: credential.clone(),
            ..request()
        };
        assert_eq!(
            Source::choose(&file),
            Ok(Source::File("/root/passphrase".into()))
        );
        let descriptor = Request {
            descriptor: Some(3),
            credential: credential.clone(),
            ..request()
        };
        assert_eq!(Source::choose(&descriptor), Ok(Source::Descriptor(3)));
        let service = Request {
            credential,
            no_input: true,
            ..request()
        };
        assert!(matches!(
            Source::choose(&service),
            Ok(Source::Credential(_))
        ));
        assert_eq!(Source::choose(&request()), Ok(Source::Prompt));
    }

    #[test]
    fn a_dash_is_standard_input() {
        let dash = Request {
            file: Some(Path::new("-")),
            ..request()
        };
        assert_eq!(Source::choose(&dash), Ok(Source::Descriptor(0)));
    }

    #[test]
    fn two_flags_are_refused() {
        let both = Request {
            file: Some(Path::new("/root/passphrase")),
            descriptor: Some(3),
            ..request()
        };
        assert!(matches!(
            Source::choose(&both),
            Err(ChoiceError::Ambiguous { .. })
        ));
    }

    #[test]
    fn with_nobody_to_ask_the_error_names_the_flags() {
        let nobody = Request {
            no_input: true,
            ..request()
        };
        assert_eq!(
            Source::choose(&nobody).unwrap_err().to_string(),
            "the drive's passphrase is needed and nobody may be asked; \
             give it with --passphrase-file or --passphrase-fd"
        );
    }

    #[test]
    fn a_credential_is_found_only_under_its_plain_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "word").unwrap();
        assert_eq!(credential_in(folder.path(), "passphrase"), Some(path));
        for name in ["", ".", "..", "absent", "../passphrase", "/etc/passwd"] {
            assert_eq!(credential_in(folder.path(), name), None, "{name}");
        }
    }

    #[test]
    fn a_credential_is_read_without_a_word_about_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "word\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let obtained = Source::Credential(path.clone()).obtain("").unwrap();
        assert_eq!(obtained.secret.expose_text(), Ok("word"));
        assert_eq!(obtained.warnings, []);
        assert_eq!(Source::File(path).obtain("").unwrap().warnings.len(), 1);
    }

    #[test]
    fn a_new_secret_from_a_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "word\n").unwrap();
        let new = Source::File(path).obtain_new("", "", 3, || panic!("asked again"));
        assert_eq!(new.unwrap().secret.expose_text(), Ok("word"));
    }
}
