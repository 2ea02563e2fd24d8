//! How far along the drive is, from absent to mounted.

use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::System;
use crate::find::{FindError, Found, KnownDrive, Wanted, choose};
use crate::inspect::{BlockDevice, Content, InspectError, Sample, Use, flat, list, sample};
use crate::mount::{Mapping, MountError, Mounted, mapping, mounted_at, number_alive};

/// What the settings and the memory of this machine say about the drive.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Name under `/dev/mapper`.
    pub mapper: &'a str,
    /// Mount point.
    pub mount_point: &'a Path,
    /// UUID remembered from the first use.
    pub remembered: Option<Uuid>,
    /// Drive named by the person.
    pub wanted: Option<&'a Wanted>,
    /// What the machine remembers of its drives.
    pub known: &'a [KnownDrive],
}

/// State of the drive. Every one is a state to start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum DriveState {
    /// No drive can be used; why says which of the reasons it is.
    Absent(FindError),
    /// Attached, locked.
    Locked(Found),
    /// Opened (or not encrypted), not mounted.
    Unlocked {
        /// The drive.
        found: Found,
        /// What to mount: `/dev/mapper/<mapper>`, or the device itself if not encrypted.
        node: PathBuf,
    },
    /// Mounted.
    Mounted {
        /// The drive.
        found: Found,
        /// The mount.
        mount: Mounted,
    },
    /// Pulled out while opened or mounted; [`crate::mount::detach`] clears it up.
    Gone {
        /// The mount left over, if any.
        mount: Option<Mounted>,
        /// The mapping left over, if any.
        mapper: Option<String>,
    },
    /// Something else stands in the way: another file system at the mount point, or another
    /// device under the mapper name.
    Occupied {
        /// What it is, in words.
        by: String,
    },
}

impl DriveState {
    /// One word for it: absent, locked, unlocked, mounted, gone, occupied.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent(_) => "absent",
            Self::Locked(_) => "locked",
            Self::Unlocked { .. } => "unlocked",
            Self::Mounted { .. } => "mounted",
            Self::Gone { .. } => "gone",
            Self::Occupied { .. } => "occupied",
        }
    }
}

/// The state could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Block devices could not be read.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The mount table could not be read.
    #[error(transparent)]
    Mount(#[from] MountError),
}

/// Observes the state. Changes nothing. A disk is called blank only after a [`sample`] of it,
/// which takes a few seconds on a hard disk.
///
/// # Errors
/// When sysfs or the mount table cannot be read.
pub fn observe(system: &System, expected: &Expected<'_>) -> Result<DriveState, StateError> {
    let wanted = expected.wanted.cloned().map(Wanted::resolved);
    let expected = &Expected {
        wanted: wanted.as_ref(),
        ..expected.clone()
    };
    let devices = list(system)?;
    let mount = mounted_at(system, expected.mount_point)?;
    let facts = Facts {
        // Major 0 is a file system without a disk, such as tmpfs.
        mount_alive: mount
            .as_ref()
            .is_some_and(|mount| mount.number.0 == 0 || number_alive(system, mount.number)),
        mapping: mapping(system, expected.mapper),
        node: system.dev.join("mapper").join(expected.mapper),
        devices,
        mount,
    };
    Ok(match decide(facts, expected) {
        DriveState::Absent(FindError::Blank { device }) => DriveState::Absent(looked_into(device)),
        state => state,
    })
}

/// What a disk without a signature is.
fn looked_into(device: PathBuf) -> FindError {
    match sample(&device).map(|sampled| sampled.sample) {
        Ok(Sample::Blank) => FindError::Blank { device },
        Ok(sample) => FindError::Unrecognised { device, sample },
        Err(error) => FindError::NotADrive {
            device,
            holds: Content::Unreadable {
                why: error.to_string(),
            }
            .in_words(),
        },
    }
}

/// All that the state is decided from.
struct Facts {
    devices: Vec<BlockDevice>,
    mount: Option<Mounted>,
    /// The device that is mounted is still attached.
    mount_alive: bool,
    mapping: Option<Mapping>,
    /// Where the mapping's node is, or would be.
    node: PathBuf,
}

