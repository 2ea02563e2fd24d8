//! Which of the attached devices is the appliance's drive.

mod known;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

pub use known::{KnownDrive, header_lost};

use crate::inspect::{BlockDevice, Content, Sample, Transport, flat, holds};
use crate::{LABEL, UNFINISHED};

/// A drive named by the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// UUID of the LUKS header, or of the file system of an unencrypted drive. Naming it
    /// overrules the remembered one.
    Uuid(Uuid),
    /// A device path, or a link under `/dev/disk` (others: see [`Wanted::resolved`]).
    Path(PathBuf),
    /// A name under `/dev/disk/by-id`.
    ById(String),
}

impl FromStr for Wanted {
    type Err = std::convert::Infallible;

    /// A UUID (also as `UUID=…`), else an absolute path, else a name under `/dev/disk/by-id`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix("UUID=").unwrap_or(text);
        Ok(if let Ok(uuid) = Uuid::try_parse(bare) {
            Self::Uuid(uuid)
        } else if text.starts_with('/') {
            Self::Path(PathBuf::from(text))
        } else {
            Self::ById(text.to_owned())
        })
    }
}

impl Wanted {
    /// With the links of a path followed, so that any link to the device will do.
    #[must_use]
    pub fn resolved(self) -> Self {
        match self {
            Self::Path(path) => Self::Path(std::fs::canonicalize(&path).unwrap_or(path)),
            other => other,
        }
    }
}

/// The drive that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The device that holds it.
    pub device: BlockDevice,
    /// UUID of the LUKS header, or of the file system if it is not encrypted.
    pub uuid: Uuid,
    /// It has a LUKS header (else it is a plain ext4 file system).
    pub encrypted: bool,
}

/// No drive could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum FindError {
    /// The drive is not attached.
    #[error("the drive{} is not attached", match .wanted { Some(wanted) => format!(" {wanted}"), None => String::new() })]
    NotFound {
        /// What was looked for: the remembered UUID, or what the person named.
        wanted: Option<String>,
    },
    /// More than one drive could be meant.
    #[error("several drives are attached: {}", list(.devices))]
    Several {
        /// All of them: path and UUID.
        devices: Vec<(PathBuf, Uuid)>,
    },
    /// Another drive than the remembered one.
    #[error("{device} is another drive (UUID {found}); this machine's drive has UUID {expected}")]
    Foreign {
        /// The device.
        device: PathBuf,
        /// Its UUID.
        found: Uuid,
        /// The remembered UUID.
        expected: Uuid,
    },
    /// Nothing is on it. [`choose`] goes by signatures alone; [`crate::state::observe`] looks
    /// further before it says this.
    #[error("{device} is blank")]
    Blank {
        /// The device.
        device: PathBuf,
    },
    /// It shows no signature, and is not blank.
    #[error("{device} holds {}", match .sample {
        Sample::Noise => "nothing but noise: it may be encrypted, with its header lost or by \
                          something that leaves no signature",
        _ => "data of an unknown kind",
    })]
    Unrecognised {
        /// The device.
        device: PathBuf,
        /// What it holds.
        sample: Sample,
    },
    /// It is a drive of this box, and what says so was overwritten.
    #[error("{device} is the drive with UUID {}, and its {} was overwritten: it now shows {holds}", .drive.uuid, .drive.lost())]
    HeaderLost {
        /// The device.
        device: PathBuf,
        /// What it shows now, in words.
        holds: String,
        /// What the box remembers of it.
        drive: Box<KnownDrive>,
    },
    /// Something else is on it.
    #[error("{device} is not an appliance drive: it holds {holds}")]
    NotADrive {
        /// The device.
        device: PathBuf,
        /// What is on it, in words.
        holds: String,
    },
    /// The kernel refuses to write to it.
    #[error("{device} is read-only")]
    ReadOnly {
        /// The device.
        device: PathBuf,
    },
    /// Its creation was interrupted, so nothing of worth is on it.
    #[error("the creation of the drive on {device} was not finished")]
    Unfinished {
        /// The device.
        device: PathBuf,
        /// UUID of its header.
        uuid: Uuid,
    },
}

