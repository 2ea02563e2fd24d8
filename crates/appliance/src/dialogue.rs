//! How the appliance talks with a person, whoever that is: a terminal, a web page, nobody
//! ([`Silence`]) or a script of answers ([`Script`]).

mod script;
mod silence;

use std::path::PathBuf;
use std::sync::Arc;

use appliance_backup::progress::ProgressSink;
use appliance_secret::{RecoveryKey, Secret};

pub use script::{Heard, Script};
pub use silence::Silence;

use crate::Result;

/// Who is talked with. Secrets never pass through an operation's options: they are asked for.
pub trait Dialogue {
    /// Tells what is going on.
    fn say(&self, line: &str);
    /// Warns of something that does not stop the operation.
    fn warn(&self, line: &str);
    /// A wait of unknown length begins; it ends when the value is dropped.
    fn wait(&self, what: &str) -> Box<dyn Waiting>;
    /// Where the phases of a backup, a check or a restore are shown.
    fn progress(&self) -> Arc<dyn ProgressSink>;
    /// Shows a link that a person has to open, on any device.
    fn link(&self, link: &str);
    /// Whether a person may be waited for, here or elsewhere.
    fn may_wait(&self) -> bool;
    /// Asks for a secret.
    ///
    /// # Errors
    /// When there is none, nobody can be asked, or what was given cannot be one.
    fn secret(&self, question: &Question) -> Result<Answer>;
    /// Asks for a secret that need not exist.
    ///
    /// # Errors
    /// When what was given cannot be read.
    fn secret_if_given(&self, question: &Question) -> Result<Option<Secret>>;
    /// Has a person type the name of what is about to be destroyed.
    ///
    /// # Errors
    /// [`FailureClass::Refused`](crate::FailureClass::Refused) if another name, or none, came.
    fn consent(&self, consent: &Consent<'_>) -> Result<()>;
    /// Has a person type a name, where no option can have given the answer in advance.
    ///
    /// # Errors
    /// [`FailureClass::Refused`](crate::FailureClass::Refused) if another name, or none, came.
    fn confirm(&self, consent: &Consent<'_>) -> Result<()>;
    /// Whether [`Dialogue::hand_over`] can succeed: asked before anything is destroyed.
    ///
    /// # Errors
    /// When nobody is there to take it.
    fn can_hand_over(&self, keepsake: KeepsakeKind) -> Result<()>;
    /// Gives a person what has to be kept away from the box, and sees to it that it is kept.
    ///
    /// # Errors
    /// When nobody took it.
    fn hand_over(&self, keepsake: &Keepsake<'_>) -> Result<()>;
}

/// A wait that is being shown.
pub trait Waiting {
    /// Says what is waited for now.
    fn now(&self, what: &str);
}

/// Which secret is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A passphrase that opens this device now (the recovery key will do).
    Passphrase {
        /// The device.
        device: PathBuf,
        /// What for, as the question begins: "Passphrase of /dev/sda".
        what: String,
    },
    /// A new passphrase, typed twice.
    NewPassphrase {
        /// What for: "Passphrase for the new drive".
        what: String,
    },
    /// The password of a repository.
    RepositoryPassword {
        /// The repository's address.
        repository: String,
    },
    /// The key of an S3 server.
    S3SecretAccessKey,
    /// An auth key of the tailnet.
    AuthKey,
}

/// A secret that was given.
pub struct Answer {
    /// The secret.
    pub secret: Secret,
    /// Whether another one can come when it is asked for again: a person can try again, and a
    /// file does not change between two tries.
    pub may_differ_next_time: bool,
}

/// Something is about to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent<'a> {
    /// What has to be typed.
    pub name: &'a str,
    /// What will be lost, in whole sentences.
    pub what_is_lost: &'a str,
}

/// What kind of thing is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepsakeKind {
    /// The recovery key of a drive.
    RecoveryKey,
    /// The password of a repository.
    RepositoryPassword,
}

/// What has to leave the box, so that a loss can be survived.
pub enum Keepsake<'a> {
    /// Opens the drive when the passphrase is forgotten.
    RecoveryKey(&'a RecoveryKey),
    /// Opens the backup when the drive is lost.
    RepositoryPassword {
        /// The password.
        password: &'a Secret,
        /// Where it lies on the drive.
        file: PathBuf,
    },
}
