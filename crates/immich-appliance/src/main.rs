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

use cli::{Cli, Command, ConfigCommand};
use run::Run;

fn main() -> ExitCode {
    // A core dump would hold keys. Where it cannot be forbidden, the work matters more.
    let _ = appliance_secret::protect_process();
    let cli = Cli::parse();
    let json = cli.global.json;
    conclude(dispatch(&cli), json, meaning::known)
}

fn dispatch(cli: &Cli) -> anyhow::Result<Box<dyn Report>> {
    match &cli.command {
        Command::Completions(arguments) => return commands::completions::run(arguments),
        Command::Generate(arguments) => return commands::generate::run(arguments),
        Command::Config(ConfigCommand::Check) => return commands::config::check(&cli.global),
        _ => {}
    }
    if sudo::is_needed() {
        match sudo::run_again()? {}
    }
    if matches!(cli.command, Command::Unlock(_) | Command::Drive(_)) {
        // Keys stay out of swap space, where the kernel allows it.
        let _ = appliance_secret::lock_memory();
    }
    let run = Run::load(&cli.global)?;
    match &cli.command {
        Command::Setup(arguments) => commands::setup::run(&run, arguments),
        Command::FirstBoot => commands::first_boot::run(&run),
        Command::Greeting => commands::setup::greeting(&run),
        Command::Drive(command) => commands::drive::run(&run, command),
        Command::Unlock(arguments) => commands::unlock::run(&run, arguments),
        Command::Lock(arguments) => commands::lock::run(&run, arguments),
        Command::Start => commands::start::run(&run),
        Command::Stop => commands::start::stop(&run),
        Command::Restart => commands::start::restart(&run),
        Command::Status => commands::status::run(&run),
        Command::Doctor(arguments) => commands::doctor::run(&run, arguments),
        Command::Backup(command) => commands::backup::run(&run, command),
        Command::Remote(command) => commands::remote::run(&run, command),
        Command::Recover(arguments) => commands::recover::run(&run, arguments),
        Command::Completions(_) | Command::Config(_) | Command::Generate(_) => {
            unreachable!("taken before root is asked for")
        }
    }
}
