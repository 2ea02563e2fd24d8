//! May a device be overwritten? Decided over facts alone.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{BlockDevice, Content, Kind, Transport, Use};

/// Smallest device that a drive is made on, in bytes.
pub const MINIMUM_SIZE: u64 = 512 << 20;

/// Why a device must not be overwritten, whatever the person says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Refusal {
    /// The running system lives on it.
    #[error("{device} holds the running system ({what})")]
    RunningSystem {
        /// The device.
        device: PathBuf,
        /// Mount points and swap on it.
        what: String,
    },
    /// It, or a partition of it, is mounted.
    #[error("{device} is mounted at {at}")]
    Mounted {
        /// The device.
        device: PathBuf,
        /// Mount point.
        at: PathBuf,
    },
    /// Held by a mapping or a RAID.
    #[error("{device} is in use by {by}")]
    InUse {
        /// The device.
        device: PathBuf,
        /// Holder's name.
        by: String,
    },
    /// The kernel refuses to write to it.
    #[error("{device} is read-only")]
    ReadOnly {
        /// The device.
        device: PathBuf,
    },
    /// Smaller than [`MINIMUM_SIZE`].
    #[error("{device} is too small: {size} bytes, at least {minimum} are needed")]
    TooSmall {
        /// The device.
        device: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// [`MINIMUM_SIZE`].
        minimum: u64,
    },
    /// Its content could not be read, so nobody knows what would be lost.
    #[error("{device} cannot be read: {why}")]
    Unreadable {
        /// The device.
        device: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a person should know before a device is overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Note {
    /// A partition: the rest of the disk stays as it is.
    Partition {
        /// Kernel name of the disk.
        disk: String,
    },
    /// A whole disk: these partitions would go with it.
    Partitions {
        /// Their paths.
        paths: Vec<PathBuf>,
    },
    /// Something is on it.
    HasContent,
    /// Attached inside the machine rather than by USB.
    Internal,
}

/// Why `device` must not be overwritten; `None` when it may be.
pub fn refusal(device: &BlockDevice) -> Option<Refusal> {
    let path = || device.path.clone();
    let uses = || {
        std::iter::once(device)
            .chain(&device.partitions)
            .flat_map(|part| &part.uses)
    };
    let system: Vec<String> = uses().filter_map(of_the_system).collect();
    if !system.is_empty() {
        return Some(Refusal::RunningSystem {
            device: path(),
            what: system.join(", "),
        });
    }
    let mounted = uses().find_map(|used| match used {
        Use::Mounted { at } => Some(at.clone()),
        _ => None,
    });
    if let Some(at) = mounted {
        return Some(Refusal::Mounted { device: path(), at });
    }
    let held = uses().find_map(|used| match used {
        Use::Held { by, mapper } => Some(mapper.as_ref().unwrap_or(by).clone()),
        _ => None,
    });
    if let Some(by) = held {
        return Some(Refusal::InUse { device: path(), by });
    }
    if device.read_only {
        return Some(Refusal::ReadOnly { device: path() });
    }
    if let Content::Unreadable { why } = &device.content {
        return Some(Refusal::Unreadable {
            device: path(),
            why: why.clone(),
        });
    }
    (device.size < MINIMUM_SIZE).then(|| Refusal::TooSmall {
        device: path(),
        size: device.size,
        minimum: MINIMUM_SIZE,
    })
}

/// Does the running system live on this device, directly or through a mapping?
pub(crate) fn holds_the_system(device: &BlockDevice) -> bool {
    device.uses.iter().any(|used| of_the_system(used).is_some())
}

fn of_the_system(used: &Use) -> Option<String> {
    const FOLDERS: [&str; 6] = ["/boot", "/efi", "/nix", "/usr", "/var", "/etc"];
    match used {
        Use::Swap => Some("swap".to_owned()),
        Use::Mounted { at } => {
            let system =
                at == Path::new("/") || FOLDERS.iter().any(|folder| at.starts_with(folder));
            system.then(|| at.display().to_string())
        }
        Use::Held { .. } => None,
    }
}

/// What a person should know before `device` is overwritten.
pub fn notes(device: &BlockDevice) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Kind::Partition { disk, .. } = &device.kind {
        notes.push(Note::Partition { disk: disk.clone() });
    }
    if !device.partitions.is_empty() {
        notes.push(Note::Partitions {
            paths: device
                .partitions
                .iter()
                .map(|part| part.path.clone())
                .collect(),
        });
    }
    if device.content != Content::Empty {
        notes.push(Note::HasContent);
    }
    if !matches!(device.transport, Transport::Usb | Transport::Mmc) && !device.removable {
        notes.push(Note::Internal);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::tests::{disk, partition};

    fn mounted(at: &str) -> Use {
        Use::Mounted { at: at.into() }
    }

    #[test]
    fn a_free_usb_disk_may_be_overwritten() {
        let device = disk("sda");
        assert_eq!(refusal(&device), None);
        assert_eq!(notes(&device), []);
    }

    #[test]
    fn a_disk_whose_partition_carries_the_system_is_refused() {
        for at in ["/", "/boot/firmware", "/nix/store", "/var"] {
            let mut device = disk("sda");
            device.partitions = vec![partition("sda", 1)];
            device.partitions[0].uses = vec![mounted(at)];
            let refused = refusal(&device);
            assert!(
                matches!(&refused, Some(Refusal::RunningSystem { what, .. }) if what == at),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn swap_counts_as_the_running_system() {
        let mut device = disk("sda");
        device.uses = vec![Use::Swap];
        assert!(matches!(
            refusal(&device),
            Some(Refusal::RunningSystem { .. })
        ));
    }

    #[test]
    fn a_root_inside_a_mapping_is_found() {
        let mut device = disk("nvme0n1");
        device.uses = vec![
            Use::Held {
                by: "dm-0".into(),
                mapper: Some("cryptroot".into()),
            },
            mounted("/"),
        ];
        assert!(matches!(
            refusal(&device),
            Some(Refusal::RunningSystem { .. })
        ));
        assert!(holds_the_system(&device));
    }

    #[test]
    fn a_mounted_disk_is_refused_with_its_mount_point() {
        let mut device = disk("sda");
        device.uses = vec![mounted("/media/holiday")];
        assert_eq!(
            refusal(&device),
            Some(Refusal::Mounted {
                device: "/dev/sda".into(),
                at: "/media/holiday".into()
            })
        );
    }

    #[test]
    fn an_open_drive_is_refused_by_its_mapper_name() {
        let mut device = disk("sda");
        device.uses = vec![Use::Held {
            by: "dm-0".into(),
            mapper: Some("immich_drive".into()),
        }];
        let refused = refusal(&device);
        assert!(
            matches!(&refused, Some(Refusal::InUse { by, .. }) if by == "immich_drive"),
            "{refused:?}"
        );
    }

    #[test]
    fn read_only_too_small_and_unreadable_disks_are_refused() {
        let mut device = disk("sda");
        device.read_only = true;
        assert!(matches!(refusal(&device), Some(Refusal::ReadOnly { .. })));

        let mut device = disk("sda");
        device.size = MINIMUM_SIZE - 1;
        assert!(matches!(refusal(&device), Some(Refusal::TooSmall { .. })));

        let mut device = disk("sda");
        device.content = Content::Unreadable {
            why: "Input/output error".into(),
        };
        assert!(matches!(refusal(&device), Some(Refusal::Unreadable { .. })));
    }

    #[test]
    fn what_would_be_lost_is_told() {
        let mut device = disk("sda");
        device.content = Content::PartitionTable { kind: "gpt".into() };
        device.partitions = vec![partition("sda", 1)];
        device.transport = Transport::Sata;
        assert_eq!(
            notes(&device),
            [
                Note::Partitions {
                    paths: vec!["/dev/sda1".into()]
                },
                Note::HasContent,
                Note::Internal
            ]
        );
        assert_eq!(
            notes(&partition("sda", 1)),
            [Note::Partition { disk: "sda".into() }]
        );
    }
}
