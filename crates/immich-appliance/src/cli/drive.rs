//! `drive …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Destruction, NewDrive, Passphrase, Selected};

/// `drive …`
#[derive(Debug, Subcommand)]
pub enum DriveCommand {
    /// List the attached drives, and what is on them
    List,
    /// Make a drive for Immich: encrypt it, create the file system and the folders
    Create(DriveCreate),
    /// Show a drive's header, keyslots and state
    Info(DriveInfo),
    /// Measure the ciphers on this machine
    Benchmark,
    /// Add, change or remove a passphrase
    #[command(subcommand)]
    Passphrase(PassphraseCommand),
    /// Back up or restore the LUKS header
    #[command(subcommand)]
    Header(HeaderCommand),
}

/// `drive create`
#[derive(Debug, Args)]
pub struct DriveCreate {
    /// The device to erase and use, for example /dev/sda
    pub device: PathBuf,
    /// How it is made.
    #[command(flatten)]
    pub new_drive: NewDrive,
    /// Its passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Consent.
    #[command(flatten)]
    pub destruction: Destruction,
}

/// `drive info`
#[derive(Debug, Args)]
pub struct DriveInfo {
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
}

/// `drive passphrase …`
#[derive(Debug, Subcommand)]
pub enum PassphraseCommand {
    /// Add a passphrase in a free keyslot
    Add(PassphraseAdd),
    /// Replace a passphrase
    Change(PassphraseChange),
    /// Remove a passphrase; the last one stays
    Remove(PassphraseRemove),
}

/// `drive passphrase add`
#[derive(Debug, Args)]
pub struct PassphraseAdd {
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
    /// One that opens it now (the recovery key will do).
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Read the new passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
}

/// `drive passphrase change`
#[derive(Debug, Args)]
pub struct PassphraseChange {
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
    /// The one to be replaced.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Read the new passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
}

/// `drive passphrase remove`
#[derive(Debug, Args)]
pub struct PassphraseRemove {
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
    /// The one to be removed.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `drive header …`
#[derive(Debug, Subcommand)]
pub enum HeaderCommand {
    /// Write a copy of the header into a file
    Backup(HeaderBackup),
    /// Put a copy of the header back onto the drive
    Restore(HeaderRestore),
}

/// `drive header backup`
#[derive(Debug, Args)]
pub struct HeaderBackup {
    /// Which drive.
    #[command(flatten)]
    pub drive: Selected,
    /// The file to write; it must not exist yet
    pub file: PathBuf,
}

/// `drive header restore`
#[derive(Debug, Args)]
pub struct HeaderRestore {
    /// The device whose header is replaced, for example /dev/sda
    pub device: PathBuf,
    /// The file that `drive header backup` wrote [default: the copy this box keeps]
    pub file: Option<PathBuf>,
    /// Consent: a header that does not belong to the device makes it unreadable.
    #[command(flatten)]
    pub destruction: Destruction,
}
