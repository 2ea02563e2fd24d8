//! The photo server that a family owns: unlock, start, back up, recover.
//!
//! A front end of the library `appliance`: it asks and shows, and does nothing itself.

mod answers;
mod cli;
mod commands;
mod meaning;
mod person;
mod run;
mod sudo;

use std::process::ExitCode;

use appliance_terminal::conclude;
use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    // A core dump would hold keys. Where it cannot be forbidden, the work matters more.
    let _ = appliance_secret::protect_process();
    let cli = Cli::parse();
    let json = cli.global.json;
    conclude(commands::run(&cli), json, meaning::known)
}