fn list(devices: &[(PathBuf, Uuid)]) -> String {
    devices
        .iter()
        .map(|(path, uuid)| format!("{} (UUID {uuid})", path.display()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Chooses the drive among `devices` (as [`crate::inspect::list`] gives them): the one `wanted`,
/// else the `remembered` one, else the only one attached. Devices that the running system lives on
/// are never chosen. `known` are the drives of this box, to know one without its header.
///
/// # Errors
/// See [`FindError`].
pub fn choose(
    devices: &[BlockDevice],
    remembered: Option<Uuid>,
    wanted: Option<&Wanted>,
    known: &[KnownDrive],
) -> Result<Found, FindError> {
    let candidate = match wanted {
        Some(wanted) => named(devices, remembered, wanted, known)?,
        None => match remembered {
            Some(uuid) => with_this_uuid(devices, uuid, known)?,
            None => only(devices, known)?,
        },
    };
    candidate.usable()
}

/// A device that may be the drive.
#[derive(Clone)]
struct Candidate<'a> {
    device: &'a BlockDevice,
    uuid: Uuid,
    encrypted: bool,
    /// Labelled as ours, so that it counts without being named.
    ours: bool,
    unfinished: bool,
}

impl<'a> Candidate<'a> {
    fn of(device: &'a BlockDevice) -> Option<Self> {
        if device.holds_the_system() {
            return None;
        }
        match &device.content {
            Content::Luks {
                uuid, subsystem, ..
            } => Some(Self {
                device,
                uuid: *uuid,
                encrypted: true,
                // Drives of immich-rpi-server carry no label of ours.
                ours: true,
                unfinished: subsystem.as_deref() == Some(UNFINISHED),
            }),
            Content::FileSystem { kind, uuid, label } if kind == "ext4" => Some(Self {
                device,
                uuid: uuid
                    .as_deref()
                    .and_then(|uuid| Uuid::try_parse(uuid).ok())?,
                encrypted: false,
                ours: label.as_deref() == Some(LABEL),
                unfinished: false,
            }),
            _ => None,
        }
    }

    fn usable(self) -> Result<Found, FindError> {
        let device = self.device.path.clone();
        if self.unfinished {
            return Err(FindError::Unfinished {
                device,
                uuid: self.uuid,
            });
        }
        if self.device.read_only {
            return Err(FindError::ReadOnly { device });
        }
        Ok(Found {
            device: self.device.clone(),
            uuid: self.uuid,
            encrypted: self.encrypted,
        })
    }
}

fn candidates(devices: &[BlockDevice]) -> Vec<Candidate<'_>> {
    flat(devices).filter_map(Candidate::of).collect()
}

/// Named by the person.
fn named<'a>(
    devices: &'a [BlockDevice],
    remembered: Option<Uuid>,
    wanted: &Wanted,
    known: &[KnownDrive],
) -> Result<Candidate<'a>, FindError> {
    let device = match wanted {
        Wanted::Uuid(uuid) => return with_uuid(devices, *uuid)?.ok_or_else(|| not_found(uuid)),
        Wanted::Path(path) => flat(devices)
            .find(|device| device.path == *path || device.links.contains(path))
            .ok_or_else(|| not_found(&path.display()))?,
        Wanted::ById(id) => flat(devices)
            .find(|device| {
                device
                    .links
                    .iter()
                    .any(|link| link.ends_with(Path::new("by-id").join(id)))
            })
            .ok_or_else(|| not_found(id))?,
    };
    // A disk may be named though its one partition is meant.
    let mut all = candidates(std::slice::from_ref(device));
    if all.len() > 1 {
        return Err(several(&all));
    }
    let Some(candidate) = all.pop() else {
        return Err(no_drive(device, known));
    };
    match remembered {
        // One whose making was cut short is nobody's drive yet.
        Some(expected) if expected != candidate.uuid && !candidate.unfinished => {
            Err(foreign(&candidate, expected))
        }
        _ => Ok(candidate),
    }
}

