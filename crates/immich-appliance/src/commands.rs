//! One file for a command or a few that belong together. Each turns its arguments into the
//! options of one operation of the library, and what that returns into a report.

pub mod backup;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod drive;
pub mod first_boot;
pub mod generate;
pub mod lock;
pub mod recover;
pub mod remote;
pub mod setup;
pub mod start;
pub mod status;
pub mod unlock;

use appliance_terminal::Report;

use crate::cli::{Cli, Command, ConfigCommand};
use crate::run::Run;
use crate::sudo;

/// Runs the command that was typed. Only what needs no root comes before sudo.
pub fn run(cli: &Cli) -> anyhow::Result<Box<dyn Report>> {
    match &cli.command {
        Command::Completions(arguments) => return completions::run(arguments),
        Command::Generate(arguments) => return generate::run(arguments),
        Command::Config(ConfigCommand::Check) => return config::check(&cli.global),
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
        Command::Setup(arguments) => setup::run(&run, arguments),
        Command::FirstBoot => first_boot::run(&run),
        Command::Greeting => setup::greeting(&run),
        Command::Drive(command) => drive::run(&run, command),
        Command::Unlock(arguments) => unlock::run(&run, arguments),
        Command::Lock(arguments) => lock::run(&run, arguments),
        Command::Start => start::run(&run),
        Command::Stop => start::stop(&run),
        Command::Restart => start::restart(&run),
        Command::Status => status::run(&run),
        Command::Doctor(arguments) => doctor::run(&run, arguments),
        Command::Backup(command) => backup::run(&run, command),
        Command::Remote(command) => remote::run(&run, command),
        Command::Recover(arguments) => recover::run(&run, arguments),
        Command::Completions(_) | Command::Config(_) | Command::Generate(_) => {
            unreachable!("taken before root is asked for")
        }
    }
}
