//! The command line, as clap sees it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Brings a release image onto a card: customised, written, read back, checked.
#[derive(Debug, Parser)]
#[command(name = "immich-appliance-image", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 4 device not found, \
8 read-only device, 9 refused, 12 not what was released, 13 the card is faulty or holds \
something else."
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Copy, Args)]
pub struct Global {
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Ask nothing: fail where an answer is missing from the command line
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put settings into a copy of an image; the image itself stays as it is
    Customise(Box<Customise>),
    /// Write an image onto a card, with settings, and read everything back
    Flash(Box<Flash>),
    /// Check an image against its sum, or a card against its image, and say what is on it
    Verify(Verify),
    /// Fetch a release's image; goes on where an earlier try broke off
    Fetch(Fetch),
    /// Look at the cards attached
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// Write the reference page of this program into a folder
    #[command(hide = true)]
    Generate(Generate),
}

/// `devices …`
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// List the disks with their size, model and contents, and which may be written
    List,
}

/// `customise`
#[derive(Debug, Args)]
pub struct Customise {
    /// The image: .img or .img.zst
    pub image: PathBuf,
    /// The file to write, which must not exist yet [default: beside the image, NAME-custom.img]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What the box is to be.
    #[command(flatten)]
    pub settings: SettingsFlags,
}

/// `flash`
#[derive(Debug, Args)]
pub struct Flash {
    /// The image: .img or .img.zst
    pub image: PathBuf,
    /// The card, for example /dev/sdb; without it the cards are listed to choose from
    pub device: Option<PathBuf>,
    /// What the box is to be.
    #[command(flatten)]
    pub settings: SettingsFlags,
    /// Whether the image is the one that was released.
    #[command(flatten)]
    pub trust: Trust,
    /// Consent to erase the device, by its name as it would be typed (for example sdb)
    #[arg(long, value_name = "NAME")]
    pub erase: Option<String>,
    /// Also write a disk that cannot be taken out of this computer, by its name
    #[arg(long, value_name = "NAME")]
    pub built_in: Option<String>,
    /// The map of the blocks that hold data [default: IMAGE.bmap if it is there]
    #[arg(long, value_name = "FILE")]
    pub bmap: Option<PathBuf>,
    /// Do not read the card back; a faulty card is not noticed then
    #[arg(long)]
    pub no_read_back: bool,
    /// Leave the card in its reader
    #[arg(long)]
    pub no_eject: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The image, or the device of a card
    pub target: PathBuf,
    /// The image that the card is compared with, byte by byte
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Whether the image is the one that was released.
    #[command(flatten)]
    pub trust: Trust,
}

/// `fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// The image, or a part of its name that only one has, such as rpi4 [default: list them]
    pub name: Option<String>,
    /// The folder on the web that holds the release: images, SHA256SUMS, SHA256SUMS.minisig
    #[arg(long, value_name = "URL")]
    pub release: Option<String>,
    /// Where to put it
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub to: PathBuf,
    /// The release's public key: minisign's base64 line, or a file
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
    /// Take a release that is not signed
    #[arg(long)]
    pub unsigned: bool,
}

/// Whether an image is the one that was released.
#[derive(Debug, Clone, Args)]
pub struct Trust {
    /// The sums, with their signature beside them as FILE.minisig [default: SHA256SUMS beside
    /// the image]
    #[arg(long, value_name = "FILE")]
    pub sums: Option<PathBuf>,
    /// The release's public key: minisign's base64 line, or a file
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
    /// Take an image that is not signed, such as one that you built; its sum still counts if
    /// there is one
    #[arg(long)]
    pub unsigned: bool,
}

/// What the box is to be: from a file, from flags, or asked.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFlags {
    /// Read settings from this TOML file; flags go over it
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Ask for nothing that is not given; flash the image as it is if nothing is
    #[arg(long)]
    pub as_is: bool,
    /// The box's name in the network: NAME.local
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Language and country, such as de_DE.UTF-8
    #[arg(long, value_name = "LOCALE")]
    pub locale: Option<String>,
    /// A public key that may sign in: its text, or its file (can be given several times)
    #[arg(long, value_name = "KEY")]
    pub ssh_key: Vec<String>,
    /// An address on the web with public keys, one a line
    #[arg(long, value_name = "URL")]
    pub ssh_keys_from: Option<String>,
    /// Read the administrator's password from this file; only its hash is stored
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The wireless network's name
    #[arg(long, value_name = "NAME")]
    pub wifi_ssid: Option<String>,
    /// Read the wireless network's passphrase from this file; only its key is stored
    #[arg(long, value_name = "FILE")]
    pub wifi_passphrase_file: Option<PathBuf>,
    /// The country whose radio rules hold, such as DE
    #[arg(long, value_name = "COUNTRY")]
    pub wifi_country: Option<String>,
    /// The wireless network does not tell its name
    #[arg(long)]
    pub wifi_hidden: bool,
    /// A fixed address with its network's length, such as 192.168.1.10/24
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// The router
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<String>,
    /// A name server (can be given several times)
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<String>,
    /// The interface that gets the fixed address
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