fn decide(facts: Facts, expected: &Expected<'_>) -> DriveState {
    let Facts {
        devices,
        mount,
        mount_alive,
        mapping,
        node,
    } = facts;
    let gone = |mount: Option<Mounted>| DriveState::Gone {
        mapper: mapping.as_ref().map(|_| expected.mapper.to_owned()),
        mount,
    };
    if let Some(mount) = mount {
        if !mount_alive {
            return gone(Some(mount));
        }
        let over_mapping = mapping
            .as_ref()
            .is_some_and(|mapping| mapping.number == mount.number);
        let device = flat(&devices).find(|device| {
            if over_mapping {
                holds_mapping(device, expected.mapper)
            } else {
                device.number == mount.number
            }
        });
        return match drive_on(device, expected) {
            Ok(found) => DriveState::Mounted { found, mount },
            Err(what) => DriveState::Occupied {
                by: format!("{what}, mounted at {}", mount.at.display()),
            },
        };
    }
    if let Some(mapping) = &mapping {
        if !mapping.alive {
            return gone(None);
        }
        let device = flat(&devices).find(|device| holds_mapping(device, expected.mapper));
        return match drive_on(device, expected) {
            Ok(found) => DriveState::Unlocked { found, node },
            Err(what) => DriveState::Occupied {
                by: format!("{what}, opened as {}", expected.mapper),
            },
        };
    }
    match choose(
        &devices,
        expected.remembered,
        expected.wanted,
        expected.known,
    ) {
        Err(error) => DriveState::Absent(error),
        Ok(found) => match found.device.uses.first() {
            Some(Use::Mounted { at }) => DriveState::Occupied {
                by: format!(
                    "{}, mounted at {}",
                    found.device.path.display(),
                    at.display()
                ),
            },
            Some(Use::Held { by, mapper }) => DriveState::Occupied {
                by: format!(
                    "{}, in use by {}",
                    found.device.path.display(),
                    mapper.as_ref().unwrap_or(by)
                ),
            },
            _ if found.encrypted => DriveState::Locked(found),
            _ => DriveState::Unlocked {
                node: found.device.path.clone(),
                found,
            },
        },
    }
}

fn holds_mapping(device: &BlockDevice, mapper: &str) -> bool {
    // The first use only: a mapping on top of another drive's mapping is not ours.
    matches!(
        device.uses.first(),
        Some(Use::Held { mapper: Some(held), .. }) if held == mapper
    )
}

/// The drive in use, if it is the one expected; else what it is, in words.
fn drive_on(device: Option<&BlockDevice>, expected: &Expected<'_>) -> Result<Found, String> {
    let device = device.ok_or("something else")?;
    // What is open or mounted is judged by itself: other drives attached do not matter, nor
    // does a creation under way, which opens and mounts before it is finished.
    let (uuid, encrypted) = match &device.content {
        Content::Luks { uuid, .. } => (Some(*uuid), true),
        Content::FileSystem { uuid, .. } => (
            uuid.as_deref().and_then(|uuid| Uuid::try_parse(uuid).ok()),
            false,
        ),
        _ => (None, false),
    };
    let path = device.path.display();
    let uuid = uuid.ok_or_else(|| format!("{path} with {}", device.content.in_words()))?;
    let named = match expected.wanted {
        None => true,
        Some(Wanted::Uuid(wanted)) => *wanted == uuid,
        Some(Wanted::Path(wanted)) => device.path == *wanted || device.links.contains(wanted),
        Some(Wanted::ById(id)) => device
            .links
            .iter()
            .any(|link| link.ends_with(Path::new("by-id").join(id))),
    };
    let overruled = matches!(expected.wanted, Some(Wanted::Uuid(_)));
    let known = overruled || expected.remembered.is_none_or(|expected| expected == uuid);
    if !(named && known) {
        return Err(format!("another drive ({path}, UUID {uuid})"));
    }
    Ok(Found {
        device: device.clone(),
        uuid,
        encrypted,
    })
}

#[cfg(test)]
mod tests;
