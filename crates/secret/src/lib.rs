//! Secrets: where they are read from, how they are made, and that they are wiped.
//!
//! A [`Secret`] comes from a [`Source`] that the command line chooses, or from a generator:
//! [`repository_password`] and [`RecoveryKey`]. [`protect_process`] and [`lock_memory`] keep what
//! is in memory there.

mod generate;
mod process;
mod prompt;
mod read;
mod recovery_key;
mod secret;
mod source;

pub use generate::{GenerateError, repository_password};
pub use process::{lock_memory, protect_process};
pub use prompt::{PromptError, prompt};
pub use read::{MAX_BYTES, ReadError, Warning};
pub use recovery_key::{RecoveryKey, RecoveryKeyError};
pub use secret::{NotText, Secret};
pub use source::{ChoiceError, ObtainError, Obtained, Request, Source, systemd_credential};
