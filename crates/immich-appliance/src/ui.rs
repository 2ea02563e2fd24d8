//! Talking with the person: everything on standard error, so that standard output
//! holds the report alone.

mod bars;
mod qr;

use std::io::IsTerminal;

use anyhow::Context;
use appliance_terminal::{same_name, to_stderr};
use dialoguer::Input;

pub use bars::Bars;

use crate::failure::Refused;

/// How this run talks.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    no_input: bool,
    json: bool,
}

impl Ui {
    /// From the global options.
    pub fn new(no_input: bool, json: bool) -> Self {
        Ui { no_input, json }
    }

    /// Whether questions may be asked: there is someone to answer, and `--no-input` was
    /// not given.
    pub fn may_ask(self) -> bool {
        !self.no_input && std::io::stdin().is_terminal()
    }

    /// Whether a person may be waited for, on this terminal or elsewhere.
    pub fn accepts_input(self) -> bool {
        !self.no_input
    }

    /// Shows a link as a QR code, where there is a terminal to draw on.
    pub fn show_qr_code(self, link: &str) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        for line in qr::lines(link).into_iter().flatten() {
            self.say(line);
        }
    }

    /// Tells what is going on.
    pub fn say(self, line: impl AsRef<str>) {
        to_stderr(line.as_ref());
    }

    /// Warns of something that does not stop the command.
    pub fn warn(self, line: impl AsRef<str>) {
        to_stderr(&format!("warning: {}", line.as_ref()));
    }

    /// Progress bars, where someone is watching.
    pub fn bars(self) -> Bars {
        Bars::new(std::io::stderr().is_terminal() && !self.json)
    }

    /// Asks for a line of text.
    ///
    /// # Errors
    /// If nothing may be asked: `flag` names the option that answers instead.
    pub fn ask(self, question: &str, flag: &str) -> anyhow::Result<String> {
        if !self.may_ask() {
            return Err(Refused::missing_answer(question, flag).into());
        }
        Input::new()
            .with_prompt(question)
            .interact_text()
            .with_context(|| format!("cannot ask: {question}"))
    }

    /// Has the person type the name of what is about to be destroyed.
    ///
    /// # Errors
    /// [`Refused`] if another name, or none, was given.
    pub fn consent(
        self,
        name: &str,
        given: Option<&str>,
        what_is_lost: &str,
    ) -> anyhow::Result<()> {
        let typed = match given {
            Some(given) => given.to_owned(),
            None if self.may_ask() => {
                self.say(what_is_lost);
                self.ask(&format!("To go on, type {name}"), "--erase")?
            }
            None => return Err(Refused::no_consent(name, what_is_lost).into()),
        };
        same_name(name, &typed).map_err(|unlike| Refused::unlike(&unlike).into())
    }
}
