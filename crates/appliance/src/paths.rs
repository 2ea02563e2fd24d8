//! Every path that the appliance uses on the drive, on the card and in /run.

use std::path::{Path, PathBuf};

use appliance_config::Settings;
use appliance_drive::layout;
use uuid::Uuid;

/// Made by the units that ship with the tool, or by the tool itself.
const RUNTIME: &str = "/run/immich-appliance";
/// Read by the console before anyone signs in.
const ISSUE: &str = "/run/issue.d/immich-appliance.issue";

/// Where things lie.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Where the drive is mounted.
    pub mount_point: PathBuf,
    /// Immich's media folder, on the drive.
    pub media: PathBuf,
    /// What the box remembers, on the card.
    pub state: PathBuf,
    /// The repository's cache, on the card.
    pub cache: PathBuf,
    /// What lasts until the next boot.
    pub runtime: PathBuf,
    /// What the console shows before anyone signs in.
    pub issue: PathBuf,
    /// The card's FAT partition, where the settings for the first boot are looked for.
    pub card: PathBuf,
}

impl Paths {
    /// As the configuration has them.
    pub fn live(settings: &Settings) -> Self {
        Paths {
            mount_point: settings.drive.mount_point.clone(),
            media: settings.media_path(),
            state: settings.state.directory.clone(),
            cache: settings.backup.cache_directory.clone(),
            runtime: RUNTIME.into(),
            issue: ISSUE.into(),
            card: settings.first_boot.folder.clone(),
        }
    }

    /// The folder of the appliance's secrets, on the drive.
    pub fn secrets(&self) -> PathBuf {
        self.mount_point.join(layout::SECRETS)
    }

    /// The repository's password, on the drive.
    pub fn repository_password(&self) -> PathBuf {
        self.secrets().join("repository-password")
    }

    /// The password of the repository before this one, on the drive.
    pub fn former_repository_password(&self) -> PathBuf {
        self.secrets().join("former-repository-password")
    }

    /// The repository's address and its server's credentials, on the drive.
    pub fn repository_address(&self) -> PathBuf {
        self.secrets().join("backup.toml")
    }

    /// Which database dumps this box made, on the drive, where Immich cannot write.
    pub fn dump_ledger(&self) -> PathBuf {
        self.secrets().join("database-dumps.json")
    }

    /// The copy of the LUKS header that travels in the backups, on the drive.
    pub fn header_on_drive(&self) -> PathBuf {
        self.secrets().join("luks-header.img")
    }

    /// How far a recovery onto this drive has come, on the drive.
    pub fn recovery_progress(&self) -> PathBuf {
        self.mount_point.join("recovery-in-progress.toml")
    }

    /// What a recovery could not bring back, on the drive.
    pub fn recovery_losses(&self) -> PathBuf {
        self.mount_point.join("recovery-losses.toml")
    }

    /// The folder of the copies of headers, on the card.
    pub fn headers(&self) -> PathBuf {
        self.state.join("headers")
    }

    /// The copy of a drive's LUKS header, on the card.
    pub fn header(&self, drive: Uuid) -> PathBuf {
        self.headers().join(format!("{drive}.img"))
    }

    /// What a person decided while setting up, on the card.
    pub fn setup(&self) -> PathBuf {
        self.state.join("setup.toml")
    }

    /// What the box remembers of drives and backups, on the card.
    pub fn memory(&self) -> PathBuf {
        self.state.join("state.toml")
    }

    /// PostgreSQL's environment: where its cluster lies.
    pub fn postgresql_environment(&self) -> PathBuf {
        self.runtime.join("postgresql.env")
    }

    /// A lock's file.
    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.runtime.join(name)
    }

    /// The same machine below another root: for tests.
    #[must_use]
    pub fn under(&self, root: &Path) -> Self {
        let moved = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        Paths {
            mount_point: moved(&self.mount_point),
            media: moved(&self.media),
            state: moved(&self.state),
            cache: moved(&self.cache),
            runtime: moved(&self.runtime),
            issue: moved(&self.issue),
            card: moved(&self.card),
        }
    }
}
