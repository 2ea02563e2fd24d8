//! All keys of the configuration. The doc comments are the reference: one paragraph each, of
//! Markdown that fits into a table.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use uuid::Uuid;

use crate::choice::{Encryption, Scope};
use crate::fragment::{Fragment, KeyDoc, tables};
use crate::kind::{
    AbsolutePath, Address, DriveUuid, FolderName, MapperName, Name, Number, OneOf, Patterns,
    Seconds, ServiceUnit, Size, TargetUnit, Units,
};

impl Settings {
    /// Every key of the configuration with its type, default and meaning, by table.
    pub fn reference() -> Vec<KeyDoc> {
        let mut all = Vec::new();
        SettingsFragment::describe("", "", &Self::default(), &mut all);
        all
    }

    /// Immich's media folder on the mounted drive.
    pub fn media_path(&self) -> PathBuf {
        self.drive.mount_point.join(&self.immich.media_folder)
    }
}

/// The least memory to open a drive with, in MiB: with four passes, the fewest that libcryptsetup
/// takes, the least that OWASP's password storage cheat sheet holds to be enough.
const LEAST_ARGON2_MEMORY: u64 = 9;

const DATABASE_UNITS: [&str; 2] = ["postgresql.service", "postgresql-setup.service"];
const OTHER_UNITS: [&str; 3] = [
    "redis-immich.service",
    "immich-machine-learning.service",
    "immich-server.service",
];

