//! `backup …`

pub mod check;
pub mod init;
pub mod ls;
pub mod restore;
pub mod run;
pub mod snapshots;

use appliance_terminal::Report;

use crate::cli::BackupCommand;
use crate::run::Run;

/// `backup …`
pub fn run(run: &Run, command: &BackupCommand) -> anyhow::Result<Box<dyn Report>> {
    match command {
        BackupCommand::Init(arguments) => init::run(run, arguments),
        BackupCommand::Run(arguments) => run::run(run, arguments),
        BackupCommand::Snapshots(_) => snapshots::run(run),
        BackupCommand::Ls(arguments) => ls::run(run, arguments),
        BackupCommand::Check(arguments) => check::run(run, arguments),
        BackupCommand::Restore(arguments) => restore::run(run, arguments),
    }
}
