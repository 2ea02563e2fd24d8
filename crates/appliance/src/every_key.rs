//! Every key of the configuration changes what the appliance does, and is not only read.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use appliance_config::{ByteSize, Encryption, Scope, Settings};
use appliance_immich::database::{
    Contents, Dump, DumpLedger, DumpRequest, Originals, RestoreStep, TrustedDump,
};
use appliance_immich::dump::{Counts, ImmichVersion, VerifiedDump};
use appliance_immich::readiness::{ServerState, Waiting};
use appliance_services::ServiceError;
use appliance_services::fake::FakeManager;
use appliance_services::{Job, Manager, Outcome, TimerStatus, UnitState, UnitStatus};

use crate::backup::{repository, run as backup_run};
use crate::dialogue::{Question, Script};
use crate::drive::{LiveDisks, unlock};
use crate::immich::{LivePhotos, Photos, start, stop, units};
use crate::{Appliance, Error, Paths, Result, first_boot, remote};

/// Hears what is asked of Immich, and gives nothing.
#[derive(Clone, Default)]
struct Listening(Rc<RefCell<Vec<String>>>);

impl Listening {
    fn hear(&self, what: String) {
        self.0.borrow_mut().push(what);
    }
}

fn nothing<T>() -> Result<T> {
    Err(Error::Missing("nothing is here".into()))
}

