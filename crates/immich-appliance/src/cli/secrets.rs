//! Options that several commands share: which drive, where secrets come from, and
//! consent to destroy.

use std::path::PathBuf;

use appliance::backup::NamedRepository;
use appliance_config::{CipherChoice, Encryption, Settings};
use appliance_drive::find::Wanted;
use appliance_terminal::Ui;
use clap::Args;

use super::choice;

/// Which drive.
#[derive(Debug, Clone, Default, Args)]
pub struct Selected {
    /// The drive: its LUKS UUID, or a path such as /dev/disk/by-id/… [default: the
    /// remembered one, or the only LUKS drive attached]
    #[arg(long, value_name = "ID")]
    pub drive: Option<String>,
}

impl Selected {
    /// The drive that was named.
    pub fn wanted(&self) -> Option<Wanted> {
        // Parsing a name cannot fail: what is no UUID and no path is a name.
        self.drive.as_ref().and_then(|id| id.parse().ok())
    }
}

/// Where the drive's passphrase comes from, if not from a prompt. The systemd
/// credential `immich-appliance.passphrase` is used when there is one.
#[derive(Debug, Clone, Default, Args)]
pub struct Passphrase {
    /// Read the drive's passphrase from this file (one trailing newline is dropped)
    #[arg(long, value_name = "FILE", group = "passphrase")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the drive's passphrase from this open file descriptor
    #[arg(long, value_name = "FD", group = "passphrase")]
    pub passphrase_fd: Option<i32>,
}

/// Consent to erase a device, given in advance.
#[derive(Debug, Clone, Default, Args)]
pub struct Destruction {
    /// Consent to erase the device, by its name as it would be typed (for example sda)
    #[arg(long, value_name = "NAME")]
    pub erase: Option<String>,
}

/// How a new drive is made.
#[derive(Debug, Clone, Args)]
pub struct NewDrive {
    /// Encrypt the drive with LUKS2, or leave it readable by anyone who holds it [default: the
    /// configuration's drive.encryption]
    #[arg(long, value_name = "KIND", value_parser = choice::<Encryption>())]
    pub encryption: Option<Encryption>,
    /// The cipher; auto measures what is fast on this machine
    #[arg(long, value_name = "CIPHER", value_parser = choice::<CipherChoice>(), default_value = "auto")]
    pub cipher: CipherChoice,
    /// Write the recovery key into this file instead of showing it and asking for it
    /// to be typed back
    #[arg(long, value_name = "FILE")]
    pub recovery_key_file: Option<PathBuf>,
}

impl NewDrive {
    /// What was said, else what the configuration says.
    pub fn how(&self, settings: &Settings) -> appliance::drive::create::NewDrive {
        appliance::drive::create::NewDrive {
            encryption: self.encryption.unwrap_or(settings.drive.encryption),
            cipher: self.cipher,
        }
    }
}

/// How to reach and open a repository, if not by prompts.
#[derive(Debug, Clone, Default, Args)]
pub struct RepositoryAccess {
    /// The S3 access key ID
    #[arg(long, value_name = "ID")]
    pub access_key_id: Option<String>,
    /// Read the S3 secret access key from this file
    #[arg(long, value_name = "FILE")]
    pub secret_access_key_file: Option<PathBuf>,
    /// The S3 region [default: the repository's address, or us-east-1]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Read the repository's password from this file
    #[arg(long, value_name = "FILE", group = "repository-password")]
    pub repository_password_file: Option<PathBuf>,
    /// Read the repository's password from this open file descriptor
    #[arg(long, value_name = "FD", group = "repository-password")]
    pub repository_password_fd: Option<i32>,
}

impl RepositoryAccess {
    /// A repository by its address, with what was said of its server. The key's ID is no secret,
    /// and is asked for here.
    pub fn named(&self, address: &str, ui: Ui) -> anyhow::Result<NamedRepository> {
        let access_key_id = match &self.access_key_id {
            None if address.starts_with("s3:") && ui.may_ask() => {
                Some(ui.ask("S3 access key ID", "--access-key-id")?)
            }
            given => given.clone(),
        };
        Ok(NamedRepository {
            address: address.to_owned(),
            access_key_id,
            region: self.region.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, DriveCommand};

    fn encryption(flags: &[&str], configured: Encryption) -> Encryption {
        let words = ["immich-appliance", "drive", "create", "/dev/sda"];
        let cli = Cli::try_parse_from(words.iter().chain(flags)).unwrap();
        let Command::Drive(DriveCommand::Create(create)) = cli.command else {
            panic!("another command");
        };
        let mut settings = Settings::default();
        settings.drive.encryption = configured;
        create.new_drive.how(&settings).encryption
    }

    #[test]
    fn a_new_drive_is_encrypted_as_configured_unless_the_flag_says_otherwise() {
        for configured in [Encryption::Luks2, Encryption::None] {
            assert_eq!(encryption(&[], configured), configured);
            let flag = ["--encryption", "luks2"];
            assert_eq!(encryption(&flag, configured), Encryption::Luks2);
            assert_eq!(
                encryption(&["--encryption=none"], configured),
                Encryption::None
            );
        }
    }
}