/// Remembered from the first use.
fn with_this_uuid<'a>(
    devices: &'a [BlockDevice],
    expected: Uuid,
    known: &[KnownDrive],
) -> Result<Candidate<'a>, FindError> {
    if let Some(candidate) = with_uuid(devices, expected)? {
        return Ok(candidate);
    }
    let same: Vec<_> = known
        .iter()
        .filter(|drive| drive.uuid == expected)
        .cloned()
        .collect();
    if let Some(error) = flat(devices).find_map(|device| overwritten(device, &same)) {
        return Err(error);
    }
    // It is not there. If another one is in its place, that is what the person should hear.
    if let Some(other) = candidates(devices).iter().find(|candidate| candidate.ours) {
        return Err(foreign(other, expected));
    }
    match usb_disk(devices) {
        Some(disk) if disk.content == Content::Empty => Err(no_drive(disk, known)),
        _ => Err(not_found(&expected)),
    }
}

/// The only one attached.
fn only<'a>(devices: &'a [BlockDevice], known: &[KnownDrive]) -> Result<Candidate<'a>, FindError> {
    let mut ours = candidates(devices);
    ours.retain(|candidate| candidate.ours);
    let finished: Vec<_> = ours
        .iter()
        .filter(|candidate| !candidate.unfinished)
        .collect();
    match (finished.as_slice(), ours.first()) {
        ([one], _) => Ok((*one).clone()),
        // Its creation can be taken up again.
        ([], Some(unfinished)) => Ok(unfinished.clone()),
        ([], None) => Err(flat(devices)
            .find_map(|device| overwritten(device, known))
            .or_else(|| usb_disk(devices).map(|disk| no_drive(disk, known)))
            .unwrap_or(FindError::NotFound { wanted: None })),
        (all, _) => Err(several(all.iter().copied())),
    }
}

/// The one with that UUID. A drive and its bit-for-bit copy cannot be told apart.
fn with_uuid(devices: &[BlockDevice], uuid: Uuid) -> Result<Option<Candidate<'_>>, FindError> {
    let mut same = candidates(devices);
    same.retain(|candidate| candidate.uuid == uuid);
    if same.len() > 1 {
        return Err(several(&same));
    }
    Ok(same.pop())
}

/// The USB disk that the person likely takes for the drive: the only one without the system.
fn usb_disk(devices: &[BlockDevice]) -> Option<&BlockDevice> {
    let mut disks = devices
        .iter()
        .filter(|disk| disk.transport == Transport::Usb && !disk.holds_the_system());
    disks.next().filter(|_| disks.next().is_none())
}

fn not_found(wanted: &dyn Display) -> FindError {
    FindError::NotFound {
        wanted: Some(wanted.to_string()),
    }
}

fn foreign(candidate: &Candidate<'_>, expected: Uuid) -> FindError {
    FindError::Foreign {
        device: candidate.device.path.clone(),
        found: candidate.uuid,
        expected,
    }
}

fn several<'a>(candidates: impl IntoIterator<Item = &'a Candidate<'a>>) -> FindError {
    FindError::Several {
        devices: candidates
            .into_iter()
            .map(|candidate| (candidate.device.path.clone(), candidate.uuid))
            .collect(),
    }
}

/// A drive of this box whose header is gone, if that is what the device is.
fn overwritten(device: &BlockDevice, known: &[KnownDrive]) -> Option<FindError> {
    let drive = header_lost(device, known).filter(|_| !device.holds_the_system())?;
    Some(FindError::HeaderLost {
        device: device.path.clone(),
        holds: holds(device),
        drive: Box::new(drive.clone()),
    })
}

fn no_drive(device: &BlockDevice, known: &[KnownDrive]) -> FindError {
    let path = device.path.clone();
    if device.holds_the_system() {
        return FindError::NotADrive {
            device: path,
            holds: "the running system".to_owned(),
        };
    }
    if let Some(error) = overwritten(device, known) {
        return error;
    }
    match &device.content {
        Content::Empty if device.partitions.is_empty() => FindError::Blank { device: path },
        _ => FindError::NotADrive {
            device: path,
            holds: holds(device),
        },
    }
}

#[cfg(test)]
mod tests;
