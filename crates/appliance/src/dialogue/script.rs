use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use appliance_backup::progress::{ProgressSink, Silent};
use appliance_secret::Secret;

use super::{Answer, Consent, Dialogue, Keepsake, KeepsakeKind, Question, Silence, Waiting};
use crate::Result;
use crate::error::{FailureClass, Refused};

/// A script of answers, and a record of what was said and asked: for tests.
#[derive(Debug, Clone, Default)]
pub struct Script(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    secrets: VecDeque<String>,
    consents: VecDeque<String>,
    heard: Vec<Heard>,
}

/// What a script heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line was said.
    Said(String),
    /// A warning was given.
    Warned(String),
    /// A secret was asked for.
    Asked(Question),
    /// Consent was asked for, for what must be typed.
    Consented(String),
    /// A recovery key or a password was handed over, in plain text.
    Kept(String),
}

impl Script {
    /// The secrets that are given, in the order in which they are asked for.
    #[must_use]
    pub fn secrets<'a>(self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().map(str::to_owned);
        self.0.borrow_mut().secrets.extend(secrets);
        self
    }

    /// The names that are typed when consent is asked for, in their order.
    #[must_use]
    pub fn consents<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(str::to_owned);
        self.0.borrow_mut().consents.extend(names);
        self
    }

    /// What was heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.0.borrow().heard.clone()
    }

    /// What was handed over so far.
    pub fn kept(&self) -> Vec<String> {
        let kept = |heard| match heard {
            Heard::Kept(text) => Some(text),
            _ => None,
        };
        self.heard().into_iter().filter_map(kept).collect()
    }

    fn hear(&self, heard: Heard) {
        self.0.borrow_mut().heard.push(heard);
    }
}

impl Dialogue for Script {
    fn say(&self, line: &str) {
        self.hear(Heard::Said(line.to_owned()));
    }

    fn warn(&self, line: &str) {
        self.hear(Heard::Warned(line.to_owned()));
    }

    fn wait(&self, _what: &str) -> Box<dyn Waiting> {
        Box::new(Silence)
    }

    fn progress(&self) -> Arc<dyn ProgressSink> {
        Arc::new(Silent)
    }

    fn link(&self, link: &str) {
        self.say(link);
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn secret(&self, question: &Question) -> Result<Answer> {
        self.hear(Heard::Asked(question.clone()));
        let given = self.0.borrow_mut().secrets.pop_front();
        let Some(given) = given else {
            return Err(Refused::new(
                FailureClass::Usage,
                format!("the script has no answer to {question:?}"),
                "give it one more secret",
            )
            .into());
        };
        Ok(Answer {
            secret: Secret::from(given),
            may_differ_next_time: true,
        })
    }

    fn secret_if_given(&self, question: &Question) -> Result<Option<Secret>> {
        if self.0.borrow().secrets.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.secret(question)?.secret))
    }

    fn consent(&self, consent: &Consent<'_>) -> Result<()> {
        self.hear(Heard::Consented(consent.name.to_owned()));
        let typed = self.0.borrow_mut().consents.pop_front();
        if typed.as_deref() == Some(consent.name) {
            return Ok(());
        }
        Err(Refused::new(
            FailureClass::Refused,
            format!("{} is not touched without consent", consent.name),
            format!("let the script type {}", consent.name),
        )
        .into())
    }

    fn confirm(&self, consent: &Consent<'_>) -> Result<()> {
        self.consent(consent)
    }

    fn can_hand_over(&self, _keepsake: KeepsakeKind) -> Result<()> {
        Ok(())
    }

    fn hand_over(&self, keepsake: &Keepsake<'_>) -> Result<()> {
        let secret = match keepsake {
            Keepsake::RecoveryKey(key) => key.to_secret(),
            Keepsake::RepositoryPassword { password, .. } => {
                Secret::copy_from(password.expose_bytes())
            }
        };
        self.hear(Heard::Kept(secret.expose_text()?.to_owned()));
        Ok(())
    }
}
