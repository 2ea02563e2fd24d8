//! `remote …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `remote …`
#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// Join a Tailscale network, and share Immich with its devices
    Enroll(RemoteEnroll),
    /// Show how the box is reached remotely, and when its key expires
    Status(RemoteStatus),
    /// Disconnect the box from the Tailscale network
    Disable(RemoteDisable),
}

/// `remote enroll`
#[derive(Debug, Args)]
pub struct RemoteEnroll {
    /// An auth key, in place of a person who opens a link.
    #[command(flatten)]
    pub auth_key: AuthKey,
    /// A control server other than Tailscale's own, for example a headscale [default: the
    /// one the box is enrolled with, or Tailscale's own]
    #[arg(long, value_name = "URL")]
    pub login_server: Option<String>,
    /// The box's name in the network [default: unchanged; at first the host name]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The box's tags, separated by commas; a tagged machine's key does not expire
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Do not share Immich: only SSH reaches the box through the network
    #[arg(long)]
    pub no_share: bool,
    /// How long to wait for the sign-in and the connection
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// Where an auth key comes from. The systemd credential
/// `immich-appliance.tailscale-auth-key` is used when there is one.
#[derive(Debug, Clone, Default, Args)]
pub struct AuthKey {
    /// Read an auth key from this file, so that nobody has to sign in
    #[arg(long, value_name = "FILE", group = "auth-key")]
    pub auth_key_file: Option<PathBuf>,
    /// Read an auth key from this open file descriptor
    #[arg(long, value_name = "FD", group = "auth-key")]
    pub auth_key_fd: Option<i32>,
}

/// `remote status`
#[derive(Debug, Args)]
pub struct RemoteStatus {
    /// Fail if the box's key has expired or soon will; the configuration says how soon
    #[arg(long)]
    pub alarm: bool,
}

/// `remote disable`
#[derive(Debug, Args)]
pub struct RemoteDisable {
    /// Leave the network for good: enrolling again needs a sign-in or a key
    #[arg(long)]
    pub forget: bool,
}
