//! `remote …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `remote …`
#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// Bring the box into a Tailscale network, and Immich to its devices
    Enroll(RemoteEnroll),
    /// Show how the box is reached from afar, and when its key expires
    Status(RemoteStatus),
    /// Cut the box off from the Tailscale network
    Disable(RemoteDisable),
}

/// `remote enroll`
#[derive(Debug, Args)]
pub struct RemoteEnroll {
    /// An auth key, in place of a person who opens a link.
    #[command(flatten)]
    pub auth_key: AuthKey,
    /// Another control server than Tailscale's own, for example a headscale [default: the
    /// one the box is enrolled with, or Tailscale's own]
    #[arg(long, value_name = "URL")]
    pub login_server: Option<String>,
    /// The box's name in the network [default: as it is, at first the machine's own]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The box's tags, separated by commas; a tagged machine's key does not expire
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Leave Immich unshared: only SSH reaches the box through the network
    #[arg(long)]
    pub no_share: bool,
    /// How long to wait for the login and the connection
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// Where an auth key comes from. The systemd credential
/// `immich-appliance.tailscale-auth-key` is used when there is one.
#[derive(Debug, Clone, Default, Args)]
pub struct AuthKey {
    /// Read an auth key from this file, and ask nobody to log in
    #[arg(long, value_name = "FILE", group = "auth-key")]
    pub auth_key_file: Option<PathBuf>,
    /// Read an auth key from this open file descriptor
    #[arg(long, value_name = "FD", group = "auth-key")]
    pub auth_key_fd: Option<i32>,
}

/// `remote status`
#[derive(Debug, Args)]
pub struct RemoteStatus {
    /// Fail when the box's key has expired or soon will; the configuration says how soon
    #[arg(long)]
    pub alarm: bool,
}

/// `remote disable`
#[derive(Debug, Args)]
pub struct RemoteDisable {
    /// Leave the network for good: enrolling again needs a login or a key
    #[arg(long)]
    pub forget: bool,
}
