//! Who uses a block device: mounts, swap, and whatever is stacked on top.

use std::fs;
use std::path::{Path, PathBuf};

use crate::mounts::{mounts, swaps};
use crate::sysfs::{names, number_of, text};
use crate::{InspectError, Mounted, System, Use};

/// How deep stacked devices are followed; LVM on LUKS on RAID is three.
const DEPTH: u32 = 8;

/// All mounts and swap areas of the machine.
pub(super) struct Users {
    mounts: Vec<Mounted>,
    swaps: Vec<PathBuf>,
}

impl Users {
    pub(super) fn read(system: &System) -> Result<Self, InspectError> {
        let real = |path: PathBuf| fs::canonicalize(&path).unwrap_or(path);
        let mut mounts = mounts(system)?;
        for mount in &mut mounts {
            // btrfs reports a number of its own, so the source counts too.
            if mount.source.is_absolute() {
                mount.source = real(std::mem::take(&mut mount.source));
            }
        }
        let swaps = swaps(system)?.into_iter().map(real).collect();
        Ok(Self { mounts, swaps })
    }

    /// Uses of one device and of everything stacked on it.
    pub(super) fn of(
        &self,
        system: &System,
        number: (u32, u32),
        path: &Path,
        folder: &Path,
    ) -> Vec<Use> {
        let mut uses = Vec::new();
        self.collect(system, number, path, folder, DEPTH, &mut uses);
        uses
    }

    fn collect(
        &self,
        system: &System,
        number: (u32, u32),
        path: &Path,
        folder: &Path,
        depth: u32,
        uses: &mut Vec<Use>,
    ) {
        for mount in &self.mounts {
            let here = mount.number == number || mount.source == path;
            let used = Use::Mounted {
                at: mount.at.clone(),
            };
            if here && !uses.contains(&used) {
                uses.push(used);
            }
        }
        if self.swaps.iter().any(|swap| swap == path) {
            uses.push(Use::Swap);
        }
        if depth == 0 {
            return;
        }
        for by in names(&folder.join("holders")).unwrap_or_default() {
            let folder = system.sys.join("block").join(&by);
            let mapper = text(&folder.join("dm/name"));
            let path = system.dev.join(&by);
            let number = number_of(&folder);
            uses.push(Use::Held { by, mapper });
            if let Some(number) = number {
                self.collect(system, number, &path, &folder, depth - 1, uses);
            }
        }
    }
}
