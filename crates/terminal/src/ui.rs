//! Talking with the person: everything on standard error, so that standard output holds the
//! report alone.

mod qr;

use std::io::IsTerminal;

use anyhow::Context;
use dialoguer::{Input, MultiSelect, Select};

use crate::bars::Bars;
use crate::refused::Refused;
use crate::to_stderr;

/// The option that consents to a loss without a question.
const CONSENT: &str = "--erase";

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

    /// Whether questions may be asked: there is someone who sees them and can answer, and
    /// `--no-input` was not given.
    pub fn may_ask(self) -> bool {
        !self.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
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
        self.may_ask_or(question, flag)?;
        input(question, false)
    }

    /// Asks for a line of text that may be left empty, which is no answer.
    ///
    /// # Errors
    /// If the terminal fails. Ask [`Ui::may_ask`] first.
    pub fn ask_optional(self, question: &str) -> anyhow::Result<Option<String>> {
        let answer = input(question, true)?;
        let answer = answer.trim();
        Ok((!answer.is_empty()).then(|| answer.to_owned()))
    }

    /// Has the person choose one of several, and gives its place.
    ///
    /// # Errors
    /// If nothing may be asked: `flag` names the option that answers instead.
    pub fn choose(self, question: &str, flag: &str, items: &[String]) -> anyhow::Result<usize> {
        self.may_ask_or(question, flag)?;
        Select::new()
            .with_prompt(question)
            .items(items)
            .default(0)
            .interact()
            .with_context(|| format!("cannot ask: {question}"))
    }

    /// Has the person choose any of several, and gives their places; all are chosen at first.
    ///
    /// # Errors
    /// If nothing may be asked: `flag` names the option that answers instead.
    pub fn choose_some(
        self,
        question: &str,
        flag: &str,
        items: &[String],
    ) -> anyhow::Result<Vec<usize>> {
        self.may_ask_or(question, flag)?;
        MultiSelect::new()
            .with_prompt(question)
            .items(items)
            .defaults(&vec![true; items.len()])
            .interact()
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
                input(&format!("To go on, type {name}"), true)?
            }
            None => return Err(Refused::no_consent(name, what_is_lost, CONSENT).into()),
        };
        Ok(same_name(name, &typed)?)
    }

    fn may_ask_or(self, question: &str, flag: &str) -> Result<(), Refused> {
        if self.may_ask() {
            return Ok(());
        }
        Err(Refused::missing_answer(question, flag))
    }
}

fn input(question: &str, allow_empty: bool) -> anyhow::Result<String> {
    Input::new()
        .with_prompt(question)
        .allow_empty(allow_empty)
        .interact_text()
        .with_context(|| format!("cannot ask: {question}"))
}

/// Compares what was typed with the name; space around it does not count.
fn same_name(name: &str, typed: &str) -> Result<(), Refused> {
    let typed = typed.trim();
    if typed == name {
        return Ok(());
    }
    Err(Refused::another_name(name, typed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    const SILENT: Ui = Ui {
        no_input: true,
        json: false,
    };

    fn refused(error: anyhow::Error) -> Refused {
        error.downcast().unwrap()
    }

    #[test]
    fn only_the_whole_name_consents() {
        assert!(SILENT.consent("sda", Some(" sda\n"), "All of it.").is_ok());
        for typed in ["", "sd", "sda1", "SDA", "/dev/sda", "yes"] {
            let given = SILENT.consent("sda", Some(typed), "All of it.");
            let refused = refused(given.unwrap_err());
            assert!(
                refused.to_string().contains("nothing was touched"),
                "{typed}"
            );
            assert_eq!(refused.exit, Exit::Refused);
        }
    }

    #[test]
    fn without_consent_what_would_be_lost_is_said_and_how_to_consent() {
        let refused = refused(SILENT.consent("sda", None, "All of it.").unwrap_err());
        assert!(refused.to_string().ends_with("All of it."));
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.help.unwrap().ends_with("--erase sda"));
    }

    #[test]
    fn what_may_not_be_asked_names_the_option_that_answers() {
        let questions = [
            SILENT.ask("Where to", "--to").unwrap_err(),
            SILENT.choose("Where to", "--to", &[]).unwrap_err(),
            SILENT.choose_some("Where to", "--to", &[]).unwrap_err(),
        ];
        for error in questions {
            let refused = refused(error);
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.to_string().starts_with("Where to"));
            assert!(refused.help.unwrap().ends_with("--to"));
        }
    }
}
