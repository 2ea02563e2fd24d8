//! What is on the drive that is recovered onto. It is opened to find out, if it can be.

use std::path::Path;

use appliance_drive::find::{FindError, Wanted};
use appliance_drive::inspect::Content;
use appliance_drive::layout::{self, Cluster};
use appliance_drive::state::DriveState;
use appliance_immich::media::{FOLDERS, MARKER};

use super::plan::OnDrive;
use super::{RecoverOptions, progress};
use crate::drive::{is_unfinished, lock, unlock};
use crate::{Appliance, Result};

pub(super) fn look(appliance: &Appliance, options: &RecoverOptions) -> Result<OnDrive> {
    let drive = named(appliance, &options.drive);
    let state = match appliance.observe(Some(&drive))? {
        DriveState::Gone { .. } => {
            lock::clear_gone(appliance)?;
            appliance.observe(Some(&drive))?
        }
        state => state,
    };
    match state {
        DriveState::Absent(
            FindError::Blank { .. } | FindError::NotADrive { .. } | FindError::Unfinished { .. },
        ) => return Ok(OnDrive::NotOurs),
        DriveState::Unlocked { ref found, .. }
            if !found.encrypted && !is_ours(&found.device.content) =>
        {
            return Ok(OnDrive::NotOurs);
        }
        // Its making was cut short before it got a file system.
        DriveState::Unlocked { ref found, .. } if is_unfinished(appliance, found)? => {
            appliance.disks().deactivate(appliance.mapper())?;
            return Ok(OnDrive::NotOurs);
        }
        state => {
            unlock::open(appliance, state)?;
        }
    }
    if let Some(progress) = progress::document(&appliance.paths).read()? {
        return Ok(OnDrive::Begun(progress));
    }
    if holds_library(&appliance.paths.mount_point, &appliance.paths.media)? {
        return Ok(OnDrive::Library);
    }
    Ok(OnDrive::Empty)
}

/// The drive that a person named for the recovery, by what is on it: that overrules the one that
/// this box remembers, which may be the one that is lost.
pub(super) fn named(appliance: &Appliance, device: &Path) -> Wanted {
    let content = appliance.disks().device(&device.to_string_lossy());
    let uuid = match content.map(|device| device.content) {
        Ok(Content::Luks { uuid, .. }) => Some(uuid),
        Ok(Content::FileSystem {
            uuid: Some(uuid), ..
        }) => uuid.parse().ok(),
        _ => None,
    };
    uuid.map_or_else(|| Wanted::Path(device.to_owned()), Wanted::Uuid)
}

fn is_ours(content: &Content) -> bool {
    matches!(content, Content::FileSystem { label: Some(label), .. } if label == appliance_drive::LABEL)
}

/// Whether the mounted drive holds a database or any original.
fn holds_library(root: &Path, media: &Path) -> Result<bool> {
    if layout::postgres_cluster(root)? != Cluster::None {
        return Ok(true);
    }
    Ok(FOLDERS
        .iter()
        .filter(|folder| folder.is_essential())
        .filter_map(|folder| std::fs::read_dir(folder.path(media)).ok())
        .flatten()
        .filter_map(Result::ok)
        .any(|entry| entry.file_name() != MARKER))
}
