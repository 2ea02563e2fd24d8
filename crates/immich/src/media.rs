//! Immich's media folder: its six folders, each with a marker file, without which it refuses to
//! start.
//!
//! Immich rewrites the stamp in each marker at every start, so markers stay out of checksums.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use appliance_files::Owner;
use jiff::Timestamp;

/// The marker's name in each folder.
pub const MARKER: &str = ".immich";

/// One of Immich's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folder {
    /// Its name in the media folder.
    pub name: &'static str,
    /// Whether its files exist nowhere else. The others can be made again from them.
    pub essential: bool,
}

/// All of Immich's folders.
pub const FOLDERS: [Folder; 6] = [
    Folder::new("library", true),
    Folder::new("upload", true),
    Folder::new("profile", true),
    Folder::new("backups", true),
    Folder::new("thumbs", false),
    Folder::new("encoded-video", false),
];

impl Folder {
    const fn new(name: &'static str, essential: bool) -> Self {
        Self { name, essential }
    }

    /// The folder under a media root.
    #[must_use]
    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(self.name)
    }
}

/// Something that keeps Immich from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A folder is missing.
    FolderMissing(PathBuf),
    /// Something else stands where a folder should.
    NotAFolder(PathBuf),
    /// A marker is missing or empty.
    MarkerMissing(PathBuf),
    /// A folder or a marker belongs to someone else than Immich.
    WrongOwner {
        /// The folder or marker.
        path: PathBuf,
        /// Whose it is.
        is: Owner,
        /// Whose it must be.
        must_be: Owner,
    },
    /// A folder's mode keeps its owner out, or a marker's keeps its owner from writing it.
    NotWritable {
        /// The folder or marker.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Finding {
    /// The path that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::FolderMissing(path)
            | Self::NotAFolder(path)
            | Self::MarkerMissing(path)
            | Self::WrongOwner { path, .. }
            | Self::NotWritable { path, .. } => path,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path().display();
        match self {
            Self::FolderMissing(_) => write!(f, "the folder {path} is missing"),
            Self::NotAFolder(_) => write!(f, "{path} is not a folder"),
            Self::MarkerMissing(_) => write!(f, "the marker {path} is missing"),
            Self::WrongOwner { is, must_be, .. } => write!(
                f,
                "{path} belongs to {}:{}, not to Immich ({}:{})",
                is.uid, is.gid, must_be.uid, must_be.gid
            ),
            Self::NotWritable { mode, .. } => {
                write!(f, "{path} is closed to Immich (mode {mode:03o})")
            }
        }
    }
}

/// The media folder could not be looked at or mended.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no media folder; a drive that is not mounted looks like this.
    #[error("the media folder {} does not exist", .0.display())]
    RootMissing(PathBuf),
    /// Something else stands where a folder should, and it may hold data.
    #[error("{} is in the way: it should be a folder", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] appliance_files::Error),
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MediaError {
    let path = path.to_owned();
    move |source| MediaError::Io {
        doing,
        path,
        source,
    }
}

fn look(path: &Path) -> Result<Option<fs::Metadata>, MediaError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look at", path)(error)),
    }
}

