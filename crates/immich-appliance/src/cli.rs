//! The command line, as clap sees it. Man pages, completions and the reference in
//! the docs are generated from these types, so their comments are written for users.

mod backup;
mod drive;
mod remote;
mod secrets;
mod setup;

#[cfg(test)]
mod docs_tests;

use std::path::PathBuf;
use std::str::FromStr;

use appliance_config::Choice;
use appliance_terminal::Exit;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use backup::*;
pub use drive::*;
pub use remote::*;
pub use secrets::*;
pub use setup::Setup;

/// Takes one word of a choice; the help says what each means.
fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: Choice + FromStr<Err: std::error::Error + Send + Sync + 'static> + Send + Sync,
{
    let words = T::ALL.iter();
    let words = words.map(|choice| PossibleValue::new(choice.as_str()).help(choice.doc()));
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// The exit codes that this command ends with.
pub const EXITS: [Exit; 13] = [
    Exit::Done,
    Exit::Failed,
    Exit::Usage,
    Exit::WrongPassphrase,
    Exit::DriveNotFound,
    Exit::SeveralDrives,
    Exit::ForeignDrive,
    Exit::BlankDrive,
    Exit::ReadOnlyDrive,
    Exit::Refused,
    Exit::DriveLocked,
    Exit::Busy,
    Exit::WithLosses,
];

/// The photo server that a family owns: unlock, start, back up, recover.
#[derive(Debug, Parser)]
#[command(name = "immich-appliance", version, max_term_width = 100)]
#[command(after_help = Exit::list(&EXITS))]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Read this configuration file instead of /etc/immich-appliance/config.toml and
    /// its config.d folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Never ask: fail if an answer is missing from the command line
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Show more on standard error (given twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up the box: drive, backups, remote access, recovery sheet; continues where it was left
    Setup(Setup),
    /// Create and manage the encrypted drive
    #[command(subcommand)]
    Drive(DriveCommand),
    /// Unlock and mount the drive; with --start, start Immich as well
    Unlock(Unlock),
    /// Stop Immich, unmount the drive and close it
    Lock(Lock),
    /// Start Immich and wait until it is ready
    Start,
    /// Stop Immich; the drive stays unlocked
    Stop,
    /// Stop Immich and start it again
    Restart,
    /// Show the drive, the services, the last good backup, disk space and address
    Status,
    /// Check the box for problems and say what helps
    Doctor(Doctor),
    /// Back up to an encrypted repository, browse it, restore from it
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Reach the box from anywhere through a Tailscale network
    #[command(subcommand)]
    Remote(RemoteCommand),
    /// Rebuild everything on a blank drive from a backup
    Recover(Recover),
    /// Check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completion script for a shell
    Completions(Completions),
    /// Take over the settings file on the card, if there is a new one (used at boot)
    #[command(hide = true)]
    FirstBoot,
    /// Say in two lines how the box is and what comes next (used when someone signs in)
    #[command(hide = true)]
    Greeting,
    /// Write man pages, completions and the reference pages into a folder
    #[command(hide = true)]
    Generate(Generate),
}

/// `unlock`
#[derive(Debug, Args)]
pub struct Unlock {
    /// Start Immich once the drive is mounted, and wait until it is ready
    #[arg(long)]
    pub start: bool,
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
    /// The passphrase that opens it.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Only unlock a drive that needs no passphrase, and otherwise do nothing (used at boot)
    #[arg(long, hide = true)]
    pub unencrypted_only: bool,
}

/// `lock`
#[derive(Debug, Args)]
pub struct Lock {
    /// Clean up after a drive that was unplugged: detach its mount and its mapping
    #[arg(long)]
    pub gone: bool,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Repair what can be repaired without risk: missing folders, markers, owners
    #[arg(long)]
    pub mend: bool,
}

/// `recover`
#[derive(Debug, Args)]
pub struct Recover {
    /// The blank drive to recover onto, for example /dev/sda or /dev/disk/by-id/…
    #[arg(long, value_name = "DEVICE")]
    pub drive: PathBuf,
    /// The repository to recover from: a folder, or s3:https://host/bucket[/prefix]
    #[arg(long, value_name = "REPOSITORY")]
    pub from: String,
    /// The snapshot to recover: an ID or its beginning, or the latest complete one
    #[arg(long, value_name = "ID", default_value = "latest")]
    pub snapshot: String,
    /// How to reach the repository.
    #[command(flatten)]
    pub access: RepositoryAccess,
    /// How the new drive is made.
    #[command(flatten)]
    pub new_drive: NewDrive,
    /// The new drive's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Consent to erase the drive.
    #[command(flatten)]
    pub destruction: Destruction,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration and say what is wrong with it; does not need root
    Check,
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// `generate`
#[derive(Debug, Args)]
pub struct Generate {
    /// The folder to write into: man/, completions/ and reference/ appear in it
    pub folder: PathBuf,
}
