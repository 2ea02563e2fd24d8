//! Brings a release image onto a card: customised, written, read back, checked.

mod answers;
mod bars;
mod cli;
mod commands;
mod exit;
mod failure;
mod report;
mod talk;
mod trust;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, DevicesCommand};
use report::Report;
use talk::Talk;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    let outcome = run(&cli).and_then(|report| report::print(report.as_ref(), json));
    let exit = match outcome {
        Ok(()) => exit::Exit::Done,
        Err(error) => failure::print(&error, json),
    };
    ExitCode::from(exit.code())
}

fn run(cli: &Cli) -> anyhow::Result<Box<dyn Report>> {
    let talk = Talk::new(&cli.global);
    match &cli.command {
        Command::Customise(arguments) => commands::customise::run(talk, arguments),
        Command::Flash(arguments) => commands::flash::run(talk, arguments),
        Command::Verify(arguments) => commands::verify::run(talk, arguments),
        Command::Fetch(arguments) => commands::fetch::run(talk, arguments),
        Command::Devices(DevicesCommand::List) => commands::devices::run(),
        Command::Generate(arguments) => commands::generate::run(arguments),
    }
}