tables! {
    /// The configuration, complete and valid.
    Settings, SettingsFragment {
        /// The drive that holds everything.
        drive: DriveSettings => DriveFragment,
        /// The photo server.
        immich: ImmichSettings => ImmichFragment,
        /// Its database.
        database: DatabaseSettings => DatabaseFragment,
        /// The units that make up the running appliance.
        services: ServicesSettings => ServicesFragment,
        /// What is backed up, and how.
        backup: BackupSettings => BackupFragment,
        /// What is kept outside the drive.
        state: StateSettings => StateFragment,
        /// How the box is set up by the file on its card.
        first_boot: FirstBootSettings => FirstBootFragment,
        /// How the box is reached from afar.
        remote: RemoteSettings => RemoteFragment,
    }

    /// `[drive]`
    DriveSettings, DriveFragment {
        /// The only drive to be used: the UUID of its LUKS header, or of its file system when it
        /// is not encrypted. Without it, the drive that was used first is remembered.
        uuid: Option<Uuid> as Option<DriveUuid> = None,
        /// How `drive create` and `recover` encrypt a new drive when `--encryption` is not given.
        /// With `"none"` it is mounted and Immich started at boot, and whoever takes the drive can
        /// read it. A drive that exists stays as it was made.
        encryption: Encryption as OneOf<Encryption> = Encryption::Luks2,
        /// The device-mapper name of the open drive, under `/dev/mapper`.
        mapper_name: String as MapperName = "immich_drive".into(),
        /// Where the drive is mounted. The units that come with the tool are bound to the default:
        /// who changes it changes them too.
        mount_point: PathBuf as AbsolutePath = "/mnt/immich_drive".into(),
        /// The most memory that opening a new drive may take; a quarter of the machine's memory if
        /// that is less. More is slower to attack, but a drive made with more than a machine has
        /// free does not open there.
        argon2_memory_max: ByteSize as Size<LEAST_ARGON2_MEMORY, 4096> = ByteSize::mib(512),
        /// How long opening a new drive, or a drive by a new passphrase, may take on the machine
        /// where it is made. Longer is slower to attack; a slower machine takes longer.
        argon2_milliseconds: u32 as Number<u32, 200, 60_000> = 2000,
        /// How often deriving a key for a new drive or passphrase passes over its memory. Without
        /// it, as often as fits into the milliseconds, which is measured. More is slower to attack.
        argon2_passes: Option<u32> as Option<Number<u32, 4, 10_000>> = None,
        /// How often the passphrase may be typed.
        unlock_tries: u32 as Number<u32, 1, 10> = 3,
    }

    /// `[immich]`
    ImmichSettings, ImmichFragment {
        /// Where Immich answers on this machine.
        url: String as Address = "http://127.0.0.1:2283".into(),
        /// The name of Immich's media folder on the drive.
        media_folder: String as FolderName = "immich_data".into(),
        /// The system user that Immich runs as and that owns the media.
        user: String as Name = "immich".into(),
        /// The system group of the media.
        group: String as Name = "immich".into(),
        /// How long `start` waits until Immich is ready.
        ready_timeout("ready_timeout_seconds"): Duration as Seconds = Duration::from_secs(300),
    }

    /// `[database]`
    DatabaseSettings, DatabaseFragment {
        /// The name of Immich's database.
        name: String as Name = "immich".into(),
        /// The role that owns the database.
        owner: String as Name = "immich".into(),
        /// PostgreSQL's superuser: the role, and the system user of the same name.
        superuser: String as Name = "postgres".into(),
        /// The folder of PostgreSQL's Unix socket.
        socket_directory: PathBuf as AbsolutePath = "/run/postgresql".into(),
        /// The folder of `psql` and `pg_dump`. Without it they are looked for where the system's
        /// packages put them.
        bin_directory: Option<PathBuf> as Option<AbsolutePath> = None,
        /// How many database dumps are kept on the drive. Older ones are in the backup's snapshots.
        keep_dumps: u32 as Number<u32, 1, 1000> = 14,
    }

    /// `[services]`
    ServicesSettings, ServicesFragment {
        /// The target that stands for the running appliance.
        target: String as TargetUnit = "immich-appliance.target".into(),
        /// The units of the appliance, in the order they start in; they stop in the reverse order.
        units: Vec<String> as Units
            = DATABASE_UNITS.iter().chain(&OTHER_UNITS).map(ToString::to_string).collect(),
        /// Those of the units that the database alone needs. A recovery starts them before Immich.
        database_units: Vec<String> as Units = DATABASE_UNITS.map(Into::into).into(),
        /// The one of the units that is Immich's server.
        server_unit: String as ServiceUnit = "immich-server.service".into(),
        /// How long the units may take to start. Immich getting ready is counted apart.
        start_timeout("start_timeout_seconds"): Duration as Seconds = Duration::from_secs(300),
        /// How long the units may take to stop.
        stop_timeout("stop_timeout_seconds"): Duration as Seconds = Duration::from_secs(120),
    }

    /// `[backup]`
    BackupSettings, BackupFragment {
        /// What of the media is backed up. `"essential"` leaves out thumbnails and transcoded
        /// videos: a smaller backup, but after a recovery Immich makes them anew, which takes days
        /// on a small machine.
        scope: Scope as OneOf<Scope> = Scope::Everything,
        /// The folder of the repository's cache. It holds nothing that is needed, and can be
        /// deleted.
        cache_directory: PathBuf as AbsolutePath = "/var/cache/immich-appliance".into(),
        /// Zstandard's level, 0 for no compression, in a repository that `backup init` creates; one
        /// that exists keeps its own. Photos and videos hardly get smaller; the database and its
        /// dumps do.
        compression_level: i32 as Number<i32, -7, 22> = 3,
        /// Glob patterns of what is left out of the backup.
        exclude: Vec<String> as Patterns = Vec::new(),
    }

    /// `[state]`
    StateSettings, StateFragment {
        /// The folder of what is kept outside the drive: which drive belongs to this machine,
        /// copies of its header, and when the last backup was made.
        directory: PathBuf as AbsolutePath = "/var/lib/immich-appliance".into(),
    }

    /// `[first_boot]`
    FirstBootSettings, FirstBootFragment {
        /// The folder that the card's FAT partition is mounted at, where `appliance.toml` is looked
        /// for.
        folder: PathBuf as AbsolutePath = "/boot/firmware".into(),
        /// The system user who gets the keys and the password of `appliance.toml`.
        user: String as Name = "admin".into(),
        /// The file that the keys go into, where the SSH server reads it. Without it they are added
        /// to those in the user's home.
        keys_file: Option<PathBuf> as Option<AbsolutePath> = None,
        /// A file that the SSH server includes, written to let the user in by password as long as
        /// there is no key. Without it the SSH server is left as it is.
        password_sign_in_file: Option<PathBuf> as Option<AbsolutePath> = None,
    }

    /// `[remote]`
    RemoteSettings, RemoteFragment {
        /// The socket of tailscaled, which `remote` talks to.
        tailscale_socket: PathBuf as AbsolutePath = "/run/tailscale/tailscaled.sock".into(),
        /// How many days before the box's key in the tailnet expires it is warned of.
        key_warning_days: u32 as Number<u32, 1, 90> = 14,
    }
}
