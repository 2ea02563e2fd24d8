//! `drive …`

pub mod benchmark;
pub mod create;
pub mod header;
pub mod info;
pub mod list;
pub mod passphrase;

use appliance_terminal::Report;

use crate::cli::{DriveCommand, HeaderCommand, PassphraseCommand};
use crate::run::Run;

/// `drive …`
pub fn run(run: &Run, command: &DriveCommand) -> anyhow::Result<Box<dyn Report>> {
    match command {
        DriveCommand::List => list::run(run),
        DriveCommand::Create(arguments) => create::run(run, arguments),
        DriveCommand::Info(arguments) => info::run(run, arguments),
        DriveCommand::Benchmark => benchmark::run(run),
        DriveCommand::Passphrase(command) => match command {
            PassphraseCommand::Add(arguments) => passphrase::add(run, arguments),
            PassphraseCommand::Change(arguments) => passphrase::change(run, arguments),
            PassphraseCommand::Remove(arguments) => passphrase::remove(run, arguments),
        },
        DriveCommand::Header(command) => match command {
            HeaderCommand::Backup(arguments) => header::backup(run, arguments),
            HeaderCommand::Restore(arguments) => header::restore(run, arguments),
        },
    }
}
