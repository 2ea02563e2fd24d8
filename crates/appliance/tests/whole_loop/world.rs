//! A box below a temporary folder: disks that are files and folders, systemd and Immich's
//! database in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use appliance::dialogue::Script;
use appliance::{Appliance, Paths};
use appliance_config::Settings;
use appliance_drive::inspect::{BlockDevice, Content, Kind, Transport, Use};
use appliance_drive::mount::binding;
use appliance_drive::{FINISHED, LABEL, UNFINISHED};
use appliance_services::fake::FakeManager;
use appliance_services::{ActiveState, Manager as _};
use nix::unistd::{Group, User, getegid, geteuid};
use uuid::Uuid;

use crate::disks::FakeDisks;
use crate::faults::Faults;
use crate::manager::FaultyManager;
use crate::photos::{Database, FakePhotos};

/// A LUKS header.
#[derive(Debug, Clone)]
pub struct Luks {
    pub uuid: Uuid,
    pub passphrases: Vec<Vec<u8>>,
    pub finished: bool,
}

/// A disk: a file for its bytes, and a folder for the files in its file system.
#[derive(Debug)]
pub struct Disk {
    pub name: String,
    pub number: u32,
    pub image: PathBuf,
    pub files: PathBuf,
    pub attached: bool,
    pub luks: Option<Luks>,
    pub filesystem: Option<Uuid>,
    pub database: Option<Database>,
}

/// What is open and mounted.
#[derive(Debug, Default)]
pub struct Stack {
    /// The disk that the mapping lies on.
    pub mapped: Option<String>,
    /// The disk that is mounted.
    pub mounted: Option<String>,
}

/// A box and its disks.
pub struct World {
    pub root: PathBuf,
    pub settings: Settings,
    pub paths: Paths,
    pub faults: Faults,
    pub manager: FakeManager,
    pub disks: RefCell<Vec<Disk>>,
    pub stack: RefCell<Stack>,
}

