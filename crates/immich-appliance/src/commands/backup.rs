//! `backup …`

mod check;
mod forget;
pub mod init;
mod ls;
mod restore;
pub mod run;
mod snapshots;

use appliance_terminal::Report;

use crate::cli::BackupCommand;
use crate::run::Run;

/// One of its commands.
pub fn run(run: &Run, command: &BackupCommand) -> anyhow::Result<Box<dyn Report>> {
    match command {
        BackupCommand::Init(arguments) => init::run(run, arguments),
        BackupCommand::Run(arguments) => self::run::run(run, arguments),
        BackupCommand::Snapshots(_) => snapshots::run(run),
        BackupCommand::Ls(arguments) => ls::run(run, arguments),
        BackupCommand::Check(arguments) => check::run(run, arguments),
        BackupCommand::Restore(arguments) => restore::run(run, arguments),
        BackupCommand::Forget(arguments) => forget::run(run, arguments),
    }
}
