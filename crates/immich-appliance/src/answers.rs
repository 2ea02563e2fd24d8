//! The answers that the command line gives before anything is asked.

use std::os::fd::RawFd;
use std::path::PathBuf;

use appliance::dialogue::Question;
use appliance_secret::{ChoiceError, Request, Source, systemd_credential};
use appliance_terminal::Ui;

use crate::cli::{AuthKey, Destruction, NewDrive, Passphrase, RepositoryAccess};

/// The systemd credential that holds the drive's passphrase.
const CREDENTIAL: &str = "immich-appliance.passphrase";
/// The systemd credential that holds an auth key of the tailnet.
const AUTH_KEY_CREDENTIAL: &str = "immich-appliance.tailscale-auth-key";

/// Where secrets come from, and what was consented to.
#[derive(Debug, Default)]
pub struct Answers {
    passphrase: Given,
    new_passphrase: Given,
    repository_password: Given,
    secret_access_key: Given,
    auth_key: Given,
    /// Whether the credential of the drive's passphrase is also that of a new drive.
    makes_drive: bool,
    /// The name of the device that may be erased.
    pub erase: Option<String>,
    /// Where the recovery key is written to.
    pub recovery_key_file: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Given {
    file: Option<PathBuf>,
    descriptor: Option<RawFd>,
}

impl Answers {
    /// With where the drive's passphrase comes from; a new drive gets the same one.
    #[must_use]
    pub fn passphrase(mut self, flags: &Passphrase) -> Self {
        self.passphrase = Given {
            file: flags.passphrase_file.clone(),
            descriptor: flags.passphrase_fd,
        };
        self
    }

    /// With where a further passphrase comes from.
    #[must_use]
    pub fn new_passphrase(mut self, file: Option<&PathBuf>) -> Self {
        self.new_passphrase.file = file.cloned();
        self
    }

    /// With what may be erased.
    #[must_use]
    pub fn erase(mut self, flags: &Destruction) -> Self {
        self.erase.clone_from(&flags.erase);
        self
    }

    /// With where a new drive's recovery key goes, and its passphrase comes from.
    #[must_use]
    pub fn new_drive(mut self, flags: &NewDrive, passphrase: &Passphrase) -> Self {
        self.recovery_key_file.clone_from(&flags.recovery_key_file);
        self.new_passphrase = Given {
            file: passphrase.passphrase_file.clone(),
            descriptor: passphrase.passphrase_fd,
        };
        self.makes_drive = true;
        self.passphrase(passphrase)
    }

    /// With where a repository's secrets come from.
    #[must_use]
    pub fn repository(mut self, flags: &RepositoryAccess) -> Self {
        self.repository_password = Given {
            file: flags.repository_password_file.clone(),
            descriptor: flags.repository_password_fd,
        };
        self.secret_access_key
            .file
            .clone_from(&flags.secret_access_key_file);
        self
    }

    /// With where an auth key comes from.
    #[must_use]
    pub fn auth_key(mut self, flags: &AuthKey) -> Self {
        self.auth_key = Given {
            file: flags.auth_key_file.clone(),
            descriptor: flags.auth_key_fd,
        };
        self
    }

    /// Where the answer to a question comes from: the command line, a credential, or a person.
    ///
    /// # Errors
    /// When two places are named, or none and nobody may be asked.
    pub fn source(&self, question: &Question, ui: Ui) -> Result<Source, ChoiceError> {
        let (given, what, flags) = match question {
            Question::Passphrase { .. } => (
                &self.passphrase,
                "the drive's passphrase",
                "--passphrase-file or --passphrase-fd",
            ),
            Question::NewPassphrase { .. } => (
                &self.new_passphrase,
                "the new passphrase",
                "--passphrase-file, --passphrase-fd or --new-passphrase-file",
            ),
            Question::RepositoryPassword { .. } => (
                &self.repository_password,
                "the repository's password",
                "--repository-password-file or --repository-password-fd",
            ),
            Question::S3SecretAccessKey => (
                &self.secret_access_key,
                "the S3 secret access key",
                "--secret-access-key-file",
            ),
            Question::AuthKey => (
                &self.auth_key,
                "the auth key",
                "--auth-key-file or --auth-key-fd",
            ),
        };
        Source::choose(&Request {
            what,
            flags,
            file: given.file.as_deref(),
            descriptor: given.descriptor,
            credential: match question {
                Question::Passphrase { .. } => systemd_credential(CREDENTIAL),
                Question::NewPassphrase { .. } if self.makes_drive => {
                    systemd_credential(CREDENTIAL)
                }
                Question::AuthKey => systemd_credential(AUTH_KEY_CREDENTIAL),
                _ => None,
            },
            no_input: !ui.may_ask(),
        })
    }

    /// The same for a secret that need not exist: `None` where only a person could be asked.
    ///
    /// # Errors
    /// When two places are named.
    pub fn source_if_given(
        &self,
        question: &Question,
        ui: Ui,
    ) -> Result<Option<Source>, ChoiceError> {
        match self.source(question, ui) {
            Ok(source) if source.is_interactive() => Ok(None),
            Err(ChoiceError::NoneLeft { .. }) => Ok(None),
            other => other.map(Some),
        }
    }
}