impl World {
    /// A box without any disk.
    pub fn new(root: &Path) -> Rc<Self> {
        let mut settings = Settings::default();
        // Everything belongs to whoever runs the test.
        let user = User::from_uid(geteuid()).unwrap().unwrap().name;
        settings.immich.group = Group::from_gid(getegid()).unwrap().unwrap().name;
        settings.database.superuser.clone_from(&user);
        settings.immich.user = user;
        settings.remote.tailscale_socket = root.join("no-tailscaled.sock");
        let paths = Paths::live(&settings).under(root);
        fs::create_dir_all(&paths.mount_point).unwrap();
        for folder in ["var/lib", "var/cache", "run", "dev/mapper"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::create_dir_all(root.join("disks")).unwrap();
        let services = &settings.services;
        let units = services.units.iter().chain([&services.target]);
        let shipped = [
            "immich-appliance-backup.service",
            "immich-appliance-backup.timer",
        ];
        Rc::new(World {
            manager: FakeManager::of(units.map(String::as_str).chain(shipped)),
            root: root.to_owned(),
            paths,
            faults: Faults::default(),
            disks: RefCell::default(),
            stack: RefCell::default(),
            settings,
        })
    }

    /// The library over this box, talking with this script.
    pub fn appliance(self: &Rc<Self>, script: &Script) -> Appliance {
        Appliance::with(
            self.settings.clone(),
            self.paths.clone(),
            Box::new(script.clone()),
            Box::new(FakeDisks(Rc::clone(self))),
            Box::new(FakePhotos(Rc::clone(self))),
            Box::new(FaultyManager(Rc::clone(self))),
        )
    }

    /// Attaches a blank disk.
    pub fn attach_blank(&self, name: &str) -> PathBuf {
        let image = self.root.join("dev").join(name);
        fs::write(&image, vec![0; 64 << 10]).unwrap();
        let mut disks = self.disks.borrow_mut();
        let number = u32::try_from(disks.len()).unwrap();
        disks.push(Disk {
            name: name.to_owned(),
            number,
            files: self.root.join("disks").join(name),
            image: image.clone(),
            attached: true,
            luks: None,
            filesystem: None,
            database: None,
        });
        image
    }

    /// Takes a disk away.
    pub fn detach(&self, name: &str) {
        self.with_disk(name, |disk| disk.attached = false);
    }

    pub fn with_disk<T>(&self, name: &str, work: impl FnOnce(&mut Disk) -> T) -> T {
        let mut disks = self.disks.borrow_mut();
        let disk = disks.iter_mut().find(|disk| disk.name == name);
        work(disk.unwrap_or_else(|| panic!("no disk {name}")))
    }

    pub fn name_of(&self, image: &Path) -> Option<String> {
        let disks = self.disks.borrow();
        let disk = disks.iter().find(|disk| disk.image == image);
        disk.map(|disk| disk.name.clone())
    }

    /// The database on the mounted drive, while PostgreSQL runs.
    pub fn with_database<T>(&self, work: impl FnOnce(&mut Option<Database>) -> T) -> Option<T> {
        let mounted = self.stack.borrow().mounted.clone()?;
        self.is_active("postgresql.service")
            .then(|| self.with_disk(&mounted, |disk| work(&mut disk.database)))
    }

    pub fn is_active(&self, unit: &str) -> bool {
        self.manager.state(unit).unwrap().is_active()
    }

    pub fn mapper_node(&self) -> PathBuf {
        let mapper = &self.settings.drive.mapper_name;
        self.root.join("dev/mapper").join(mapper)
    }

    /// What is attached, as it would be listed.
    pub fn devices(&self) -> Vec<BlockDevice> {
        let stack = self.stack.borrow();
        let disks = self.disks.borrow();
        let attached = disks.iter().filter(|disk| disk.attached);
        attached.map(|disk| self.device(disk, &stack)).collect()
    }

    fn device(&self, disk: &Disk, stack: &Stack) -> BlockDevice {
        let mut uses = Vec::new();
        if stack.mapped.as_ref() == Some(&disk.name) {
            uses.push(Use::Held {
                by: "dm-0".into(),
                mapper: Some(self.settings.drive.mapper_name.clone()),
            });
        }
        if stack.mounted.as_ref() == Some(&disk.name) {
            uses.push(Use::Mounted {
                at: self.paths.mount_point.clone(),
            });
        }
        BlockDevice {
            name: disk.name.clone(),
            path: disk.image.clone(),
            number: (8, 16 * disk.number),
            kind: Kind::Disk,
            size: 1 << 40,
            model: Some("Elements".into()),
            serial: Some(format!("WX-{}", disk.name)),
            diskseq: Some(disk.number.into()),
            transport: Transport::Usb,
            removable: true,
            read_only: false,
            links: Vec::new(),
            partitions: Vec::new(),
            content: disk.content(),
            uses,
        }
    }

    /// Tells systemd of the mount, as the kernel would.
    pub fn announce_mount(&self, drive: Uuid, active: ActiveState) {
        let units = binding(&self.paths.mount_point, drive);
        self.manager.set(&units.mount, active);
        if self.manager.state(&units.target).unwrap().load != appliance_services::LoadState::Loaded
        {
            self.manager.set(&units.target, ActiveState::Inactive);
        }
    }

    /// The power is cut and comes back: what is on the disks and the card stays.
    pub fn cut_the_power(&self) {
        let mounted = self.stack.borrow_mut().mounted.take();
        if let Some(name) = mounted {
            let files = self.with_disk(&name, |disk| disk.files.clone());
            fs::rename(&self.paths.mount_point, files).unwrap();
            fs::create_dir(&self.paths.mount_point).unwrap();
            let uuid = self.with_disk(&name, |disk| disk.uuid());
            self.announce_mount(uuid, ActiveState::Inactive);
        }
        if self.stack.borrow_mut().mapped.take().is_some() {
            fs::remove_file(self.mapper_node()).unwrap();
        }
        let services = &self.settings.services;
        for unit in services.units.iter().chain([&services.target]) {
            self.manager.set(unit, ActiveState::Inactive);
        }
        if self.paths.runtime.exists() {
            fs::remove_dir_all(&self.paths.runtime).unwrap();
        }
    }
}

impl Disk {
    pub fn content(&self) -> Content {
        match (&self.luks, self.filesystem) {
            (Some(luks), _) => Content::Luks {
                version: 2,
                uuid: luks.uuid,
                label: Some(LABEL.into()),
                subsystem: Some(if luks.finished { FINISHED } else { UNFINISHED }.into()),
            },
            (None, Some(uuid)) => Content::FileSystem {
                kind: "ext4".into(),
                uuid: Some(uuid.to_string()),
                label: Some(LABEL.into()),
            },
            (None, None) => Content::Empty,
        }
    }

    /// What the drive on it is known by.
    pub fn uuid(&self) -> Uuid {
        let luks = self.luks.as_ref().map(|luks| luks.uuid);
        luks.or(self.filesystem).unwrap_or_default()
    }
}

/// All regular files below a folder, with what is in them.
pub fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).unwrap().to_owned();
                all.insert(below, fs::read(&path).unwrap());
            }
        }
    }
    all
}
