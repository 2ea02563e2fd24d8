//! [`Disks`] over files and folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use appliance::drive::Disks;
use appliance_drive::cipher::Cipher;
use appliance_drive::filesystem::{Check, FilesystemError, Outcome, Repair, Superblock};
use appliance_drive::find::{Found, Wanted, choose};
use appliance_drive::holders::{Holder, HoldersError};
use appliance_drive::inspect::{BlockDevice, ConsentError, Consented, Content, InspectError};
use appliance_drive::luks::{Format, Info, Keyslot, Limits, LuksError, Overwrite};
use appliance_drive::mount::{Detached, Guard, MountError, Mounted};
use appliance_drive::state::{DriveState, Expected, StateError};
use appliance_drive::usage::{Usage, UsageError, usage};
use appliance_drive::{FINISHED, LABEL, UNFINISHED};
use appliance_services::ActiveState;
use secrecy::{ExposeSecret as _, SecretSlice};
use uuid::Uuid;

use crate::world::{Disk, Luks, World};

pub struct FakeDisks(pub Rc<World>);

impl FakeDisks {
    /// As `appliance_drive::state` decides, whose facts come from the kernel: what is mounted or
    /// open first, and only then whatever [`choose`] chooses.
    fn state(&self, expected: &Expected<'_>) -> DriveState {
        let devices = self.0.devices();
        let node = self.0.mapper_node();
        let stack = self.0.stack.borrow();
        let attached = |name: &str| devices.iter().find(|device| device.name == name);
        if let Some(name) = &stack.mounted {
            let encrypted = stack.mapped.is_some();
            let mount = Mounted {
                at: expected.mount_point.to_owned(),
                source: if encrypted { node } else { self.image(name) },
                number: (253, 0),
                kind: "ext4".into(),
                read_only: false,
            };
            return match attached(name).map(|device| drive_on(device, expected)) {
                None => DriveState::Gone {
                    mount: Some(mount),
                    mapper: encrypted.then(|| expected.mapper.to_owned()),
                },
                Some(Ok(found)) => DriveState::Mounted { found, mount },
                Some(Err(by)) => DriveState::Occupied { by },
            };
        }
        if let Some(name) = &stack.mapped {
            return match attached(name).map(|device| drive_on(device, expected)) {
                None => DriveState::Gone {
                    mount: None,
                    mapper: Some(expected.mapper.to_owned()),
                },
                Some(Ok(found)) => DriveState::Unlocked { found, node },
                Some(Err(by)) => DriveState::Occupied { by },
            };
        }
        let chosen = choose(
            &devices,
            expected.remembered,
            expected.wanted,
            expected.known,
        );
        match chosen {
            Err(why) => DriveState::Absent(why),
            Ok(found) if found.encrypted => DriveState::Locked(found),
            Ok(found) => DriveState::Unlocked {
                node: found.device.path.clone(),
                found,
            },
        }
    }

    fn image(&self, name: &str) -> PathBuf {
        self.0.with_disk(name, |disk| disk.image.clone())
    }

    fn on<T>(&self, device: &Path, work: impl FnOnce(&mut Disk) -> T) -> Option<T> {
        let name = self.0.name_of(device)?;
        Some(self.0.with_disk(&name, work))
    }

    fn luks(&self, device: &Path) -> Result<Luks, LuksError> {
        let luks = self.on(device, |disk| disk.luks.clone()).flatten();
        luks.ok_or_else(|| LuksError::NoHeader {
            device: device.to_owned(),
            why: "the fake disk has none".into(),
        })
    }

    /// The name of the disk under a node: its own, or that of the mapping on it.
    fn under(&self, node: &Path) -> String {
        let mapped = self.0.stack.borrow().mapped.clone();
        match self.0.name_of(node) {
            Some(name) => name,
            None => mapped.filter(|_| node == self.0.mapper_node()).unwrap(),
        }
    }
}

