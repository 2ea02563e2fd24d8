//! What every command works with: the settings, the way to talk, and where things lie.

use std::cell::OnceCell;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use appliance_config::Settings;
use appliance_drive::System;
use appliance_drive::find::{Found, Wanted};
use appliance_drive::layout::{self, Owners};
use appliance_drive::mount;
use appliance_drive::state::{DriveState, Expected, observe};
use appliance_files::{Lock, LockError, Owner};
use appliance_immich::api::Client;
use appliance_immich::database::{Connection, Database, DumpLedger, find_bin_dir};
use appliance_services::Systemd;
use appliance_state::{State, Store};
use jiff::Timestamp;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use crate::cli::{Global, Selected};
use crate::failure::Refused;
use crate::ui::Ui;

/// Made by the unit that ships with the tool, or by the tool itself.
const RUNTIME_DIRECTORY: &str = "/run/immich-appliance";
/// Held by whoever changes drive or services.
const RUN_LOCK: &str = "lock";
/// How long a run that is at work is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every command works with.
pub struct Context {
    /// The configuration.
    pub settings: Settings,
    /// How to talk.
    pub ui: Ui,
    /// Where the kernel's file systems are.
    pub system: System,
    systemd: OnceCell<Systemd>,
    installed_postgresql: OnceCell<u32>,
}

impl Context {
    /// Reads the configuration and sets up logging.
    pub fn load(global: &Global) -> anyhow::Result<Self> {
        log_to_stderr(global.verbose);
        Ok(Context {
            settings: Settings::load(global.config.as_deref())?,
            ui: Ui::new(global.no_input, global.json),
            system: System::live(),
            systemd: OnceCell::new(),
            installed_postgresql: OnceCell::new(),
        })
    }

    /// Where the drive is mounted.
    pub fn mount_point(&self) -> &Path {
        &self.settings.drive.mount_point
    }

    /// The device-mapper name of the open drive.
    pub fn mapper(&self) -> &str {
        &self.settings.drive.mapper_name
    }

    /// The device node of the open drive.
    pub fn mapper_node(&self) -> PathBuf {
        self.system.dev.join("mapper").join(self.mapper())
    }

    /// Where the tool keeps what lasts until the next boot.
    pub fn runtime_directory(&self) -> &Path {
        Path::new(RUNTIME_DIRECTORY)
    }

    /// The file of the repository's password, on the drive.
    pub fn repository_password_file(&self) -> PathBuf {
        self.mount_point()
            .join(layout::SECRETS)
            .join("repository-password")
    }

    /// The file of the repository's address, on the drive.
    pub fn repository_address_file(&self) -> PathBuf {
        self.mount_point().join(layout::SECRETS).join("backup.toml")
    }

    /// The copy of the LUKS header that travels in the backups.
    pub fn header_backup_on_drive(&self) -> PathBuf {
        self.mount_point()
            .join(layout::SECRETS)
            .join("luks-header.img")
    }

    /// The copy of a LUKS header that this box keeps.
    pub fn header_backup_file(&self, uuid: Uuid) -> PathBuf {
        self.settings
            .state
            .directory
            .join("headers")
            .join(format!("{uuid}.img"))
    }

    /// Makes the folder of the header copies, closed to all but root.
    pub fn make_state_folder(&self) -> anyhow::Result<()> {
        let state = &self.settings.state.directory;
        appliance_files::create_dir_durably(state, 0o700, None)?;
        appliance_files::create_dir_durably(&state.join("headers"), 0o700, None)?;
        Ok(())
    }

    /// Who owns the folders on the drive.
    pub fn owners(&self) -> anyhow::Result<Owners> {
        Ok(Owners::by_name(
            &self.settings.immich.user,
            &self.settings.database.superuser,
        )?)
    }

