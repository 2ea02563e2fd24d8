//! What there is to know of drives: all that are attached, and one in detail.

use std::path::PathBuf;

use appliance_drive::find::Wanted;
use appliance_drive::inspect::{BlockDevice, Content};
use appliance_drive::luks;
use serde::Serialize;

use crate::{Appliance, Result};

/// A drive in detail.
#[derive(Debug, Serialize)]
pub struct DriveInfo {
    /// Its device.
    pub device: PathBuf,
    /// The UUID of its header, or of its file system.
    pub uuid: String,
    /// A word for its state.
    pub state: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// Its model, where the disk tells it.
    pub model: Option<String>,
    /// `None` where the drive is not encrypted.
    pub header: Option<luks::Info>,
    /// What unlocking takes.
    pub memory_needed_kib: u64,
    /// What there is.
    pub memory_available_kib: u64,
    /// The copy of the header that this box keeps.
    pub header_backup: Option<PathBuf>,
}

/// The drives attached, and what is on them.
///
/// # Errors
/// When block devices cannot be read.
pub fn list(appliance: &Appliance) -> Result<Vec<BlockDevice>> {
    Ok(appliance.disks().list()?)
}

/// A drive's header, keyslots and state.
///
/// # Errors
/// When there is no such drive, or its header cannot be read.
pub fn info(appliance: &Appliance, wanted: Option<&Wanted>) -> Result<DriveInfo> {
    let (found, state) = appliance.find(wanted)?;
    let disks = appliance.disks();
    let header = found
        .encrypted
        .then(|| disks.header(&found.device.path))
        .transpose()?;
    let copy = appliance.paths.header(found.uuid);
    Ok(DriveInfo {
        device: found.device.path,
        uuid: found.uuid.to_string(),
        state,
        size: found.device.size,
        model: found.device.model,
        memory_needed_kib: header.as_ref().map_or(0, luks::Info::memory_needed_kib),
        memory_available_kib: disks.memory_available_kib()?,
        header,
        header_backup: copy.exists().then_some(copy),
    })
}

/// What is on a block device, in a few words.
pub fn describe(content: &Content) -> String {
    let labelled = |label: &Option<String>| {
        label
            .as_ref()
            .map(|label| format!(" \"{label}\""))
            .unwrap_or_default()
    };
    match content {
        Content::Empty => "empty".into(),
        Content::Luks {
            version,
            label,
            subsystem,
            ..
        } => {
            let unfinished = subsystem.as_deref() == Some(appliance_drive::UNFINISHED);
            format!(
                "LUKS{version}{}{}",
                labelled(label),
                if unfinished {
                    ", its creation was interrupted"
                } else {
                    ""
                }
            )
        }
        Content::FileSystem { kind, label, .. } => format!("{kind}{}", labelled(label)),
        Content::PartitionTable { kind } => format!("{kind} partition table"),
        Content::Other { .. } => content.in_words(),
        Content::Unreadable { why } => format!("unreadable ({why})"),
    }
}