fn drive_on(device: &BlockDevice, expected: &Expected<'_>) -> Result<Found, String> {
    let (uuid, encrypted) = match &device.content {
        Content::Luks { uuid, .. } => (*uuid, true),
        Content::FileSystem { uuid, .. } => (uuid.as_ref().unwrap().parse().unwrap(), false),
        _ => return Err(format!("{} with nothing", device.path.display())),
    };
    let named = match expected.wanted {
        None => true,
        Some(Wanted::Uuid(wanted)) => *wanted == uuid,
        Some(Wanted::Path(wanted)) => device.path == *wanted,
        Some(Wanted::ById(_)) => false,
    };
    let overruled = matches!(expected.wanted, Some(Wanted::Uuid(_)));
    let known = overruled || expected.remembered.is_none_or(|expected| expected == uuid);
    if !(named && known) {
        return Err(format!("another drive ({})", device.path.display()));
    }
    Ok(Found {
        device: device.clone(),
        uuid,
        encrypted,
    })
}

fn luks_failed(doing: &'static str, device: &Path) -> impl FnOnce(io::Error) -> LuksError {
    let object = device.display().to_string();
    move |why| LuksError::Failed {
        doing,
        object,
        why: why.to_string(),
    }
}

fn mount_failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MountError {
    let path = path.to_owned();
    move |source| MountError::Failed {
        doing,
        path,
        source,
    }
}

fn read_failed(device: &Path) -> impl FnOnce(io::Error) -> FilesystemError {
    let device = device.to_owned();
    move |source| FilesystemError::Read { device, source }
}

fn inspect_failed(source: io::Error) -> InspectError {
    InspectError::Read {
        path: "/sys".into(),
        source,
    }
}

fn open_failed(path: &Path) -> impl FnOnce(io::Error) -> ConsentError {
    let path = path.to_owned();
    move |source| ConsentError::Open { path, source }
}

impl Disks for FakeDisks {
    fn observe(&self, expected: &Expected<'_>) -> Result<DriveState, StateError> {
        let refused = |source| inspect_failed(source).into();
        self.0
            .faults
            .look("observe", refused, || Ok(self.state(expected)))
    }

    fn list(&self) -> Result<Vec<BlockDevice>, InspectError> {
        self.0
            .faults
            .look("list", inspect_failed, || Ok(self.0.devices()))
    }

    fn device(&self, id: &str) -> Result<BlockDevice, InspectError> {
        self.0.faults.look("device", inspect_failed, || {
            let mut devices = self.0.devices().into_iter();
            devices
                .find(|device| device.path == Path::new(id))
                .ok_or_else(|| InspectError::NotFound { id: id.to_owned() })
        })
    }

    fn limits(&self) -> Result<Limits, LuksError> {
        let refused = luks_failed("measure", Path::new("the machine"));
        let limits = || Ok(Limits::for_machine(1 << 20, 4));
        self.0.faults.look("limits", refused, limits)
    }

    fn memory_available_kib(&self) -> Result<u64, LuksError> {
        let refused = luks_failed("measure", Path::new("the memory"));
        self.0.faults.look("memory", refused, || Ok(1 << 20))
    }

    fn cipher(&self) -> Cipher {
        Cipher::AesXts
    }

    fn header(&self, device: &Path) -> Result<Info, LuksError> {
        let refused = luks_failed("read the header of", device);
        self.0.faults.look("header", refused, || {
            let luks = self.luks(device)?;
            let keyslots = (0..).zip(&luks.passphrases).map(|(number, _)| Keyslot {
                number,
                kdf: "argon2id".into(),
                memory_kib: 1024,
                iterations: 4,
                parallel: 1,
            });
            Ok(Info {
                device: device.to_owned(),
                version: 2,
                uuid: luks.uuid,
                label: Some(LABEL.into()),
                subsystem: Some(if luks.finished { FINISHED } else { UNFINISHED }.into()),
                cipher: "aes-xts-plain64".into(),
                key_bits: 512,
                sector_size: 4096,
                keyslots: keyslots.collect(),
            })
        })
    }

    fn hold(&self, device: &BlockDevice) -> Result<Consented, ConsentError> {
        self.0.faults.look("hold", open_failed(&device.path), || {
            Consented::to_image(&device.path)
        })
    }

    fn mapping(&self, consented: &Consented, node: &Path) -> Result<Consented, ConsentError> {
        self.0.faults.look("mapping", open_failed(node), || {
            consented.check()?;
            Consented::to_image(node)
        })
    }

