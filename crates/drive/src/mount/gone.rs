//! A drive that was pulled out: seeing it, and clearing up after it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sys_mount::UnmountFlags;

use super::{MountError, take_down};
use crate::System;
use crate::luks::{self, LuksError, Removal};

/// What [`detach`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Detached {
    /// The file system was taken out of the tree.
    pub unmounted: bool,
    /// The mapping was taken down.
    pub unmapped: bool,
    /// The mapping is still there, because somebody holds files; it goes with the last of them.
    pub leftover: bool,
}

/// A mapping as sysfs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Major and minor number.
    pub(crate) number: (u32, u32),
    /// The disks beneath are still attached.
    pub(crate) alive: bool,
}

/// The mapping `/dev/mapper/<mapper>`, if there is one.
pub(crate) fn mapping(system: &System, mapper: &str) -> Option<Mapping> {
    let folder = fs::read_dir(system.sys.join("block"))
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|folder| text(&folder.join("dm/name")).as_deref() == Some(mapper))?;
    let dev = text(&folder.join("dev"))?;
    let (major, minor) = dev.split_once(':')?;
    Some(Mapping {
        number: (major.parse().ok()?, minor.parse().ok()?),
        alive: alive(&folder, DEPTH),
    })
}

/// Is the disk still attached on which the mapping `/dev/mapper/<mapper>` lies? `None` if there is
/// no such mapping.
pub fn device_alive(system: &System, mapper: &str) -> Option<bool> {
    mapping(system, mapper).map(|mapping| mapping.alive)
}

/// Is the block device of that number, and every disk beneath it, still attached?
pub(crate) fn number_alive(system: &System, number: (u32, u32)) -> bool {
    let link = system
        .sys
        .join("dev/block")
        .join(format!("{}:{}", number.0, number.1));
    fs::canonicalize(link).is_ok_and(|folder| alive(&folder, DEPTH))
}

/// How deep stacked devices are followed.
const DEPTH: u32 = 8;

/// When a disk is pulled out the kernel removes its folder at once; the link to it from a mapping
/// stays, and leads nowhere.
fn alive(folder: &Path, depth: u32) -> bool {
    let Ok(folder) = fs::canonicalize(folder) else {
        return false;
    };
    if folder.join("dm").exists() {
        let beneath: Vec<PathBuf> = fs::read_dir(folder.join("slaves"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        return depth > 0
            && !beneath.is_empty()
            && beneath.iter().all(|disk| alive(disk, depth - 1));
    }
    // A partition has no `device`; its disk, one level up, has.
    let state =
        text(&folder.join("device/state")).or_else(|| text(&folder.join("../device/state")));
    // A SCSI or NVMe disk that gave up, as a USB disk does when its cable fails.
    !state.is_some_and(|state| {
        [
            "offline",
            "transport-offline",
            "cancel",
            "deleted",
            "deleting",
            "dead",
        ]
        .contains(&state.as_str())
    })
}

fn text(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

/// Clears up after a drive that was pulled out: takes the mount out of the tree even if files are
/// open, and the mapping down as soon as nobody holds it, so that the next unlock works. Nothing
/// to clear is done.
///
/// Processes that hold files of the lost drive keep the mapping's name taken
/// ([`Detached::leftover`]): look for [`crate::holders::holders`] before, they cannot be found by
/// path afterwards.
///
/// # Errors
/// When the kernel refuses.
pub fn detach(system: &System, mount_point: &Path, mapper: &str) -> Result<Detached, MountError> {
    let unmounted = take_down(system, mount_point, UnmountFlags::DETACH)?;
    let mut detached = Detached {
        unmounted,
        unmapped: false,
        leftover: false,
    };
    if mapping(system, mapper).is_none() {
        return Ok(detached);
    }
    match luks::deactivate(mapper, Removal::Now) {
        Ok(()) => {}
        Err(LuksError::InUse { .. } | LuksError::Failed { .. }) => {
            luks::deactivate(mapper, Removal::Deferred)?;
        }
        Err(error) => return Err(error.into()),
    }
    detached.leftover = mapping(system, mapper).is_some();
    detached.unmapped = !detached.leftover;
    Ok(detached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    struct Machine(TempDir);

    impl Machine {
        /// A USB disk `sda` with the mapping `immich_drive` on top.
        fn with_open_drive() -> Self {
            let machine = Self(TempDir::new().unwrap());
            machine.write("sys/devices/usb1/sda/dev", "8:0");
            machine.write("sys/devices/usb1/sda/device/state", "running\n");
            machine.write("sys/devices/virtual/dm-0/dev", "254:0");
            machine.write("sys/devices/virtual/dm-0/dm/name", "immich_drive\n");
            machine.write("sys/devices/virtual/dm-0/slaves/.keep", "");
            fs::remove_file(machine.path("sys/devices/virtual/dm-0/slaves/.keep")).unwrap();
            machine.link("../../../usb1/sda", "sys/devices/virtual/dm-0/slaves/sda");
            machine.link("../devices/virtual/dm-0", "sys/block/dm-0");
            machine.link("../../devices/usb1/sda", "sys/dev/block/8:0");
            machine.link("../../devices/virtual/dm-0", "sys/dev/block/254:0");
            machine
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn system(&self) -> System {
            System::under(self.0.path())
        }

        fn write(&self, path: &str, text: &str) {
            fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
            fs::write(self.path(path), text).unwrap();
        }

        fn link(&self, target: &str, path: &str) {
            fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
            symlink(target, self.path(path)).unwrap();
        }
    }

    #[test]
    fn an_attached_drive_is_alive() {
        let machine = Machine::with_open_drive();
        let system = machine.system();
        assert_eq!(device_alive(&system, "immich_drive"), Some(true));
        assert!(number_alive(&system, (254, 0)));
        assert!(number_alive(&system, (8, 0)));
    }

    #[test]
    fn a_drive_pulled_out_is_seen_though_its_mapping_stays() {
        let machine = Machine::with_open_drive();
        fs::remove_dir_all(machine.path("sys/devices/usb1/sda")).unwrap();
        let system = machine.system();
        assert_eq!(device_alive(&system, "immich_drive"), Some(false));
        assert!(!number_alive(&system, (254, 0)));
        assert!(!number_alive(&system, (8, 0)));
    }

    #[test]
    fn a_mapping_with_nothing_beneath_is_dead() {
        let machine = Machine::with_open_drive();
        fs::remove_file(machine.path("sys/devices/virtual/dm-0/slaves/sda")).unwrap();
        assert_eq!(device_alive(&machine.system(), "immich_drive"), Some(false));
    }

    #[test]
    fn a_disk_that_the_kernel_gave_up_is_dead() {
        let machine = Machine::with_open_drive();
        machine.write("sys/devices/usb1/sda/device/state", "offline\n");
        assert_eq!(device_alive(&machine.system(), "immich_drive"), Some(false));
    }

    #[test]
    fn no_mapping_is_neither_alive_nor_dead() {
        let machine = Machine::with_open_drive();
        assert_eq!(device_alive(&machine.system(), "other"), None);
    }

    #[test]
    fn with_nothing_to_clear_detaching_is_done() {
        let machine = Machine::with_open_drive();
        machine.write("proc/self/mountinfo", "");
        let detached = detach(&machine.system(), "/mnt/nowhere".as_ref(), "other").unwrap();
        let nothing = Detached {
            unmounted: false,
            unmapped: false,
            leftover: false,
        };
        assert_eq!(detached, nothing);
    }
}