    /// How PostgreSQL is reached here.
    pub fn postgresql(&self) -> anyhow::Result<Connection> {
        let database = &self.settings.database;
        let superuser = &database.superuser;
        Ok(Connection {
            socket_dir: database.socket_directory.clone(),
            port: 5432,
            superuser: superuser.clone(),
            run_as: Some(Owner::lookup(superuser, superuser)?),
            bin_dir: database.bin_directory.clone().or_else(find_bin_dir),
        })
    }

    /// The major version of the PostgreSQL that is installed here, asked once.
    pub fn installed_postgresql(&self) -> anyhow::Result<u32> {
        if let Some(major) = self.installed_postgresql.get() {
            return Ok(*major);
        }
        let major = self.postgresql()?.installed_major()?;
        Ok(*self.installed_postgresql.get_or_init(|| major))
    }

    /// Immich's database.
    pub fn database(&self) -> anyhow::Result<Database> {
        let database = &self.settings.database;
        Ok(
            Database::new(self.postgresql()?, &database.name, &database.owner)
                .owned_by_os_user(self.immich_owner()?),
        )
    }

    /// Which database dumps this box has made, recorded where Immich cannot write.
    pub fn dump_ledger(&self) -> anyhow::Result<DumpLedger> {
        let secrets = self.mount_point().join(layout::SECRETS);
        Ok(DumpLedger::read(&secrets.join("database-dumps.json"))?)
    }

    /// Who owns Immich's files.
    pub fn immich_owner(&self) -> anyhow::Result<Owner> {
        Ok(Owner::lookup(
            &self.settings.immich.user,
            &self.settings.immich.group,
        )?)
    }

    /// What the box remembers outside the drive.
    pub fn store(&self) -> Store {
        Store::new(&self.settings.state.directory)
    }

    /// What the box remembers outside the drive, as it is now.
    pub fn state(&self) -> anyhow::Result<State> {
        Ok(self.store().load()?)
    }

    /// How often the passphrase may be typed.
    pub fn unlock_tries(&self) -> u32 {
        self.settings.drive.unlock_tries
    }

    /// The folder of the repository's cache.
    pub fn cache_directory(&self) -> &Path {
        &self.settings.backup.cache_directory
    }