    fn format(
        &self,
        consented: &Consented,
        _how: &Format,
        passphrase: &SecretSlice<u8>,
        others: &[&SecretSlice<u8>],
    ) -> Result<Uuid, LuksError> {
        let device = consented.path();
        let refused = luks_failed("format", device);
        self.0.faults.change("format", refused, || {
            consented.check()?;
            assert_eq!(self.0.stack.borrow().mapped, None, "formatted while open");
            let uuid = Uuid::new_v4();
            // It keeps its length, as a disk does.
            let mut bytes = fs::read(device).map_err(luks_failed("read", device))?;
            bytes[..16].copy_from_slice(uuid.as_bytes());
            fs::write(device, bytes).map_err(luks_failed("write", device))?;
            let all = [passphrase].into_iter().chain(others.iter().copied());
            let passphrases = all.map(|one| one.expose_secret().to_vec()).collect();
            self.on(device, |disk| {
                disk.luks = Some(Luks {
                    uuid,
                    passphrases,
                    finished: false,
                });
                disk.filesystem = None;
                disk.database = None;
            });
            Ok(uuid)
        })
    }

    fn mark_finished(&self, device: &Path) -> Result<(), LuksError> {
        let refused = luks_failed("mark", device);
        self.0.faults.change("mark_finished", refused, || {
            self.luks(device)?;
            self.on(device, |disk| {
                disk.luks.as_mut().map(|luks| luks.finished = true)
            });
            Ok(())
        })
    }

    fn activate(
        &self,
        device: &Path,
        mapper: &str,
        passphrase: &SecretSlice<u8>,
    ) -> Result<(), LuksError> {
        let refused = luks_failed("open", device);
        self.0.faults.change("activate", refused, || {
            let given = passphrase.expose_secret();
            let luks = self.luks(device)?;
            if !luks.passphrases.iter().any(|one| one == given) {
                return Err(LuksError::WrongPassphrase {
                    device: device.to_owned(),
                });
            }
            let mut stack = self.0.stack.borrow_mut();
            if stack.mapped.is_some() {
                return Err(LuksError::InUse {
                    what: mapper.to_owned(),
                });
            }
            stack.mapped = self.0.name_of(device);
            fs::write(self.0.mapper_node(), b"plain").map_err(luks_failed("open", device))
        })
    }

    fn deactivate(&self, mapper: &str) -> Result<(), LuksError> {
        let refused = luks_failed("close", Path::new(mapper));
        self.0.faults.change("deactivate", refused, || {
            let mut stack = self.0.stack.borrow_mut();
            if stack.mounted.is_some() {
                return Err(LuksError::InUse {
                    what: mapper.to_owned(),
                });
            }
            if stack.mapped.take().is_none() {
                return Err(LuksError::NotActive {
                    mapper: mapper.to_owned(),
                });
            }
            let node = self.0.mapper_node();
            fs::remove_file(&node).map_err(luks_failed("close", &node))
        })
    }

    fn header_backup(&self, device: &Path, file: &Path) -> Result<(), LuksError> {
        let refused = luks_failed("copy the header of", device);
        self.0.faults.change("header_backup", refused, || {
            let uuid = self.luks(device)?.uuid;
            fs::write(file, uuid.to_string()).map_err(luks_failed("write", file))
        })
    }

    fn header_restore(
        &self,
        _consented: &Consented,
        _file: &Path,
        _overwrite: Overwrite,
    ) -> Result<(), LuksError> {
        unimplemented!("no test puts a header back")
    }

    fn mapper_node(&self, _mapper: &str) -> PathBuf {
        self.0.mapper_node()
    }

    fn make_filesystem(&self, consented: &Consented) -> Result<Uuid, FilesystemError> {
        let node = consented.path();
        let refused = read_failed(node);
        self.0.faults.change("make_filesystem", refused, || {
            consented.check()?;
            let uuid = Uuid::new_v4();
            let name = self.under(node);
            assert_eq!(self.0.stack.borrow().mounted, None, "made while mounted");
            self.0.with_disk(&name, |disk| {
                let _ = fs::remove_dir_all(&disk.files);
                fs::create_dir(&disk.files).map_err(read_failed(node))?;
                disk.filesystem = Some(uuid);
                disk.database = None;
                Ok(uuid)
            })
        })
    }

