use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::MARKER;

/// What one of Immich's folders holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderKind {
    /// Files that exist nowhere else: photos, videos, their sidecars, profile pictures.
    Original,
    /// Dumps of the database, without which originals are files without albums, people and owners.
    Dump,
    /// Files that Immich makes again from the originals.
    Derived,
}

impl FolderKind {
    /// Whether a backup must hold it, for nothing makes it again.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        !matches!(self, Self::Derived)
    }
}

/// One of Immich's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Folder {
    /// Its name in the media folder.
    pub name: &'static str,
    /// What it holds.
    pub kind: FolderKind,
}

/// Originals, where a storage template puts them.
pub const LIBRARY: Folder = Folder::new("library", FolderKind::Original);
/// Originals, where they are uploaded to; without a storage template they stay here.
pub const UPLOAD: Folder = Folder::new("upload", FolderKind::Original);
/// The users' own pictures.
pub const PROFILE: Folder = Folder::new("profile", FolderKind::Original);
/// The database's dumps: Immich's own, and this tool's.
pub const BACKUPS: Folder = Folder::new("backups", FolderKind::Dump);
/// Thumbnails and previews.
pub const THUMBS: Folder = Folder::new("thumbs", FolderKind::Derived);
/// Videos as browsers play them.
pub const ENCODED_VIDEO: Folder = Folder::new("encoded-video", FolderKind::Derived);

/// All of Immich's folders.
pub const FOLDERS: [Folder; 6] = [LIBRARY, UPLOAD, PROFILE, BACKUPS, THUMBS, ENCODED_VIDEO];

impl Folder {
    const fn new(name: &'static str, kind: FolderKind) -> Self {
        Self { name, kind }
    }

    /// The folders of one kind.
    pub fn of_kind(kind: FolderKind) -> impl Iterator<Item = Self> {
        FOLDERS
            .into_iter()
            .filter(move |folder| folder.kind == kind)
    }

    /// The folders that a backup must hold.
    pub fn essential() -> impl Iterator<Item = Self> {
        FOLDERS.into_iter().filter(|folder| folder.is_essential())
    }

    /// The folder that a path lies in, or is; `None` for a path outside Immich's folders. Goes by
    /// names alone: `..` and links are not followed.
    #[must_use]
    pub fn containing(root: &Path, path: &Path) -> Option<Self> {
        let Component::Normal(first) = path.strip_prefix(root).ok()?.components().next()? else {
            return None;
        };
        FOLDERS.into_iter().find(|folder| first == folder.name)
    }

    /// Whether a backup must hold it.
    #[must_use]
    pub const fn is_essential(&self) -> bool {
        self.kind.is_essential()
    }

    /// The folder under a media root.
    #[must_use]
    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(self.name)
    }

    /// Whether the folder holds anything but its marker. A folder that is missing holds nothing.
    ///
    /// # Errors
    /// When it cannot be listed: then nobody knows.
    pub fn is_used(&self, root: &Path) -> io::Result<bool> {
        let entries = match fs::read_dir(self.path(root)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        for entry in entries {
            if entry?.file_name() != MARKER {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_original_dump_or_derived_and_only_the_derived_may_be_left_out() {
        let names = |kind| {
            Folder::of_kind(kind)
                .map(|folder| folder.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(FolderKind::Original),
            ["library", "upload", "profile"]
        );
        assert_eq!(names(FolderKind::Dump), ["backups"]);
        assert_eq!(names(FolderKind::Derived), ["thumbs", "encoded-video"]);
        let essential: Vec<_> = Folder::essential().map(|folder| folder.name).collect();
        assert_eq!(essential, ["library", "upload", "profile", "backups"]);
    }

    #[test]
    fn a_path_is_told_by_the_folder_it_lies_in() {
        let root = Path::new("/data");
        for (path, folder) in [
            ("/data/upload/a/b.jpg", Some(UPLOAD)),
            ("/data/thumbs", Some(THUMBS)),
            ("/data/uploads/a.jpg", None),
            ("/data/../upload/a.jpg", None),
            ("/data", None),
            ("/external/upload/a.jpg", None),
        ] {
            assert_eq!(Folder::containing(root, Path::new(path)), folder, "{path}");
        }
    }

    #[test]
    fn a_folder_with_nothing_but_its_marker_is_not_used_and_one_that_cannot_be_listed_is_an_error()
    {
        let root = tempfile::tempdir().unwrap();
        assert!(!UPLOAD.is_used(root.path()).unwrap());
        fs::create_dir(UPLOAD.path(root.path())).unwrap();
        fs::write(UPLOAD.path(root.path()).join(MARKER), "1").unwrap();
        assert!(!UPLOAD.is_used(root.path()).unwrap());
        fs::write(UPLOAD.path(root.path()).join("a.jpg"), "").unwrap();
        assert!(UPLOAD.is_used(root.path()).unwrap());
        fs::write(LIBRARY.path(root.path()), "not a folder").unwrap();
        assert!(LIBRARY.is_used(root.path()).is_err());
    }
}
