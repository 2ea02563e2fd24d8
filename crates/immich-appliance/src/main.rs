//! The photo server that a family owns: unlock, start, back up, recover.

mod cli;
mod commands;
mod context;
mod exit;
mod failure;
mod report;
mod secrets;
mod steps;
mod sudo;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use cli::{
    BackupCommand, Cli, Command, ConfigCommand, DriveCommand, HeaderCommand, PassphraseCommand,
    RemoteCommand,
};
use context::Context;
use report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    let outcome = run(cli).and_then(|report| {
        report::print(report.as_ref(), json)?;
        Ok(report.exit())
    });
    let exit = outcome.unwrap_or_else(|error| failure::print(&error, json));
    ExitCode::from(exit.code())
}

fn run(cli: Cli) -> anyhow::Result<Box<dyn Report>> {
    match &cli.command {
        Command::Completions(arguments) => return commands::completions::run(arguments),
        Command::Generate(arguments) => return commands::generate::run(arguments),
        Command::Config(ConfigCommand::Check) => return commands::config::check::run(&cli.global),
        _ => {}
    }
    if sudo::is_needed() {
        match sudo::run_again()? {}
    }
    let context = Context::load(&cli.global)?;
    match &cli.command {
        Command::Setup(arguments) => commands::setup::run(&context, arguments),
        Command::FirstBoot => commands::first_boot::run(&context),
        Command::Greeting => commands::setup::greeting(&context),
        Command::Drive(command) => match command {
            DriveCommand::List => commands::drive::list::run(&context),
            DriveCommand::Create(arguments) => commands::drive::create::run(&context, arguments),
            DriveCommand::Info(arguments) => commands::drive::info::run(&context, arguments),
            DriveCommand::Benchmark => commands::drive::benchmark::run(&context),
            DriveCommand::Passphrase(command) => match command {
                PassphraseCommand::Add(arguments) => {
                    commands::drive::passphrase::add(&context, arguments)
                }
                PassphraseCommand::Change(arguments) => {
                    commands::drive::passphrase::change(&context, arguments)
                }
                PassphraseCommand::Remove(arguments) => {
                    commands::drive::passphrase::remove(&context, arguments)
                }
            },
            DriveCommand::Header(command) => match command {
                HeaderCommand::Backup(arguments) => {
                    commands::drive::header::backup(&context, arguments)
                }
                HeaderCommand::Restore(arguments) => {
                    commands::drive::header::restore(&context, arguments)
                }
            },
        },
        Command::Unlock(arguments) => commands::unlock::run(&context, arguments),
        Command::Lock(arguments) => commands::lock::run(&context, arguments),
        Command::Start => commands::start::run(&context),
        Command::Stop => commands::stop::run(&context),
        Command::Restart => commands::restart::run(&context),
        Command::Status => commands::status::run(&context),
        Command::Doctor(arguments) => commands::doctor::run(&context, arguments),
        Command::Backup(command) => match command {
            BackupCommand::Init(arguments) => commands::backup::init::run(&context, arguments),
            BackupCommand::Run(arguments) => commands::backup::run::run(&context, arguments),
            BackupCommand::Snapshots(_) => commands::backup::snapshots::run(&context),
            BackupCommand::Ls(arguments) => commands::backup::ls::run(&context, arguments),
            BackupCommand::Check(arguments) => commands::backup::check::run(&context, arguments),
            BackupCommand::Restore(arguments) => {
                commands::backup::restore::run(&context, arguments)
            }
        },
        Command::Remote(command) => match command {
            RemoteCommand::Enroll(arguments) => commands::remote::enroll::run(&context, arguments),
            RemoteCommand::Status(arguments) => commands::remote::status::run(&context, arguments),
            RemoteCommand::Disable(arguments) => {
                commands::remote::disable::run(&context, arguments)
            }
        },
        Command::Recover(arguments) => commands::recover::run(&context, arguments),
        Command::Completions(_) | Command::Config(_) | Command::Generate(_) => {
            unreachable!("taken before root is asked for")
        }
    }
}
