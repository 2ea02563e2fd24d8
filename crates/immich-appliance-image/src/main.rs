//! Writes a release image to a card: customised, written, read back, checked.

mod answers;
mod cli;
mod commands;
mod meaning;
mod progress;
mod trust;

use std::process::ExitCode;

use appliance_terminal::{Report, Ui, conclude};
use clap::Parser;

use cli::{Cli, Command, DevicesCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    conclude(run(&cli), cli.global.json, meaning::known)
}

fn run(cli: &Cli) -> anyhow::Result<Box<dyn Report>> {
    let ui = Ui::new(cli.global.no_input, cli.global.json);
    match &cli.command {
        Command::Customise(arguments) => commands::customise::run(ui, arguments),
        Command::Flash(arguments) => commands::flash::run(ui, arguments),
        Command::Verify(arguments) => commands::verify::run(ui, arguments),
        Command::Fetch(arguments) => commands::fetch::run(ui, arguments),
        Command::Devices(DevicesCommand::List) => commands::devices::run(),
        Command::Generate(arguments) => commands::generate::run(arguments),
    }
}
