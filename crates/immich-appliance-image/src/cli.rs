//! The command line, as clap sees it.

use std::path::PathBuf;

use appliance_terminal::Exit;
use clap::{Args, Parser, Subcommand};

/// The exit codes of this program.
pub const EXITS: [Exit; 8] = [
    Exit::Done,
    Exit::Failed,
    Exit::Usage,
    Exit::DriveNotFound,
    Exit::ReadOnlyDrive,
    Exit::Refused,
    Exit::NotReleased,
    Exit::FaultyCard,
];

/// Writes a release image to a card: customised, written, read back, checked.
#[derive(Debug, Parser)]
#[command(name = "immich-appliance-image", version, max_term_width = 100)]
#[command(after_help = Exit::list(&EXITS))]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Copy, Args)]
pub struct Global {
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Never ask: fail if an answer is missing from the command line
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put settings into a copy of an image; the image itself is not changed
    Customise(Box<Customise>),
    /// Write an image to a card, with settings, and read everything back
    Flash(Box<Flash>),
    /// Check an image against its checksum, or a card against its image, and show what is on it
    Verify(Verify),
    /// Download an image of a release and verify it; resumes an interrupted download
    Fetch(Fetch),
    /// Show the attached cards
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// Write the reference pages of this program into a folder
    #[command(hide = true)]
    Generate(Generate),
}

/// `devices …`
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// List the disks with their size, model and contents, and whether they may be overwritten
    List,
}

/// `customise`
#[derive(Debug, Args)]
pub struct Customise {
    /// The image: .img or .img.zst
    pub image: PathBuf,
    /// The file to write, which must not exist yet [default: NAME-custom.img beside the image]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Settings for the box.
    #[command(flatten)]
    pub settings: SettingsFlags,
}

/// `flash`
#[derive(Debug, Args)]
pub struct Flash {
    /// The image: .img or .img.zst
    pub image: PathBuf,
    /// The card, for example /dev/sdb; without it, choose from a list
    pub device: Option<PathBuf>,
    /// Settings for the box.
    #[command(flatten)]
    pub settings: SettingsFlags,
    /// How the image is verified.
    #[command(flatten)]
    pub trust: Trust,
    /// Consent to erase the device: its name, for example sdb
    #[arg(long, value_name = "NAME")]
    pub erase: Option<String>,
    /// Also write to a disk that is built into this computer: its name
    #[arg(long, value_name = "NAME")]
    pub built_in: Option<String>,
    /// The map of the blocks that hold data [default: IMAGE.bmap if it exists]
    #[arg(long, value_name = "FILE")]
    pub bmap: Option<PathBuf>,
    /// Do not read the card back; a faulty card then goes unnoticed
    #[arg(long)]
    pub no_read_back: bool,
    /// Do not eject the card
    #[arg(long)]
    pub no_eject: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The image, or the device of a card
    pub target: PathBuf,
    /// The image to compare the card with, byte by byte
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// How the image is verified.
    #[command(flatten)]
    pub trust: Trust,
}

/// `fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// The image, or a part of its name that is unambiguous, such as rpi4 [default: list them]
    pub name: Option<String>,
    /// The address of the release: the folder with images, SHA256SUMS and SHA256SUMS.minisig
    #[arg(long, value_name = "URL")]
    pub release: Option<String>,
    /// The folder to download to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub to: PathBuf,
    /// The public key of the release: minisign's base64 line, or a file
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
    /// Accept a release that is not signed
    #[arg(long)]
    pub unsigned: bool,
}

/// How an image is verified.
#[derive(Debug, Clone, Args)]
pub struct Trust {
    /// The checksums, with their signature beside them as FILE.minisig [default: SHA256SUMS
    /// beside the image]
    #[arg(long, value_name = "FILE")]
    pub sums: Option<PathBuf>,
    /// The public key of the release: minisign's base64 line, or a file
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
    /// Accept an image that is not signed, such as one that you built; its checksum is still
    /// compared if there is one
    #[arg(long)]
    pub unsigned: bool,
}

/// Settings for the box: from a file, from options, or asked.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFlags {
    /// Read settings from this TOML file; options override it
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Do not ask for settings that are not given; with none at all, leave the image as it is
    #[arg(long)]
    pub as_is: bool,
    /// The name of the box in the network: NAME.local
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The language and country, such as de_DE.UTF-8
    #[arg(long, value_name = "LOCALE")]
    pub locale: Option<String>,
    /// A public SSH key that may sign in: its text, or its file (can be repeated)
    #[arg(long, value_name = "KEY")]
    pub ssh_key: Vec<String>,
    /// A web address with public SSH keys, one per line
    #[arg(long, value_name = "URL")]
    pub ssh_keys_from: Option<String>,
    /// Read the administrator's password from this file; only its hash is stored
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The name of the Wi-Fi network
    #[arg(long, value_name = "NAME")]
    pub wifi_ssid: Option<String>,
    /// Read the Wi-Fi passphrase from this file; only the key made of it is stored
    #[arg(long, value_name = "FILE")]
    pub wifi_passphrase_file: Option<PathBuf>,
    /// The country whose radio rules apply, such as DE
    #[arg(long, value_name = "COUNTRY")]
    pub wifi_country: Option<String>,
    /// The Wi-Fi network does not broadcast its name
    #[arg(long)]
    pub wifi_hidden: bool,
    /// A fixed address with its prefix length, such as 192.168.1.10/24
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// The router's address
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<String>,
    /// A name server (can be repeated)
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<String>,
    /// The network interface that gets the fixed address
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// Read a Tailscale auth key from this file
    #[arg(long, value_name = "FILE")]
    pub tailscale_key_file: Option<PathBuf>,
    /// A control server other than Tailscale's own
    #[arg(long, value_name = "URL")]
    pub tailscale_server: Option<String>,
}

/// `generate`
#[derive(Debug, Args)]
pub struct Generate {
    /// The folder to write into
    pub folder: PathBuf,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_command_in_the_docs_is_understood() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let mut seen = 0;
        for page in ["getting-started.md", "how-to/flash-a-card.md"] {
            let text = std::fs::read_to_string(docs.join(page)).unwrap();
            for line in text.lines().filter(|line| line.starts_with("    ")) {
                let line = line.trim().trim_start_matches("sudo ");
                if line.starts_with("immich-appliance-image ") {
                    let parsed = Cli::try_parse_from(line.split_whitespace());
                    assert!(parsed.is_ok(), "{page}: {line}\n{:?}", parsed.err());
                    seen += 1;
                }
            }
        }
        assert!(seen >= 7, "only {seen} commands were found");
    }

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_reference_is_the_one_that_is_generated() {
        let folder = tempfile::tempdir().unwrap();
        crate::commands::generate::run(&Generate {
            folder: folder.path().to_owned(),
        })
        .unwrap();
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        for page in ["image-command-line.md", "appliance-toml.md"] {
            let kept = std::fs::read_to_string(reference.join(page)).unwrap();
            let made = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(kept == made, "{page}: run scripts/generate-docs");
        }
    }
}
