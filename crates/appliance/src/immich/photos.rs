use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use appliance_config::{DatabaseSettings, Settings};
use appliance_files::Owner;
use appliance_immich::api::Client;
use appliance_immich::database::{
    Connection, Contents, Database, Dump, DumpLedger, DumpRequest, Originals, RestoreStep,
    TrustedDump, find_bin_dir,
};
use appliance_immich::dump::{Counts, ImmichVersion, Obstacle, VerifiedDump, loadable_here};
use appliance_immich::readiness::{self, ProgressProbe, ServerState, Waiting};

use crate::Result;

/// How often a server that does not answer is looked at for progress.
const LOOK: Duration = Duration::from_secs(5);

/// What is asked of Immich and of its database.
#[allow(clippy::missing_errors_doc)] // as in `appliance_immich`, function by function
pub trait Photos {
    /// The major version of the PostgreSQL that is installed here.
    fn installed_postgresql(&self) -> Result<u32>;
    /// What is in Immich's database.
    fn contents(&self) -> Result<Contents>;
    /// The rows of all tables, now.
    fn counts(&self) -> Result<Counts>;
    /// The originals that the database knows and that are not there.
    fn missing_originals(&self, media: &Path) -> Result<Originals>;
    /// Dumps the database into a folder, and proves the dump complete.
    fn dump(
        &self,
        request: &DumpRequest<'_>,
        ledger: &mut DumpLedger,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump>;
    /// Proves a dump complete.
    fn prove(&self, dump: &Path) -> Result<VerifiedDump>;
    /// What keeps a proven dump from being loaded here, as far as that is known.
    fn obstacles(&self, _dump: &VerifiedDump) -> Vec<Obstacle> {
        Vec::new()
    }
    /// Has Immich make thumbnails and encoded videos anew. Tells whether it took the request.
    fn make_derived_files_anew(&self) -> Result<bool> {
        Ok(false)
    }
    /// Loads a dump in place of an empty database.
    fn restore(&self, dump: &TrustedDump, on_step: &mut dyn FnMut(RestoreStep)) -> Result<()>;
    /// How the server stands right now; `None` where it does not answer.
    fn server(&self) -> Option<ServerState>;
    /// The server's version; `None` where it does not answer.
    fn version(&self) -> Option<ImmichVersion>;
    /// Waits until the server works; `timeout` counts from the last time that `moved` told of
    /// progress.
    fn wait_until_ready(
        &self,
        timeout: Duration,
        moved: &mut dyn FnMut() -> bool,
        on_progress: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
    ) -> Result<ServerState>;
}

/// Immich on this machine.
#[derive(Debug)]
pub struct LivePhotos {
    settings: DatabaseSettings,
    url: String,
    user: String,
    group: String,
    installed: OnceCell<u32>,
}

impl LivePhotos {
    /// As the configuration has it. Nothing is asked yet.
    pub fn new(settings: &Settings) -> Self {
        LivePhotos {
            settings: settings.database.clone(),
            url: settings.immich.url.clone(),
            user: settings.immich.user.clone(),
            group: settings.immich.group.clone(),
            installed: OnceCell::new(),
        }
    }

    fn postgresql(&self) -> Result<Connection> {
        let superuser = &self.settings.superuser;
        Ok(Connection {
            socket_dir: self.settings.socket_directory.clone(),
            port: 5432,
            superuser: superuser.clone(),
            run_as: Some(Owner::of_user(superuser)?),
            bin_dir: self.settings.bin_directory.clone().or_else(find_bin_dir),
        })
    }

    fn database(&self) -> Result<Database> {
        let settings = &self.settings;
        let connection = self.postgresql()?;
        let owner = Owner::lookup(&self.user, &self.group)?;
        Ok(Database::new(connection, &settings.name, &settings.owner).owned_by_os_user(owner))
    }

    fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.url)?)
    }
}

impl Photos for LivePhotos {
    fn installed_postgresql(&self) -> Result<u32> {
        if let Some(major) = self.installed.get() {
            return Ok(*major);
        }
        let major = self.postgresql()?.installed_major()?;
        Ok(*self.installed.get_or_init(|| major))
    }

    fn contents(&self) -> Result<Contents> {
        Ok(self.database()?.contents()?)
    }

    fn counts(&self) -> Result<Counts> {
        Ok(self.database()?.counts()?)
    }

    fn missing_originals(&self, media: &Path) -> Result<Originals> {
        Ok(self.database()?.missing_originals(media)?)
    }

    fn dump(
        &self,
        request: &DumpRequest<'_>,
        ledger: &mut DumpLedger,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump> {
        Ok(self.database()?.dump(request, ledger, on_bytes)?)
    }

    fn prove(&self, dump: &Path) -> Result<VerifiedDump> {
        Ok(self.database()?.prove(dump)?)
    }

    fn obstacles(&self, dump: &VerifiedDump) -> Vec<Obstacle> {
        let installed = self
            .postgresql()
            .and_then(|connection| Ok(connection.installed(self.version())?));
        match installed {
            Ok(installed) => loadable_here(dump, &installed).err().unwrap_or_default(),
            Err(error) => {
                tracing::warn!("what is installed here cannot be told: {error}");
                Vec::new()
            }
        }
    }

    fn make_derived_files_anew(&self) -> Result<bool> {
        let database = self.database()?;
        let Some(key) = database.lend_key(&["job.create"])? else {
            return Ok(false);
        };
        let client = self.client()?.with_credential(key.credential());
        let asked = client.make_derived_files_anew();
        database.take_back(key)?;
        asked?;
        Ok(true)
    }

    fn restore(&self, dump: &TrustedDump, on_step: &mut dyn FnMut(RestoreStep)) -> Result<()> {
        self.database()?.restore(dump, false, on_step)?;
        Ok(())
    }

    fn server(&self) -> Option<ServerState> {
        readiness::state(&self.client().ok()?)
    }

    fn version(&self) -> Option<ImmichVersion> {
        let version = self.client().ok()?.version().ok()?;
        version.to_string().parse().ok()
    }

    fn wait_until_ready(
        &self,
        timeout: Duration,
        moved: &mut dyn FnMut() -> bool,
        on_progress: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
    ) -> Result<ServerState> {
        let client = self.client()?;
        let mut probe = ProgressProbe {
            every: LOOK,
            look: moved,
        };
        Ok(readiness::wait_while_progressing(
            &client,
            timeout,
            &mut probe,
            on_progress,
        )?)
    }
}