fn owner_of(metadata: &fs::Metadata) -> Owner {
    Owner {
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}

fn root_exists(root: &Path) -> Result<(), MediaError> {
    match look(root)? {
        Some(metadata) if metadata.is_dir() => Ok(()),
        Some(_) => Err(MediaError::InTheWay(root.to_owned())),
        None => Err(MediaError::RootMissing(root.to_owned())),
    }
}

/// Says what keeps Immich, running as `owner`, from starting. Changes nothing.
///
/// # Errors
/// When the media folder itself is missing or cannot be looked at.
pub fn check(root: &Path, owner: Owner) -> Result<Vec<Finding>, MediaError> {
    root_exists(root)?;
    let mut findings = Vec::new();
    for folder in FOLDERS {
        let path = folder.path(root);
        let Some(metadata) = look(&path)? else {
            findings.push(Finding::FolderMissing(path));
            continue;
        };
        if !metadata.is_dir() {
            findings.push(Finding::NotAFolder(path));
            continue;
        }
        access(&path, &metadata, owner, 0o700, &mut findings);
        let marker = path.join(MARKER);
        match look(&marker)? {
            Some(metadata) if metadata.is_file() && metadata.len() > 0 => {
                access(&marker, &metadata, owner, 0o600, &mut findings);
            }
            _ => findings.push(Finding::MarkerMissing(marker)),
        }
    }
    Ok(findings)
}

/// Immich writes as the owner, so only the owner's bits count.
fn access(
    path: &Path,
    metadata: &fs::Metadata,
    must_be: Owner,
    needed: u32,
    findings: &mut Vec<Finding>,
) {
    let is = owner_of(metadata);
    if is != must_be {
        findings.push(Finding::WrongOwner {
            path: path.to_owned(),
            is,
            must_be,
        });
    }
    if metadata.mode() & needed != needed {
        findings.push(Finding::NotWritable {
            path: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
}

/// Mends all that [`check`] finds, and gives what it found. Nothing that holds data is touched;
/// when run again it changes nothing.
///
/// # Errors
/// When the media folder itself is missing (it is never made here: the drive may not be mounted),
/// when something is in a folder's way, or when a step fails; the next run completes it.
pub fn mend(root: &Path, owner: Owner) -> Result<Vec<Finding>, MediaError> {
    let findings = check(root, owner)?;
    for finding in &findings {
        match finding {
            Finding::NotAFolder(path) => return Err(MediaError::InTheWay(path.clone())),
            Finding::FolderMissing(path) => {
                appliance_files::create_dir_durably(path, 0o750, Some(owner))?;
                mark(&path.join(MARKER), owner)?;
            }
            Finding::MarkerMissing(path) => mark(path, owner)?,
            Finding::WrongOwner { path, .. } => {
                lchown(path, Some(owner.uid), Some(owner.gid))
                    .map_err(failed("change the owner of", path))?;
            }
            Finding::NotWritable { path, .. } => open_to_owner(path)?,
        }
    }
    Ok(findings)
}

/// Writes a marker as Immich does: the time in milliseconds, 13 digits.
fn mark(path: &Path, owner: Owner) -> Result<(), MediaError> {
    let stamp = format!("{:013}", Timestamp::now().as_millisecond());
    appliance_files::write_durably_owned(path, stamp.as_bytes(), 0o640, owner)?;
    Ok(())
}

fn open_to_owner(path: &Path) -> Result<(), MediaError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    let needed = if metadata.is_dir() { 0o700 } else { 0o600 };
    let mode = (metadata.mode() & 0o777) | needed;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(failed("open to its owner", path))
}

/// Gives everything under the media folder to Immich, as after a restore from a machine with
/// other user numbers. Symbolic links are changed themselves, never followed. Gives how many
/// files and folders changed hands.
///
/// # Errors
/// When a folder cannot be read or an owner cannot be changed; the next run completes it.
pub fn give_to(root: &Path, owner: Owner) -> Result<u64, MediaError> {
    root_exists(root)?;
    Ok(appliance_files::give_to(root, owner)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn me(root: &Path) -> Owner {
        owner_of(&fs::metadata(root).unwrap())
    }

    #[test]
    fn an_empty_media_folder_is_mended_and_then_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        assert_eq!(check(root.path(), owner).unwrap().len(), FOLDERS.len());
        mend(root.path(), owner).unwrap();
        assert_eq!(check(root.path(), owner).unwrap(), []);
        let stamp = fs::read(root.path().join("upload").join(MARKER)).unwrap();
        assert_eq!(stamp.len(), 13);
        assert!(stamp.iter().all(u8::is_ascii_digit));
        assert_eq!(mend(root.path(), owner).unwrap(), []);
        assert_eq!(
            fs::read(root.path().join("upload").join(MARKER)).unwrap(),
            stamp,
            "a second run rewrote a marker"
        );
    }

    #[test]
    fn a_missing_marker_is_found_and_mended_without_touching_files_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        mend(root.path(), owner).unwrap();
        let photo = root.path().join("library/a.jpg");
        fs::write(&photo, b"photo").unwrap();
        let marker = root.path().join("library").join(MARKER);
        fs::remove_file(&marker).unwrap();
        assert_eq!(
            check(root.path(), owner).unwrap(),
            [Finding::MarkerMissing(marker)]
        );
        mend(root.path(), owner).unwrap();
        assert_eq!(check(root.path(), owner).unwrap(), []);
        assert_eq!(fs::read(photo).unwrap(), b"photo");
    }

    #[test]
    fn a_marker_emptied_by_a_power_cut_counts_as_missing() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        mend(root.path(), owner).unwrap();
        let marker = root.path().join("thumbs").join(MARKER);
        fs::write(&marker, b"").unwrap();
        assert_eq!(
            mend(root.path(), owner).unwrap(),
            [Finding::MarkerMissing(marker.clone())]
        );
        assert_eq!(fs::read(marker).unwrap().len(), 13);
    }

    #[test]
    fn a_media_folder_that_is_not_there_is_never_made() {
        let root = tempfile::tempdir().unwrap();
        let absent = root.path().join("immich_data");
        let owner = me(root.path());
        assert!(matches!(
            mend(&absent, owner),
            Err(MediaError::RootMissing(_))
        ));
        assert!(!absent.exists());
    }

    #[test]
    fn a_file_in_a_folders_way_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        fs::write(root.path().join("upload"), b"precious").unwrap();
        assert!(matches!(
            mend(root.path(), owner),
            Err(MediaError::InTheWay(_))
        ));
        assert_eq!(fs::read(root.path().join("upload")).unwrap(), b"precious");
    }

    #[test]
    fn a_folder_closed_to_its_owner_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        mend(root.path(), owner).unwrap();
        let folder = root.path().join("upload");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o550)).unwrap();
        assert!(matches!(
            check(root.path(), owner).unwrap()[..],
            [Finding::NotWritable { mode: 0o550, .. }]
        ));
        mend(root.path(), owner).unwrap();
        assert_eq!(check(root.path(), owner).unwrap(), []);
    }

    #[test]
    fn another_owner_is_found_and_mended() {
        let root = tempfile::tempdir().unwrap();
        let owner = me(root.path());
        if owner.uid != 0 {
            println!("SKIPPED: only root can give files away");
            return;
        }
        let immich = Owner {
            uid: 4242,
            gid: 4243,
        };
        mend(root.path(), owner).unwrap();
        fs::write(root.path().join("upload/a.jpg"), b"").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("upload/link")).unwrap();
        assert_eq!(check(root.path(), immich).unwrap().len(), 2 * FOLDERS.len());
        mend(root.path(), immich).unwrap();
        assert_eq!(check(root.path(), immich).unwrap(), []);
        assert_eq!(
            give_to(root.path(), immich).unwrap(),
            3,
            "the root, the photo, the link"
        );
        assert_eq!(give_to(root.path(), immich).unwrap(), 0);
        assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
    }
}
