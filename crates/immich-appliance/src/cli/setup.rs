//! `setup`

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// `setup`
#[derive(Debug, Args)]
pub struct Setup {
    /// Leave a stage out for good (can be given several times)
    #[arg(long, value_name = "STAGE")]
    pub skip: Vec<Stage>,
    /// Ask again about the stages that were left out
    #[arg(long)]
    pub again: bool,
}

/// A stage of setting up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The encrypted drive, with Immich running from it
    Drive,
    /// A repository, and a first backup in it
    Backups,
    /// Reaching the box from outside through a Tailscale network
    Remote,
    /// The sheet of paper with which everything is recovered
    Kit,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Stage; 4] = [Stage::Drive, Stage::Backups, Stage::Remote, Stage::Kit];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Drive => "drive",
            Stage::Backups => "backups",
            Stage::Remote => "remote",
            Stage::Kit => "kit",
        }
    }
}