impl Photos for Listening {
    fn installed_postgresql(&self) -> Result<u32> {
        Ok(15)
    }
    fn contents(&self) -> Result<Contents> {
        Ok(Contents::Users(1))
    }
    fn counts(&self) -> Result<Counts> {
        nothing()
    }
    fn missing_originals(&self, _media: &Path) -> Result<Originals> {
        nothing()
    }
    fn dump(
        &self,
        request: &DumpRequest<'_>,
        _ledger: &mut DumpLedger,
        _on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump> {
        self.hear(format!("keep {}", request.keep));
        nothing()
    }
    fn prove(&self, _dump: &Path) -> Result<VerifiedDump> {
        nothing()
    }
    fn restore(&self, _dump: &TrustedDump, _on_step: &mut dyn FnMut(RestoreStep)) -> Result<()> {
        nothing()
    }
    fn server(&self) -> Option<ServerState> {
        None
    }
    fn version(&self) -> Option<ImmichVersion> {
        None
    }
    fn wait_until_ready(
        &self,
        timeout: Duration,
        _moved: &mut dyn FnMut() -> bool,
        on_progress: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
    ) -> Result<ServerState> {
        self.hear(format!("wait {timeout:?}"));
        // Long enough for the server's unit to be looked at.
        let _ = on_progress(&Waiting::Server, Duration::from_secs(5));
        nothing()
    }
}

/// A service manager that is told, too, how long it may take.
struct Timed(FakeManager, Listening);

impl Manager for Timed {
    fn states(&self, names: &[&str]) -> Result<Vec<UnitState>, ServiceError> {
        self.1.hear(format!("states {names:?}"));
        self.0.states(names)
    }
    fn unit(&self, name: &str) -> Result<UnitStatus, ServiceError> {
        self.0.unit(name)
    }
    fn start(&self, unit: &str, timeout: Duration) -> Result<Outcome, ServiceError> {
        self.1
            .hear(format!("start {unit} {}", timeout.as_secs_f32().round()));
        self.0.start(unit, timeout)
    }
    fn stop(&self, unit: &str, timeout: Duration) -> Result<(), ServiceError> {
        self.1
            .hear(format!("stop {unit} {}", timeout.as_secs_f32().round()));
        self.0.stop(unit, timeout)
    }
    fn restart(&self, unit: &str, timeout: Duration) -> Result<Outcome, ServiceError> {
        self.0.restart(unit, timeout)
    }
    fn start_no_wait(&self, unit: &str) -> Result<(), ServiceError> {
        self.0.start_no_wait(unit)
    }
    fn stop_no_wait(&self, unit: &str) -> Result<(), ServiceError> {
        self.0.stop_no_wait(unit)
    }
    fn reset_failed(&self, unit: &str) -> Result<(), ServiceError> {
        self.0.reset_failed(unit)
    }
    fn timer(&self, name: &str) -> Result<TimerStatus, ServiceError> {
        self.0.timer(name)
    }
    fn jobs(&self) -> Result<Vec<Job>, ServiceError> {
        self.0.jobs()
    }
}

/// What the appliance does with these settings, as far as it shows on this machine.
fn behaviour(root: &Path, settings: &Settings) -> String {
    let paths = Paths::live(settings).under(root);
    std::fs::create_dir_all(&paths.mount_point).unwrap();
    let heard = Listening::default();
    let script = Script::default().secrets(["x"; 20]);
    let known = settings.services.units.iter().map(String::as_str);
    let known = known.chain([
        settings.services.target.as_str(),
        settings.services.server_unit.as_str(),
        "immich-appliance-backup.service",
    ]);
    let appliance = Appliance::with(
        settings.clone(),
        paths,
        Box::new(script.clone()),
        Box::new(LiveDisks::new()),
        Box::new(heard.clone()),
        Box::new(Timed(FakeManager::of(known), heard.clone())),
    );
    let question = Question::NewPassphrase { what: "x".into() };
    let device = Path::new("/dev/null");
    let opened = unlock::ask_until_it_opens(&appliance, device, &question, |_| {
        Err::<(), _>(appliance_drive::luks::LuksError::WrongPassphrase {
            device: device.to_owned(),
        })
    });
    assert!(opened.is_err());
    let started = start::carry_out(&appliance).is_ok();
    let stopped = stop::carry_out(&appliance).is_ok();
    let runs = units::database_runs(&appliance).ok();
    // Gives up at the stand-in for Immich, after it was asked.
    let _ = backup_run::dump_into(&appliance, Path::new("/nonexistent"));
    let (scope, media) = (settings.backup.scope, &appliance.paths.media);
    let machine = first_boot::machine(&appliance);
    [
        format!("{:?}", appliance.paths),
        appliance.mapper().to_owned(),
        format!("{:?}", appliance.remembered_drive().ok().flatten()),
        format!("{:?}", appliance.keyslot_limits().ok()),
        format!(
            "{:?}",
            appliance.immich_owner().map_err(|error| error.to_string())
        ),
        format!("{:?}", LivePhotos::new(settings)),
        format!("{} {}", appliance.port(), remote::target(&appliance)),
        format!("{started} {stopped} {runs:?}"),
        format!("{:?}", heard.0.borrow()),
        format!("{:?}", script.heard()),
        format!("{:?}", backup_run::plan(&appliance, scope)),
        format!("{media:?}"),
        format!("{:?}", repository::options(&appliance).compression),
        format!("{:?} {:?}", machine.user, machine.keys_file),
        format!("{:?}", machine.password_sign_in_file),
        format!("{:?}", remote::warning_days(&appliance)),
        remote::look(&appliance).map_or_else(|error| error.to_string(), |_| "there".into()),
    ]
    .join("\n")
}

#[test]
fn every_key_changes_what_the_appliance_does() {
    let root = tempfile::tempdir().unwrap();
    let before = behaviour(root.path(), &Settings::default());
    for key in Settings::reference() {
        let mut settings = Settings::default();
        change(&mut settings, &key.key);
        assert_ne!(settings, Settings::default(), "{} is not changed", key.key);
        if key.key == "drive.encryption" {
            // The front end's: what a new drive is made like without an option.
            continue;
        }
        assert_ne!(
            behaviour(root.path(), &settings),
            before,
            "{} changes nothing",
            key.key
        );
    }
}

/// Another value for a key.
fn change(settings: &mut Settings, key: &str) {
    let other = || "other".to_owned();
    match key {
        "drive.uuid" => settings.drive.uuid = Some(uuid::Uuid::from_u128(7)),
        "drive.encryption" => settings.drive.encryption = Encryption::None,
        "drive.mapper_name" => settings.drive.mapper_name = other(),
        "drive.mount_point" => settings.drive.mount_point = "/mnt/other".into(),
        "drive.argon2_memory_max" => settings.drive.argon2_memory_max = ByteSize::mib(10),
        "drive.argon2_milliseconds" => settings.drive.argon2_milliseconds = 300,
        "drive.argon2_passes" => settings.drive.argon2_passes = Some(5),
        "drive.unlock_tries" => settings.drive.unlock_tries = 1,
        "immich.url" => settings.immich.url = "http://127.0.0.1:9".into(),
        "immich.media_folder" => settings.immich.media_folder = other(),
        "immich.user" => settings.immich.user = other(),
        "immich.group" => settings.immich.group = other(),
        "immich.ready_timeout_seconds" => settings.immich.ready_timeout = Duration::from_secs(7),
        "database.name" => settings.database.name = other(),
        "database.owner" => settings.database.owner = other(),
        "database.superuser" => settings.database.superuser = other(),
        "database.socket_directory" => settings.database.socket_directory = "/other".into(),
        "database.bin_directory" => settings.database.bin_directory = Some("/other".into()),
        "database.keep_dumps" => settings.database.keep_dumps = 3,
        "services.target" => settings.services.target = "other.target".into(),
        "services.units" => settings.services.units.push("other.service".into()),
        "services.database_units" => {
            settings.services.database_units.pop();
        }
        "services.server_unit" => settings.services.server_unit = "other.service".into(),
        "services.start_timeout_seconds" => {
            settings.services.start_timeout = Duration::from_secs(7);
        }
        "services.stop_timeout_seconds" => settings.services.stop_timeout = Duration::from_secs(7),
        "backup.scope" => settings.backup.scope = Scope::Essential,
        "backup.cache_directory" => settings.backup.cache_directory = "/other".into(),
        "backup.compression_level" => settings.backup.compression_level = 7,
        "backup.exclude" => settings.backup.exclude.push("*.tmp".into()),
        "state.directory" => settings.state.directory = "/other".into(),
        "first_boot.folder" => settings.first_boot.folder = "/other".into(),
        "first_boot.user" => settings.first_boot.user = other(),
        "first_boot.keys_file" => settings.first_boot.keys_file = Some("/other".into()),
        "first_boot.password_sign_in_file" => {
            settings.first_boot.password_sign_in_file = Some("/other".into());
        }
        "remote.tailscale_socket" => settings.remote.tailscale_socket = "/other".into(),
        "remote.key_warning_days" => settings.remote.key_warning_days = 3,
        other => panic!("the key {other} has no other value here: add one, and what it changes"),
    }
}
