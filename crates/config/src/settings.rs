use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use uuid::Uuid;

/// The configuration, complete and valid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The drive that holds everything.
    pub drive: Drive,
    /// The photo server.
    pub immich: Immich,
    /// Its database.
    pub database: Database,
    /// The units that make up the running appliance.
    pub services: Services,
    /// What is backed up, and how.
    pub backup: Backup,
    /// What is kept outside the drive.
    pub state: State,
    /// How the box is set up by the file on its card.
    pub first_boot: FirstBoot,
    /// How the box is reached from afar.
    pub remote: Remote,
}

impl Settings {
    /// Immich's media folder on the mounted drive.
    pub fn media_path(&self) -> PathBuf {
        self.drive.mount_point.join(&self.immich.media_folder)
    }
}

/// `[drive]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The only drive to be used: the UUID of its LUKS header, or of its file system when it is
    /// not encrypted. `None`: the one remembered, else the one attached.
    pub uuid: Option<Uuid>,
    /// How a new drive is encrypted, and whether one without encryption is accepted.
    pub encryption: Encryption,
    /// The device-mapper name of the open drive.
    pub mapper_name: String,
    /// Where the drive is mounted. The units shipped with the tool expect the default.
    pub mount_point: PathBuf,
    /// The most memory that opening a new drive may take.
    pub argon2_memory_max: ByteSize,
    /// How long opening by a new passphrase takes on this machine, in milliseconds.
    pub argon2_milliseconds: u32,
    /// Passes over the memory for a new keyslot; `None` to measure how many fit into the time.
    pub argon2_passes: Option<u32>,
    /// How often a person may type the passphrase.
    pub unlock_tries: u32,
}

impl Default for Drive {
    fn default() -> Self {
        Self {
            uuid: None,
            encryption: Encryption::Luks2,
            mapper_name: "immich_drive".into(),
            mount_point: "/mnt/immich_drive".into(),
            argon2_memory_max: ByteSize::mib(512),
            argon2_milliseconds: 2000,
            argon2_passes: None,
            unlock_tries: 3,
        }
    }
}

/// Whether the drive is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// LUKS2: locked after every boot.
    Luks2,
    /// Not at all: mounted at boot, readable for whoever takes it.
    None,
}

impl Encryption {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Luks2 => "luks2",
            Self::None => "none",
        }
    }
}

/// `[immich]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Immich {
    /// Where its API answers on this machine, without a slash at the end.
    pub url: String,
    /// The media folder's name on the drive.
    pub media_folder: String,
    /// The user that Immich runs as and that owns the media.
    pub user: String,
    /// The group of the media.
    pub group: String,
    /// How long `start` waits until Immich is ready.
    pub ready_timeout: Duration,
}

impl Default for Immich {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:2283".into(),
            media_folder: "immich_data".into(),
            user: "immich".into(),
            group: "immich".into(),
            ready_timeout: Duration::from_secs(300),
        }
    }
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The database's name.
    pub name: String,
    /// The role that owns it.
    pub owner: String,
    /// PostgreSQL's superuser: the role, and the system user of the same name.
    pub superuser: String,
    /// The folder of PostgreSQL's Unix socket.
    pub socket_directory: PathBuf,
    /// The folder of `psql` and `pg_dump`. `None`: found on this machine.
    pub bin_directory: Option<PathBuf>,
    /// How many database dumps are kept on the drive.
    pub keep_dumps: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            name: "immich".into(),
            owner: "immich".into(),
            superuser: "postgres".into(),
            socket_directory: "/run/postgresql".into(),
            bin_directory: None,
            keep_dumps: 14,
        }
    }
}

/// `[services]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// The target that stands for the running appliance.
    pub target: String,
    /// Its units, in the order they start in.
    pub units: Vec<String>,
    /// Those of the units that the database alone needs, in the order they start in.
    pub database_units: Vec<String>,
    /// The one of the units that answers at [`Immich::url`].
    pub server_unit: String,
    /// How long all units together may take to start, apart from Immich getting ready.
    pub start_timeout: Duration,
    /// How long all units together may take to stop.
    pub stop_timeout: Duration,
}

impl Default for Services {
    fn default() -> Self {
        let database = ["postgresql.service", "postgresql-setup.service"];
        let rest = [
            "redis-immich.service",
            "immich-machine-learning.service",
            "immich-server.service",
        ];
        Self {
            target: "immich-appliance.target".into(),
            units: database
                .iter()
                .chain(&rest)
                .map(|&unit| unit.into())
                .collect(),
            database_units: database.map(Into::into).into(),
            server_unit: "immich-server.service".into(),
            start_timeout: Duration::from_secs(300),
            stop_timeout: Duration::from_secs(120),
        }
    }
}

/// `[backup]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// What of the media is backed up.
    pub scope: Scope,
    /// The folder of the repository's local cache.
    pub cache_directory: PathBuf,
    /// Zstandard's level.
    pub compression_level: i32,
    /// Glob patterns of what is left out.
    pub exclude: Vec<String>,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            scope: Scope::Everything,
            cache_directory: "/var/cache/immich-appliance".into(),
            compression_level: 3,
            exclude: Vec::new(),
        }
    }
}

/// What of the media is backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it, so that a recovery needs to make nothing anew.
    Everything,
    /// What cannot be made anew: originals, profiles and database dumps; no thumbnails, no
    /// transcoded videos.
    Essential,
}

impl Scope {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Essential => "essential",
        }
    }
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The folder of what the box remembers outside the drive.
    pub directory: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: "/var/lib/immich-appliance".into(),
        }
    }
}

/// `[first_boot]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBoot {
    /// The folder that the card's FAT partition is mounted at.
    pub folder: PathBuf,
    /// The user who signs in.
    pub user: String,
    /// The file of those who may sign in by key. `None`: in the user's home.
    pub keys_file: Option<PathBuf>,
    /// A file of the SSH server's that lets the user in by password as long as there is no key.
    /// `None`: the SSH server's configuration is left alone.
    pub password_sign_in_file: Option<PathBuf>,
}

impl Default for FirstBoot {
    fn default() -> Self {
        Self {
            folder: "/boot/firmware".into(),
            user: "admin".into(),
            keys_file: None,
            password_sign_in_file: None,
        }
    }
}

/// `[remote]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The socket of tailscaled.
    pub tailscale_socket: PathBuf,
    /// So many days before its key in the tailnet expires, it is warned of.
    pub key_warning_days: u32,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            tailscale_socket: "/run/tailscale/tailscaled.sock".into(),
            key_warning_days: 14,
        }
    }
}