    fn superblock(&self, node: &Path) -> Result<Superblock, FilesystemError> {
        let refused = read_failed(node);
        self.0.faults.look("superblock", refused, || {
            let name = self.under(node);
            let uuid = self.0.with_disk(&name, |disk| disk.filesystem);
            let uuid = uuid.ok_or_else(|| FilesystemError::NotExt4 {
                device: node.to_owned(),
                holds: "nothing".into(),
            })?;
            Ok(Superblock {
                uuid,
                label: LABEL.into(),
                clean: true,
                errors: false,
                journal_to_replay: false,
                mounts: 1,
                mounts_limit: None,
                checked: 0,
                interval: None,
            })
        })
    }

    fn check_filesystem(&self, _node: &Path, _repair: Repair) -> Result<Check, FilesystemError> {
        Ok(Check {
            outcome: Outcome::Clean,
            output: String::new(),
        })
    }

    fn prepare_mount_point(&self, at: &Path) -> Result<Guard, MountError> {
        let refused = mount_failed("prepare", at);
        self.0.faults.change("prepare_mount_point", refused, || {
            fs::create_dir_all(at).map_err(mount_failed("prepare", at))?;
            if let Some(first) = fs::read_dir(at).ok().and_then(|mut all| all.next()) {
                return Err(MountError::NotEmpty {
                    path: at.to_owned(),
                    first: format!("{first:?}"),
                });
            }
            Ok(Guard::Unsupported {
                why: "it is a folder of a test".into(),
            })
        })
    }

    fn mount(&self, node: &Path, at: &Path) -> Result<(), MountError> {
        self.0
            .faults
            .change("mount", mount_failed("mount", node), || {
                let name = self.under(node);
                let (files, uuid) = self
                    .0
                    .with_disk(&name, |disk| (disk.files.clone(), disk.uuid()));
                // The empty mount point makes way.
                fs::rename(files, at).map_err(mount_failed("mount", at))?;
                self.0.stack.borrow_mut().mounted = Some(name);
                self.0.announce_mount(uuid, ActiveState::Active);
                Ok(())
            })
    }

    fn unmount(&self, at: &Path) -> Result<(), MountError> {
        self.0
            .faults
            .change("unmount", mount_failed("unmount", at), || {
                let services = &self.0.settings.services;
                let busy = services.units.iter().any(|unit| self.0.is_active(unit));
                if busy {
                    return Err(MountError::Busy {
                        path: at.to_owned(),
                    });
                }
                let Some(name) = self.0.stack.borrow_mut().mounted.take() else {
                    return Ok(());
                };
                let (files, uuid) = self
                    .0
                    .with_disk(&name, |disk| (disk.files.clone(), disk.uuid()));
                fs::rename(at, files).map_err(mount_failed("unmount", at))?;
                fs::create_dir(at).map_err(mount_failed("unmount", at))?;
                self.0.announce_mount(uuid, ActiveState::Inactive);
                Ok(())
            })
    }

    fn detach(&self, at: &Path, mapper: &str) -> Result<Detached, MountError> {
        let unmounted = self.0.stack.borrow().mounted.is_some();
        self.unmount(at)?;
        let unmapped = self.0.stack.borrow().mapped.is_some();
        if unmapped {
            self.deactivate(mapper)?;
        }
        Ok(Detached {
            unmounted,
            unmapped,
            leftover: false,
        })
    }

    fn holders(&self, _below: &Path) -> Result<Vec<Holder>, HoldersError> {
        Ok(Vec::new())
    }

    fn usage(&self, path: &Path) -> Result<Usage, UsageError> {
        usage(path)
    }

    fn filesystem_of(&self, path: &Path) -> io::Result<u64> {
        self.0.faults.look(
            "filesystem_of",
            |error| error,
            || {
                fs::metadata(path)?;
                let on_drive = self.0.stack.borrow().mounted.is_some()
                    && path.starts_with(fs::canonicalize(&self.0.paths.mount_point)?);
                let others = path.starts_with(std::env::temp_dir());
                Ok(if on_drive {
                    1
                } else if others {
                    2
                } else {
                    3
                })
            },
        )
    }
}