    /// Immich's API, without credentials.
    pub fn immich(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.settings.immich.url)?)
    }

    /// systemd, connected on first use.
    pub fn systemd(&self) -> anyhow::Result<&Systemd> {
        if self.systemd.get().is_none() {
            // Another value cannot have come in between: a command runs on one thread.
            let _ = self.systemd.set(Systemd::connect()?);
        }
        self.systemd.get().context("cannot connect to systemd")
    }

    /// Keeps other runs that change drive or services away until it is dropped. One that is
    /// at work is waited for: most often it clears away after a drive that was pulled out.
    pub fn exclusively(&self) -> anyhow::Result<Lock> {
        match self.lock(RUN_LOCK, None) {
            Err(LockError::Held { .. }) => {
                self.ui
                    .say("Another run is at work; waiting for it to end …");
                Ok(self.lock(RUN_LOCK, Some(PATIENCE))?)
            }
            other => Ok(other?),
        }
    }

    /// The same without waiting; `None` if another run is at work.
    pub fn exclusively_unless_held(&self) -> anyhow::Result<Option<Lock>> {
        match self.lock(RUN_LOCK, None) {
            Err(LockError::Held { .. }) => Ok(None),
            other => Ok(Some(other?)),
        }
    }

    /// Keeps other backups and checks away until it is dropped.
    pub fn exclusively_for_backup(&self) -> anyhow::Result<Lock> {
        Ok(self.lock("backup.lock", None)?)
    }

    /// Keeps other changes of the tailnet away until it is dropped. Not the others' lock: a login
    /// waits for a person, and the drive may have to be unlocked meanwhile.
    pub fn exclusively_for_remote(&self) -> anyhow::Result<Lock> {
        Ok(self.lock("remote.lock", None)?)
    }

    fn lock(&self, name: &str, wait: Option<Duration>) -> Result<Lock, LockError> {
        // It makes the folder, too.
        Lock::acquire(&self.runtime_directory().join(name), wait)
    }

    /// The drive that the person named.
    pub fn wanted(selected: &Selected) -> Option<Wanted> {
        // Parsing a name cannot fail: what is no UUID and no path is a name.
        selected.drive.as_ref().and_then(|id| id.parse().ok())
    }

    /// The UUID of this box's drive: the configured one, else the remembered one.
    pub fn remembered_drive(&self) -> anyhow::Result<Option<Uuid>> {
        if let Some(uuid) = self.settings.drive.uuid {
            return Ok(Some(uuid));
        }
        Ok(self.state()?.drive.map(|drive| drive.uuid))
    }

    /// Remembers the drive for the next time.
    pub fn remember_drive(&self, uuid: Uuid) -> anyhow::Result<()> {
        self.store().update(|state| {
            state.remember_drive(uuid, Some(appliance_drive::LABEL.into()), Timestamp::now());
        })?;
        Ok(())
    }

    /// How far along the drive is.
    pub fn observe(&self, wanted: Option<&Wanted>) -> anyhow::Result<DriveState> {
        let expected = Expected {
            mapper: self.mapper(),
            mount_point: self.mount_point(),
            remembered: self.remembered_drive()?,
            wanted,
        };
        Ok(observe(&self.system, &expected)?)
    }

    /// The drive and a word for its state.
    pub fn find(&self, selected: &Selected) -> anyhow::Result<(Found, &'static str)> {
        let state = self.observe(Self::wanted(selected).as_ref())?;
        let word = state.word();
        match state {
            DriveState::Locked(found)
            | DriveState::Unlocked { found, .. }
            | DriveState::Mounted { found, .. } => Ok((found, word)),
            DriveState::Absent(error) => Err(error.into()),
            DriveState::Gone { .. } => Err(Refused::new(
                crate::exit::Exit::DriveNotFound,
                "the drive was unplugged while it was in use",
                "plug it in again, then immich-appliance unlock --start",
            )
            .into()),
            DriveState::Occupied { by } => Err(Refused::new(
                crate::exit::Exit::Refused,
                format!("{by} stands in the drive's place"),
                "immich-appliance status",
            )
            .into()),
        }
    }

    /// Whether the drive is mounted.
    pub fn is_mounted(&self) -> anyhow::Result<bool> {
        Ok(mount::mounted_at(&self.system, self.mount_point())?.is_some())
    }

    /// Fails with a word on unlocking unless the drive is mounted.
    pub fn require_mounted(&self, doing: &str) -> anyhow::Result<()> {
        if self.is_mounted()? {
            Ok(())
        } else {
            Err(Refused::drive_locked(doing).into())
        }
    }

    /// The addresses that Immich answers at.
    pub fn addresses(&self) -> Vec<String> {
        let port = self
            .settings
            .immich
            .url
            .rsplit(':')
            .next()
            .unwrap_or("2283");
        let mut hosts = Vec::new();
        if let Ok(name) = nix::unistd::gethostname() {
            hosts.push(format!("{}.local", name.to_string_lossy()));
        }
        hosts.extend(own_addresses().into_iter().map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }));
        hosts
            .into_iter()
            .map(|host| format!("http://{host}:{port}"))
            .collect()
    }
}

/// This machine's addresses that others can reach; link-local ones need a zone to be typed.
fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            if let Some(v4) = address.as_sockaddr_in() {
                return Some(IpAddr::V4(v4.ip()));
            }
            address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
        })
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        })
        .collect()
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    // rustic_core warns of each file it skips; the report lists them better.
    let filter = EnvFilter::new(format!("{level},rustic_core=error"));
    // Only the first call of a process sets the subscriber, and there is only one.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(verbose > 1)
        .without_time()
        .try_init();
}
