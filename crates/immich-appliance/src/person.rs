//! The person at the terminal, with the answers that the command line gave in advance.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use appliance::dialogue::{Answer, Consent, Dialogue, Keepsake, KeepsakeKind, Question, Waiting};
use appliance::error::Context as _;
use appliance::{FailureClass, Refused, Result};
use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Unit};
use appliance_secret::{ObtainError, Obtained, RecoveryKey, Secret, Source};
use appliance_terminal::{Bar, Bars, Counted, Ui};

use crate::answers::Answers;
use crate::meaning::class;

/// How often a new secret may be typed differently the second time.
const NEW_SECRET_TRIES: u32 = 3;

/// Whoever sits at the terminal.
pub struct Person {
    ui: Ui,
    answers: Answers,
    /// The bar that is shown now; lines are written above it.
    bar: Rc<RefCell<Option<Bar>>>,
}

impl Person {
    /// With answers that were given in advance.
    pub fn new(ui: Ui, answers: Answers) -> Self {
        Person {
            ui,
            answers,
            bar: Rc::default(),
        }
    }

    fn above_the_bar(&self, write: impl FnOnce()) {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn warned(&self, obtained: Obtained) -> Secret {
        for warning in obtained.warnings {
            self.warn(&warning.to_string());
        }
        obtained.secret
    }

    /// A recovery key opens its keyslot only in the form it was shown in, however it is typed.
    fn canonical(&self, secret: Secret) -> Secret {
        let Ok(text) = secret.expose_text() else {
            return secret;
        };
        if !RecoveryKey::looks_like_one(text) {
            return secret;
        }
        match RecoveryKey::parse(text) {
            Ok(key) => key.to_secret(),
            Err(error) => {
                self.say(&format!("If this was meant as the recovery key: {error}."));
                secret
            }
        }
    }

    /// Reads a new passphrase; a person types it twice.
    fn new_secret(&self, source: &Source, what: &str) -> Result<Secret> {
        let obtained = source.obtain_new(
            &format!("{what}: "),
            "The same again: ",
            NEW_SECRET_TRIES,
            || self.say("The two did not match."),
        );
        match obtained {
            Err(error @ (ObtainError::Empty | ObtainError::Unequal { .. })) => Err(Refused::new(
                FailureClass::Usage,
                error.to_string(),
                "run the command again and type a passphrase of several words",
            )
            .into()),
            other => Ok(self.warned(other?)),
        }
    }

    /// Shows a secret this once, and asks for it until it is typed back.
    fn typed_back(&self, shown: &str, is_it: impl Fn(&Secret) -> Result<(), String>) -> Result<()> {
        self.say(&format!("    {shown}\n"));
        loop {
            let typed = Source::Prompt.obtain("Type it back from the paper: ")?;
            match is_it(&typed.secret) {
                Ok(()) => return Ok(()),
                Err(why) => self.say(&why),
            }
        }
    }

    fn keep_recovery_key(&self, key: &RecoveryKey) -> Result<()> {
        let shown = key.to_secret();
        if let Some(path) = &self.answers.recovery_key_file {
            let mut line = zeroize::Zeroizing::new(shown.expose_bytes().to_vec());
            line.push(b'\n');
            appliance_files::write_durably(path, &line, 0o600)
                .with_context(|| format!("cannot write the recovery key to {}", path.display()))?;
            self.say(&format!("The recovery key is in {}.", path.display()));
            return Ok(());
        }
        self.say("\nThe recovery key opens the drive when the passphrase is forgotten.");
        self.say("Write it on paper. It is shown only this once:\n");
        self.typed_back(shown.expose_text()?, |typed| {
            match key.is_typed_as(typed.expose_text().unwrap_or_default()) {
                Ok(true) => Ok(()),
                Ok(false) => Err("That is a recovery key, but another one.".into()),
                Err(error) => Err(format!("Not yet: {error}.")),
            }
        })
    }

    /// Without this password a lost drive cannot be recovered, so it has to leave the drive.
    fn keep_password(&self, password: &Secret, file: &std::path::Path) -> Result<()> {
        if !self.ui.may_ask() {
            self.warn(&format!(
                "the repository's password is only on this drive, in {}; keep a copy elsewhere, or \
                 the backup cannot be opened when the drive is lost",
                file.display()
            ));
            return Ok(());
        }
        self.say("\nThis password opens the backup when the drive is lost. Write it on paper,");
        self.say("beside the recovery key:\n");
        self.typed_back(password.expose_text()?, |typed| {
            if typed.matches(password) {
                Ok(())
            } else {
                Err("That does not match.".into())
            }
        })
    }
}

impl Dialogue for Person {
    fn say(&self, line: &str) {
        self.above_the_bar(|| self.ui.say(line));
    }

