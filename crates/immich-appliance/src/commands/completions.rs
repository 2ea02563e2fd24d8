//! `completions`

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use appliance_terminal::{Report, Said};

/// Prints the completion script of a shell.
pub fn run(arguments: &Completions) -> anyhow::Result<Box<dyn Report>> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "immich-appliance",
        &mut script,
    );
    let script = String::from_utf8(script)?;
    Ok(Box::new(Said {
        done: script,
        changed: false,
    }))
}
