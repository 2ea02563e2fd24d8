//! Where a repository in a local folder lies. A backup on the drive that it is a backup of is
//! lost with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::drive::Disks;
use crate::error::{Context as _, FailureClass, Refused};
use crate::{Appliance, Result};

/// What a folder is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    /// The photos' own drive.
    Drive,
    /// The disk or SD card that the box runs from.
    System,
    Elsewhere,
}

/// Refuses a folder on the photos' drive, and warns of one on the SD card.
pub(super) fn check(appliance: &Appliance, folder: &Path) -> Result<()> {
    let doing = || format!("cannot tell which disk {} is on", folder.display());
    let absolute = std::path::absolute(folder).with_context(doing)?;
    let (disks, drive) = (appliance.disks(), &appliance.paths.mount_point);
    match placement(disks, &absolute, drive, Path::new("/")).with_context(doing)? {
        Placement::Drive => Err(Refused::new(
            FailureClass::Refused,
            format!(
                "not setting up the backup in {}: that folder is on the photos' own drive, and \
                 the backup would be lost with it",
                folder.display()
            ),
            "give a folder on another mounted drive, or an S3 bucket",
        )
        .into()),
        Placement::System => {
            appliance.warn(format!(
                "{} is on the disk that the box runs from, not on a second drive. Such a disk, \
                 especially an SD card, is small and wears out. If you meant a second drive, \
                 mount it first",
                folder.display()
            ));
            Ok(())
        }
        Placement::Elsewhere => Ok(()),
    }
}

fn placement(disks: &dyn Disks, folder: &Path, drive: &Path, root: &Path) -> io::Result<Placement> {
    let on = disks.filesystem_of(&nearest_existing(folder)?)?;
    Ok(if on == disks.filesystem_of(drive)? {
        Placement::Drive
    } else if on == disks.filesystem_of(root)? {
        Placement::System
    } else {
        Placement::Elsewhere
    })
}

/// The folder itself, or the one above it in which it would be made.
fn nearest_existing(folder: &Path) -> io::Result<PathBuf> {
    for above in folder.ancestors() {
        match fs::canonicalize(above) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::LiveDisks;

    fn placement(folder: &Path, drive: &Path, root: &Path) -> io::Result<Placement> {
        super::placement(&LiveDisks::new(), folder, drive, root)
    }

    #[test]
    fn a_folder_is_where_its_nearest_existing_ancestor_is() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("not/yet/there");
        let drive = |path: &Path| placement(&inside, path, Path::new("/proc")).unwrap();
        assert_eq!(drive(folder.path()), Placement::Drive);
        assert_eq!(drive(Path::new("/proc")), Placement::Elsewhere);
        assert_eq!(
            placement(&inside, Path::new("/proc"), folder.path()).unwrap(),
            Placement::System
        );
    }

    #[test]
    fn a_link_counts_as_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc/self", &link).unwrap();
        assert_eq!(
            placement(&link.join("x"), Path::new("/proc"), Path::new("/")).unwrap(),
            Placement::Drive
        );
    }
}
