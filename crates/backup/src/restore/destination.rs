use std::path::{Component, Path, PathBuf};

use crate::names::display_name;

/// Why nothing is restored into a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationRefusal {
    /// It is, or is in, a folder that is backed up: what is restored would lie among the photos,
    /// with their secrets and as root's, and go into the next backup.
    #[error(
        "{} is within {}, which is itself backed up",
        display_name(destination),
        display_name(protected)
    )]
    Within {
        /// Where it was to go.
        destination: PathBuf,
        /// The folder that it is in.
        protected: PathBuf,
    },
    /// It holds a folder that is backed up, and a restore would write through it.
    #[error(
        "{} holds {}, which is itself backed up",
        display_name(destination),
        display_name(protected)
    )]
    Above {
        /// Where it was to go.
        destination: PathBuf,
        /// The folder that is in it.
        protected: PathBuf,
    },
    /// It is not absolute, so that nobody can tell where it is.
    #[error("{} is not an absolute path", display_name(.0))]
    NotAbsolute(PathBuf),
}

/// Whether `backup restore` may write into a folder. Pure: both must have been resolved
/// (`std::fs::canonicalize` of the deepest part that exists) as the caller finds them, once with
/// the paths as given and once resolved if these differ.
///
/// `protected` are the media folder and the drive's mount point; a recovery, which restores onto
/// the drive on purpose, does not ask.
///
/// # Errors
/// Why not.
pub fn check_destination(
    destination: &Path,
    protected: &[PathBuf],
) -> Result<(), DestinationRefusal> {
    if !destination.is_absolute() {
        return Err(DestinationRefusal::NotAbsolute(destination.to_path_buf()));
    }
    let place = lexical(destination);
    let refuse = |within: bool, folder: &PathBuf| {
        let (destination, protected) = (destination.to_path_buf(), folder.clone());
        Err(match within {
            true => DestinationRefusal::Within {
                destination,
                protected,
            },
            false => DestinationRefusal::Above {
                destination,
                protected,
            },
        })
    };
    if let Some(folder) = protected
        .iter()
        .find(|folder| place.starts_with(lexical(folder)))
    {
        return refuse(true, folder);
    }
    // The folder above everything holds everything, so that restoring into "/" is refused too.
    if let Some(folder) = protected
        .iter()
        .find(|folder| lexical(folder).starts_with(&place))
    {
        return refuse(false, folder);
    }
    Ok(())
}

/// A path without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(destination: &str) -> Result<(), DestinationRefusal> {
        let protected = ["/mnt/d/immich_data", "/mnt/d"].map(PathBuf::from);
        check_destination(Path::new(destination), &protected)
    }

    #[test]
    fn nothing_is_restored_among_the_photos_nor_onto_the_drive_nor_over_it() {
        for inside in [
            "/mnt/d/immich_data",
            "/mnt/d/immich_data/upload/x",
            "/mnt/d",
            "/mnt/d/restored",
            "/mnt/e/../d/x",
            "/mnt/./d",
        ] {
            let refusal = check(inside).unwrap_err();
            assert!(
                matches!(refusal, DestinationRefusal::Within { .. }),
                "{inside} {refusal}"
            );
        }
        for above in ["/mnt", "/"] {
            let refusal = check(above).unwrap_err();
            assert!(
                matches!(refusal, DestinationRefusal::Above { .. }),
                "{above} {refusal}"
            );
        }
        assert!(check("mnt/d").is_err());
    }

    #[test]
    fn a_folder_beside_is_fine_even_with_a_name_that_begins_alike() {
        for beside in ["/mnt/d2", "/home/restored", "/mnt/dd/immich_data"] {
            assert_eq!(check(beside), Ok(()));
        }
    }
}
