//! Who uses a block device: mounts, swap, and whatever is stacked on top.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::sysfs::text;
use super::{InspectError, Use};
use crate::System;
use crate::mount::{Mounted, table};

/// How deep stacked devices are followed; LVM on LUKS on RAID is three.
const DEPTH: u32 = 8;

/// All mounts and swap areas of the machine.
pub(super) struct Users {
    mounts: Vec<Mounted>,
    swaps: Vec<PathBuf>,
}

impl Users {
    pub(super) fn read(system: &System) -> Result<Self, InspectError> {
        let mounts = table::read(system).map_err(|error| InspectError::MountTable {
            path: system.proc.join("self/mountinfo"),
            why: error.to_string(),
        })?;
        let path = system.proc.join("swaps");
        let swaps = match fs::read(&path) {
            Ok(text) => swaps(&text),
            // A kernel without swap has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(InspectError::Read { path, source }),
        };
        let swaps = swaps
            .into_iter()
            .map(|swap| fs::canonicalize(&swap).unwrap_or(swap))
            .collect();
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
            // btrfs reports a number of its own, so the source counts too.
            let here = mount.number == number
                || mount.source == path
                || (mount.source.is_absolute()
                    && fs::canonicalize(&mount.source).is_ok_and(|source| source == path));
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
        let mut holders: Vec<String> = fs::read_dir(folder.join("holders"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        holders.sort();
        for by in holders {
            let folder = system.sys.join("block").join(&by);
            let mapper = text(&folder.join("dm/name"));
            let path = system.dev.join(&by);
            let number = text(&folder.join("dev")).and_then(|text| {
                let (major, minor) = text.split_once(':')?;
                Some((major.parse().ok()?, minor.parse().ok()?))
            });
            uses.push(Use::Held { by, mapper });
            if let Some(number) = number {
                self.collect(system, number, &path, &folder, depth - 1, uses);
            }
        }
    }
}

/// First column of `/proc/swaps`, below its heading.
fn swaps(text: &[u8]) -> Vec<PathBuf> {
    text.split(|&byte| byte == b'\n')
        .skip(1)
        .filter_map(|line| line.split(|&byte| byte == b' ' || byte == b'\t').next())
        .filter(|field| !field.is_empty())
        .map(table::path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_areas_are_read() {
        let text = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
            /dev/sda2                               partition\t999420\t\t0\t\t-2\n\
            /swap\\040file                           file\t\t8\t\t0\t\t-3\n";
        let swaps = swaps(text);
        assert_eq!(
            swaps,
            [PathBuf::from("/dev/sda2"), PathBuf::from("/swap file")]
        );
    }
}
