//! Talking with the person: everything on standard error, so that standard output holds the
//! report alone.

use std::io::IsTerminal;

use anyhow::Context;
use appliance_terminal::{same_name, to_stderr};
use dialoguer::{Input, MultiSelect, Select};

use crate::bars::Bars;
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Refused;

/// How this run talks.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    no_input: bool,
    json: bool,
}

impl Talk {
    /// From the global options.
    pub fn new(global: &Global) -> Self {
        Self {
            no_input: global.no_input,
            json: global.json,
        }
    }

    /// Whether questions may be asked.
    pub fn may_ask(self) -> bool {
        !self.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
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

    /// Asks for a line of text; an empty answer is none.
    ///
    /// # Errors
    /// If the terminal fails.
    pub fn ask(self, question: &str) -> anyhow::Result<Option<String>> {
        let answer: String = Input::new()
            .with_prompt(question)
            .allow_empty(true)
            .interact_text()
            .with_context(|| format!("cannot ask: {question}"))?;
        let answer = answer.trim();
        Ok((!answer.is_empty()).then(|| answer.to_owned()))
    }

    /// Has the person choose one of several.
    ///
    /// # Errors
    /// If the terminal fails.
    pub fn choose(self, question: &str, items: &[String]) -> anyhow::Result<usize> {
        Select::new()
            .with_prompt(question)
            .items(items)
            .default(0)
            .interact()
            .with_context(|| format!("cannot ask: {question}"))
    }

    /// Has the person choose any of several; all are chosen at first.
    ///
    /// # Errors
    /// If the terminal fails.
    pub fn choose_some(self, question: &str, items: &[String]) -> anyhow::Result<Vec<usize>> {
        MultiSelect::new()
            .with_prompt(question)
            .items(items)
            .defaults(&vec![true; items.len()])
            .interact()
            .with_context(|| format!("cannot ask: {question}"))
    }

    /// Has the person type a device's name.
    ///
    /// # Errors
    /// [`Refused`] if another name, or none, was given; `flag` gives it without a question.
    pub fn typed(
        self,
        name: &str,
        given: Option<&str>,
        why: &str,
        flag: &str,
    ) -> anyhow::Result<()> {
        let typed = match given {
            Some(given) => given.to_owned(),
            None if self.may_ask() => {
                self.say(why);
                self.ask(&format!("To go on, type {name}"))?
                    .unwrap_or_default()
            }
            None => {
                return Err(Refused::new(
                    Exit::Refused,
                    format!("{name} is not touched without consent. {why}"),
                    format!("if that is what you want, give {flag} {name}"),
                )
                .into());
            }
        };
        same_name(name, &typed).map_err(|unlike| Refused::unlike(&unlike).into())
    }
}
