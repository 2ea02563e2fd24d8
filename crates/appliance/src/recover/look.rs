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
    let drive = Wanted::Path(options.drive.clone());
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
