use std::sync::Arc;

use appliance_backup::progress::{ProgressSink, Silent};
use appliance_secret::Secret;

use super::{Answer, Consent, Dialogue, Keepsake, KeepsakeKind, Question, Waiting};
use crate::error::{FailureClass, Refused};
use crate::{Error, Result};

/// Nobody: what is said goes to the log, and every question fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silence;

fn nobody(what: &str) -> Error {
    Refused::new(
        FailureClass::Usage,
        format!("{what} is needed, and there is nobody to ask"),
        "run the command at a terminal, or give the answer with an option",
    )
    .into()
}

impl Dialogue for Silence {
    fn say(&self, line: &str) {
        tracing::info!("{line}");
    }

    fn warn(&self, line: &str) {
        tracing::warn!("{line}");
    }

    fn wait(&self, what: &str) -> Box<dyn Waiting> {
        tracing::info!("{what}");
        Box::new(Silence)
    }

    fn progress(&self) -> Arc<dyn ProgressSink> {
        Arc::new(Silent)
    }

    fn link(&self, link: &str) {
        tracing::info!("open {link}");
    }

    fn may_wait(&self) -> bool {
        false
    }

    fn secret(&self, _question: &Question) -> Result<Answer> {
        Err(nobody("a secret"))
    }

    fn secret_if_given(&self, _question: &Question) -> Result<Option<Secret>> {
        Ok(None)
    }

    fn consent(&self, consent: &Consent<'_>) -> Result<()> {
        Err(nobody(&format!("consent to erase {}", consent.name)))
    }

    fn confirm(&self, consent: &Consent<'_>) -> Result<()> {
        Err(nobody(&format!("agreement to {}", consent.name)))
    }

    fn can_hand_over(&self, _keepsake: KeepsakeKind) -> Result<()> {
        Err(nobody("someone who keeps a secret"))
    }

    fn hand_over(&self, _keepsake: &Keepsake<'_>) -> Result<()> {
        Err(nobody("someone who keeps a secret"))
    }
}

impl Waiting for Silence {
    fn now(&self, _what: &str) {}
}
