//! A family's box as it comes about, and what must be true of it: steps that the tests share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use appliance::backup::run::{Backup, RunOptions};
use appliance::backup::{NamedRepository, init, run};
use appliance::dialogue::Script;
use appliance::drive::create::{self, CreateOptions, NewDrive};
use appliance::drive::lock::{self, Locked};
use appliance::drive::unlock::{self, UnlockOptions, Unlocked};
use appliance::recover::{RecoverOptions, Recovered};
use appliance_config::{CipherChoice, Encryption};
use tempfile::TempDir;

use crate::photos::Database;
use crate::world::{World, files_below};

pub const PASSPHRASE: &str = "correct horse battery staple";

pub const NEW_DRIVE: NewDrive = NewDrive {
    encryption: Encryption::Luks2,
    cipher: CipherChoice::Auto,
};

/// A temporary folder for boxes and repositories.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Makes a drive on a blank disk; gives the recovery key that was handed over.
pub fn create(world: &Rc<World>, disk: &str) -> String {
    let script = Script::default().secrets([PASSPHRASE]).consents([disk]);
    let device = world.root.join("dev").join(disk);
    let how = NEW_DRIVE;
    let created = create::create(&world.appliance(&script), &CreateOptions { device, how });
    created.unwrap();
    let [key] = <[String; 1]>::try_from(script.kept()).unwrap();
    key
}

/// Unlocks the drive with a passphrase, or the recovery key, and starts Immich.
pub fn unlock(world: &Rc<World>, passphrase: &str) -> appliance::Result<Unlocked> {
    let script = Script::default().secrets([passphrase]);
    let options = UnlockOptions {
        start: true,
        ..UnlockOptions::default()
    };
    let unlocked = unlock::unlock(&world.appliance(&script), &options)?;
    Ok(unlocked.unwrap())
}

pub fn lock(world: &Rc<World>) -> Locked {
    let script = Script::default();
    lock::lock(&world.appliance(&script), false).unwrap()
}

/// The family signs up and uploads.
pub fn upload(world: &World) {
    let media = &world.paths.media;
    let mut originals = Vec::new();
    for (number, user) in [(0_u8, "anna"), (1, "ben"), (2, "anna")] {
        let below = PathBuf::from(format!("upload/{user}/{number:02x}/photo {number}.jpg"));
        let path = media.join(&below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![number; 1000 + usize::from(number)]).unwrap();
        originals.push(below);
    }
    fs::create_dir_all(media.join("thumbs/anna")).unwrap();
    fs::write(media.join("thumbs/anna/small.webp"), b"small").unwrap();
    fs::write(media.join("upload/anna/empty.xmp"), b"").unwrap();
    world.with_database(|database| {
        *database = Some(Database {
            migrated: true,
            users: 2,
            albums: 1,
            originals,
            ..Database::default()
        });
    });
}

pub fn named(repository: &Path) -> NamedRepository {
    NamedRepository {
        address: repository.display().to_string(),
        access_key_id: None,
        region: None,
    }
}

/// Sets the backup up in a new repository; gives its password.
pub fn set_up_backup(world: &Rc<World>, repository: &Path) -> String {
    let script = Script::default();
    let made = init::init(&world.appliance(&script), &named(repository)).unwrap();
    assert!(made.created);
    let [password] = <[String; 1]>::try_from(script.kept()).unwrap();
    cheap_repository::cheapen(repository, &password).unwrap();
    password
}

pub fn back_up(world: &Rc<World>, if_older_than_hours: Option<u32>) -> appliance::Result<Backup> {
    let options = RunOptions {
        scope: None,
        if_older_than_hours,
    };
    run::run(&world.appliance(&Script::default()), &options)
}

/// A box with photos, backed up once.
pub struct Family {
    pub world: Rc<World>,
    pub repository: PathBuf,
    pub password: String,
    pub recovery_key: String,
    /// Every file of the media folder, as it was backed up.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub database: Database,
}

impl Family {
    /// In a folder.
    pub fn in_(folder: &Path) -> Self {
        let world = World::new(&folder.join("box"));
        world.attach_blank("sda");
        let recovery_key = create(&world, "sda");
        let script = Script::default();
        appliance::immich::start::start(&world.appliance(&script)).unwrap();
        upload(&world);
        let repository = folder.join("repository");
        let password = set_up_backup(&world, &repository);
        back_up(&world, None).unwrap();
        Family {
            files: files_below(&world.paths.media),
            database: world
                .with_database(|database| database.clone())
                .flatten()
                .unwrap(),
            world,
            repository,
            password,
            recovery_key,
        }
    }

    /// Recovers onto a disk of a box, as a person types the command.
    pub fn recover(
        &self,
        world: &Rc<World>,
        disk: &str,
        script: &Script,
    ) -> appliance::Result<Recovered> {
        let options = RecoverOptions {
            drive: world.root.join("dev").join(disk),
            from: named(&self.repository),
            snapshot: "latest".into(),
            new_drive: NEW_DRIVE,
        };
        appliance::recover::recover(&world.appliance(script), &options)
    }

    /// The answers to all that [`Family::recover`] may ask.
    pub fn answers(&self, disk: &str) -> Script {
        let secrets = [self.password.as_str(), PASSPHRASE];
        Script::default().secrets(secrets).consents([disk])
    }

    /// Everything is there again on this box, and will be after it was locked.
    pub fn assert_is_whole_on(&self, world: &Rc<World>, disk: &str, recovered: &Recovered) {
        assert!(recovered.is_complete(), "{recovered:?}");
        let counts = &recovered.counts.agree;
        assert_eq!((counts["users"], counts["photos and videos"]), (2, 3));
        self.assert_is_served(world);
        assert!(!world.paths.recovery_progress().exists());
        let uuid = world.with_disk(disk, |disk| disk.uuid());
        for copy in [world.paths.header(uuid), world.paths.header_on_drive()] {
            let copy = fs::read_to_string(copy).unwrap();
            assert_eq!(copy, uuid.to_string(), "another drive's header");
        }
        let appliance = world.appliance(&Script::default());
        let remembered = appliance.memory().unwrap().drive.unwrap();
        assert_eq!(remembered.known.uuid, uuid);
        assert!(matches!(lock(world), Locked::Now { .. }));
        unlock(world, PASSPHRASE).expect("a recovered drive opens again");
        self.assert_is_served(world);
    }

    /// Every file byte for byte, every row, and Immich running.
    pub fn assert_is_served(&self, world: &Rc<World>) {
        let files = files_below(&world.paths.media);
        for (path, bytes) in &self.files {
            // Immich stamps its markers anew at every start.
            if !path.ends_with(".immich") {
                assert_eq!(files.get(path), Some(bytes), "{}", path.display());
            }
        }
        let database = world.with_database(|database| database.clone()).flatten();
        let database = database.unwrap();
        assert_eq!(database.originals, self.database.originals);
        assert_eq!((database.users, database.albums), (2, 1));
        assert!(world.is_active(&world.settings.services.target));
    }
}
