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

use appliance_terminal::{Report, conclude};
use clap::Parser;

use cli::{
    BackupCommand, Cli, Command, ConfigCommand, DriveCommand, HeaderCommand, PassphraseCommand,
    RemoteCommand,
};
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
        Command::Drive(command) => match command {
            DriveCommand::List => commands::drive::list::run(&run),
            DriveCommand::Create(arguments) => commands::drive::create::run(&run, arguments),
            DriveCommand::Info(arguments) => commands::drive::info::run(&run, arguments),
            DriveCommand::Benchmark => commands::drive::benchmark::run(&run),
            DriveCommand::Passphrase(command) => match command {
                PassphraseCommand::Add(arguments) => {
                    commands::drive::passphrase::add(&run, arguments)
                }
                PassphraseCommand::Change(arguments) => {
                    commands::drive::passphrase::change(&run, arguments)
                }
                PassphraseCommand::Remove(arguments) => {
                    commands::drive::passphrase::remove(&run, arguments)
                }
            },
            DriveCommand::Header(command) => match command {
                HeaderCommand::Backup(arguments) => {
                    commands::drive::header::backup(&run, arguments)
                }
                HeaderCommand::Restore(arguments) => {
                    commands::drive::header::restore(&run, arguments)
                }
            },
        },
        Command::Unlock(arguments) => commands::unlock::run(&run, arguments),
        Command::Lock(arguments) => commands::lock::run(&run, arguments),
        Command::Start => commands::start::run(&run),
        Command::Stop => commands::start::stop(&run),
        Command::Restart => commands::start::restart(&run),
        Command::Status => commands::status::run(&run),
        Command::Doctor(arguments) => commands::doctor::run(&run, arguments),
        Command::Backup(command) => match command {
            BackupCommand::Init(arguments) => commands::backup::init::run(&run, arguments),
            BackupCommand::Run(arguments) => commands::backup::run::run(&run, arguments),
            BackupCommand::Snapshots(_) => commands::backup::snapshots::run(&run),
            BackupCommand::Ls(arguments) => commands::backup::ls::run(&run, arguments),
            BackupCommand::Check(arguments) => commands::backup::check::run(&run, arguments),
            BackupCommand::Restore(arguments) => commands::backup::restore::run(&run, arguments),
        },
        Command::Remote(command) => match command {
            RemoteCommand::Enroll(arguments) => commands::remote::enroll::run(&run, arguments),
            RemoteCommand::Status(arguments) => commands::remote::status::run(&run, arguments),
            RemoteCommand::Disable(arguments) => commands::remote::disable(&run, arguments),
        },
        Command::Recover(arguments) => commands::recover::run(&run, arguments),
        Command::Completions(_) | Command::Config(_) | Command::Generate(_) => {
            unreachable!("taken before root is asked for")
        }
    }
}