    fn warn(&self, line: &str) {
        self.above_the_bar(|| self.ui.warn(line));
    }

    fn wait(&self, what: &str) -> Box<dyn Waiting> {
        let bar = self.ui.bars().wait(what);
        *self.bar.borrow_mut() = Some(bar.clone());
        Box::new(Shown {
            bar,
            place: Rc::clone(&self.bar),
        })
    }

    fn progress(&self) -> Arc<dyn ProgressSink> {
        Arc::new(Phases(self.ui.bars()))
    }

    fn link(&self, link: &str) {
        self.above_the_bar(|| {
            // The line that takes the spinner away is not the link's own.
            self.ui.say(format!("\n    {link}\n"));
            self.ui.show_qr_code(link);
        });
    }

    fn may_wait(&self) -> bool {
        self.ui.accepts_input()
    }

    fn secret(&self, question: &Question) -> Result<Answer> {
        let source = self.answers.source(question, self.ui)?;
        let secret = match question {
            Question::Passphrase { what, .. } => {
                self.canonical(self.warned(source.obtain(&format!("{what}: "))?))
            }
            Question::NewPassphrase { what } => self.new_secret(&source, what)?,
            Question::RepositoryPassword { .. } => {
                self.warned(source.obtain("The repository's password: ")?)
            }
            Question::S3SecretAccessKey => self.warned(source.obtain("S3 secret access key: ")?),
            Question::AuthKey => self.warned(source.obtain("Auth key: ")?),
        };
        Ok(Answer {
            secret,
            may_differ_next_time: source.is_interactive(),
        })
    }

    fn secret_if_given(&self, question: &Question) -> Result<Option<Secret>> {
        let source = self.answers.source_if_given(question, self.ui)?;
        source
            .map(|source| Ok(self.warned(source.obtain("")?)))
            .transpose()
    }

    fn consent(&self, consent: &Consent<'_>) -> Result<()> {
        let given = self.answers.erase.as_deref();
        self.ui
            .consent(consent.name, given, consent.what_is_lost)
            .map_err(refused)
    }

    fn confirm(&self, consent: &Consent<'_>) -> Result<()> {
        if !self.ui.may_ask() {
            return Err(Refused::new(
                FailureClass::Refused,
                consent.what_is_lost,
                "run the command again at a terminal, where you can agree to it",
            )
            .into());
        }
        self.ui
            .consent(consent.name, None, consent.what_is_lost)
            .map_err(refused)
    }

    fn can_hand_over(&self, keepsake: KeepsakeKind) -> Result<()> {
        let kept = self.answers.recovery_key_file.is_some() || self.ui.may_ask();
        if keepsake == KeepsakeKind::RepositoryPassword || kept {
            return Ok(());
        }
        Err(refused(
            appliance_terminal::Refused::missing_answer(
                "The recovery key must be kept",
                "--recovery-key-file",
            )
            .into(),
        ))
    }

    fn hand_over(&self, keepsake: &Keepsake<'_>) -> Result<()> {
        match keepsake {
            Keepsake::RecoveryKey(key) => self.keep_recovery_key(key),
            Keepsake::RepositoryPassword { password, file } => self.keep_password(password, file),
        }
    }
}

/// The terminal's own refusal, as one of the library's.
fn refused(error: anyhow::Error) -> appliance::Error {
    match error.downcast::<appliance_terminal::Refused>() {
        Ok(refused) => Refused::new(
            class(refused.exit),
            refused.to_string(),
            refused.help.unwrap_or_default(),
        )
        .into(),
        Err(error) => appliance::Error::Missing(format!("{error:#}")),
    }
}

/// A wait that is shown as a spinner.
struct Shown {
    bar: Bar,
    place: Rc<RefCell<Option<Bar>>>,
}

impl Waiting for Shown {
    fn now(&self, what: &str) {
        self.bar.set_message(what);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish();
        self.place.borrow_mut().take();
    }
}

/// The phases of a backup, a check or a restore, as bars.
#[derive(Debug)]
struct Phases(Bars);

impl ProgressSink for Phases {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        let counted = match phase.unit {
            Unit::Bytes => Counted::Bytes,
            Unit::Items => Counted::Items,
            Unit::Nothing => Counted::Nothing,
        };
        Arc::new(PhaseBar(self.0.phase(phase.name.clone(), counted, None)))
    }
}

#[derive(Debug)]
struct PhaseBar(Bar);

impl PhaseSink for PhaseBar {
    fn set_total(&self, total: u64) {
        self.0.set_total(total);
    }

    fn advance(&self, done: u64) {
        self.0.advance(done);
    }

    fn finish(&self) {
        self.0.finish();
    }
}
