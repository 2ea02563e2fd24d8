//! May a device be erased? Decided here alone, over what was seen of it.

use std::path::PathBuf;

use serde::Serialize;

use crate::{Device, Use};

/// Why a device must not be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Refusal {
    /// The running system lives on it.
    #[error("{} holds the running system ({what})", device.display())]
    RunningSystem {
        /// The device.
        device: PathBuf,
        /// Mount points and swap on it.
        what: String,
    },
    /// It, or a partition of it, is mounted.
    #[error("{} is mounted at {}", device.display(), at.display())]
    Mounted {
        /// The device.
        device: PathBuf,
        /// Mount point.
        at: PathBuf,
    },
    /// Held by a mapping or a RAID.
    #[error("{} is in use by {by}", device.display())]
    InUse {
        /// The device.
        device: PathBuf,
        /// Holder's name.
        by: String,
    },
    /// The kernel refuses to write to it.
    #[error("{} is read-only", device.display())]
    ReadOnly {
        /// The device.
        device: PathBuf,
    },
    /// Smaller than it must be.
    #[error("{} is too small: it has {size} bytes, at least {minimum} are needed", device.display())]
    TooSmall {
        /// The device.
        device: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// What it must have, in bytes.
        minimum: u64,
    },
    /// Its content could not be read, so nobody knows what would be lost.
    #[error("{} cannot be read: {why}", device.display())]
    Unreadable {
        /// The device.
        device: PathBuf,
        /// Why.
        why: String,
    },
    /// It is built in: most likely not what was meant. The one refusal that a person can lift.
    #[error("{} cannot be taken out of this computer", device.display())]
    NotRemovable {
        /// The device.
        device: PathBuf,
    },
}

/// What a device must be, to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand<'a> {
    /// Smallest size in bytes.
    pub size: u64,
    /// What is asked of a disk that is built in.
    pub built_in: BuiltIn<'a>,
}

/// May a disk be erased that cannot be taken out of the computer?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn<'a> {
    /// As any other.
    Allowed,
    /// Only the one whose kernel name a person typed, if any was.
    Named(Option<&'a str>),
}

/// Why `device` must not be erased; `None` when it may be. The system's disk, and one that anybody
/// uses, is refused whatever the demand.
pub fn refusal<C>(device: &Device<C>, demand: Demand<'_>) -> Option<Refusal> {
    let path = || device.path.clone();
    let system: Vec<String> = device.all_uses().filter_map(Use::of_the_system).collect();
    if !system.is_empty() {
        return Some(Refusal::RunningSystem {
            device: path(),
            what: system.join(", "),
        });
    }
    // Where it is mounted says more than what holds it in between.
    let mounted = device.all_uses().find_map(|used| match used {
        Use::Mounted { at } => Some(Refusal::Mounted {
            device: path(),
            at: at.clone(),
        }),
        _ => None,
    });
    let held = || {
        device.all_uses().find_map(|used| match used {
            Use::Held { by, mapper } => Some(Refusal::InUse {
                device: path(),
                by: mapper.as_ref().unwrap_or(by).clone(),
            }),
            _ => None,
        })
    };
    if let Some(used) = mounted.or_else(held) {
        return Some(used);
    }
    if device.read_only {
        return Some(Refusal::ReadOnly { device: path() });
    }
    if device.size < demand.size {
        return Some(Refusal::TooSmall {
            device: path(),
            size: device.size,
            minimum: demand.size,
        });
    }
    match demand.built_in {
        BuiltIn::Named(name) if !device.removable && name != Some(&device.name) => {
            Some(Refusal::NotRemovable { device: path() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{disk, partition};

    const ANY: Demand<'_> = Demand {
        size: 0,
        built_in: BuiltIn::Allowed,
    };

    fn mounted(at: &str) -> Use {
        Use::Mounted { at: at.into() }
    }

    fn held(by: &str, mapper: Option<&str>) -> Use {
        Use::Held {
            by: by.into(),
            mapper: mapper.map(Into::into),
        }
    }

    #[test]
    fn a_free_usb_disk_may_be_erased() {
        assert_eq!(refusal(&disk("sda"), ANY), None);
    }

    #[test]
    fn the_disk_of_the_running_system_is_refused_whatever_is_typed() {
        for at in [
            "/",
            "/boot/firmware",
            "/boot/efi",
            "/efi",
            "/nix/store",
            "/usr",
            "/var/lib",
            "/etc",
            "/home",
            "/home/anna",
            "/opt",
            "/root",
        ] {
            let mut device = disk("sda");
            device.partitions = vec![partition("sda", 1), partition("sda", 2)];
            device.partitions[1].uses = vec![mounted(at)];
            assert!(device.holds_the_system(), "{at}");
            for built_in in [BuiltIn::Allowed, BuiltIn::Named(Some("sda"))] {
                let refused = refusal(&device, Demand { size: 0, built_in });
                assert!(
                    matches!(&refused, Some(Refusal::RunningSystem { what, .. }) if what == at),
                    "{at}: {refused:?}"
                );
            }
        }
    }

    #[test]
    fn swap_and_a_root_inside_a_mapping_count_as_the_running_system() {
        for uses in [
            vec![Use::Swap],
            vec![held("dm-0", Some("cryptroot")), mounted("/")],
        ] {
            let mut device = disk("nvme0n1");
            device.uses = uses;
            assert!(device.holds_the_system());
            let refused = refusal(&device, ANY);
            assert!(matches!(refused, Some(Refusal::RunningSystem { .. })));
        }
    }

    #[test]
    fn a_disk_in_use_is_refused_with_the_name_of_what_uses_it() {
        let device = |uses| Device {
            uses,
            ..disk("sda")
        };
        for (uses, said) in [
            (
                vec![mounted("/media/holiday")],
                "/dev/sda is mounted at /media/holiday",
            ),
            (
                vec![held("dm-0", Some("immich_drive")), mounted("/mnt/x")],
                "/dev/sda is mounted at /mnt/x",
            ),
            (
                vec![held("dm-0", Some("immich_drive"))],
                "/dev/sda is in use by immich_drive",
            ),
            (vec![held("md0", None)], "/dev/sda is in use by md0"),
        ] {
            let refused = refusal(&device(uses), ANY).unwrap();
            assert_eq!(refused.to_string(), said);
            assert!(!device(Vec::new()).holds_the_system());
        }
    }

    #[test]
    fn a_read_only_or_too_small_disk_is_refused() {
        let mut device = disk("sda");
        let exact = Demand {
            size: device.size,
            ..ANY
        };
        assert_eq!(refusal(&device, exact), None);
        device.size -= 1;
        let refused = refusal(&device, exact);
        assert!(matches!(refused, Some(Refusal::TooSmall { .. })));
        device.read_only = true;
        let refused = refusal(&device, exact);
        assert!(matches!(refused, Some(Refusal::ReadOnly { .. })));
    }

    #[test]
    fn a_built_in_disk_is_refused_until_its_name_is_typed() {
        let device = Device {
            removable: false,
            ..disk("sda")
        };
        let typed = |name| {
            let built_in = BuiltIn::Named(name);
            refusal(&device, Demand { size: 0, built_in })
        };
        for other in [None, Some(""), Some("sdb"), Some("/dev/sda")] {
            let refused = typed(other);
            assert!(
                matches!(refused, Some(Refusal::NotRemovable { .. })),
                "{other:?}"
            );
        }
        assert_eq!(typed(Some("sda")), None);
        assert_eq!(refusal(&device, ANY), None);
    }
}
