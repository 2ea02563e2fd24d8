//! `backup …`

use std::path::PathBuf;

use appliance_config::Scope;
use clap::{Args, Subcommand};

use super::{Destruction, RepositoryAccess, choice};

/// `backup …`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Create the repository, or join one that exists
    Init(BackupInit),
    /// Back up now: the database first, then the photos
    Run(BackupRun),
    /// List the snapshots
    Snapshots(BackupSnapshots),
    /// List the files of a snapshot
    Ls(BackupLs),
    /// Check that the repository is complete and undamaged
    Check(BackupCheck),
    /// Restore files of a snapshot into a folder
    Restore(BackupRestore),
    /// Remove old snapshots of this box by a policy; those of other machines stay
    Forget(BackupForget),
}

/// `backup init`
#[derive(Debug, Args)]
pub struct BackupInit {
    /// Where: a folder, or s3:https://host/bucket[/prefix]
    pub repository: String,
    /// How to reach and open it.
    #[command(flatten)]
    pub access: RepositoryAccess,
}

/// `backup run`
#[derive(Debug, Args)]
pub struct BackupRun {
    /// How much to back up [default: the configuration's backup.scope]
    #[arg(long, value_name = "SCOPE", value_parser = choice::<Scope>())]
    pub scope: Option<Scope>,
    /// Do nothing if the last good backup is younger than this many hours
    #[arg(long, value_name = "HOURS")]
    pub if_older_than: Option<u32>,
}

/// `backup snapshots`
#[derive(Debug, Args)]
pub struct BackupSnapshots {}

/// `backup ls`
#[derive(Debug, Args)]
pub struct BackupLs {
    /// A snapshot: an ID or its beginning, or latest
    #[arg(default_value = "latest")]
    pub snapshot: String,
    /// The folder to list, instead of the drive's top folder
    pub path: Option<PathBuf>,
    /// Also list the folders in it, and those in them
    #[arg(long, short)]
    pub recursive: bool,
}

/// `backup check`
#[derive(Debug, Args)]
pub struct BackupCheck {
    /// Also read and verify every pack: slow, and downloads the whole repository
    #[arg(long)]
    pub read_data: bool,
}

/// `backup restore`
#[derive(Debug, Args)]
pub struct BackupRestore {
    /// A snapshot: an ID or its beginning, or latest
    pub snapshot: String,
    /// Only this path of the snapshot
    pub path: Option<PathBuf>,
    /// The folder to restore into
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}

/// `backup forget`
#[derive(Debug, Args)]
pub struct BackupForget {
    /// Keep so many of the newest snapshots; at least one is always kept
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub keep_last: u32,
    /// Keep one snapshot of each of so many days
    #[arg(long, value_name = "NUMBER", default_value_t = 14)]
    pub keep_daily: u32,
    /// Keep one snapshot of each of so many weeks
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pub keep_weekly: u32,
    /// Keep one snapshot of each of so many months
    #[arg(long, value_name = "NUMBER", default_value_t = 24)]
    pub keep_monthly: u32,
    /// Keep one snapshot of each of so many years
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub keep_yearly: u32,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Consent: --erase forget.
    #[command(flatten)]
    pub destruction: Destruction,
}
