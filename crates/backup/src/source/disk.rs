//! The disk that is backed up, reached by descriptors: a folder is opened from the folder that
//! holds it, one name at a time, and no link is followed. So whoever may write into the media
//! folder cannot lead the backup (which runs as root) out of it, and what is read is what was
//! listed even if a folder is renamed meanwhile.
//!
//! It is a trait so that the tests can make every single call fail.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;
use jiff::Timestamp;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Group, Uid, User};
use rustic_core::LocalSourceSaveOptions;
use rustic_core::repofile::{Metadata as NodeMetadata, Node, NodeType};

use crate::mode;

/// What tells whether a folder is still the one it was, and holds what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderStamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Seconds and nanoseconds of its last change, which every name made or removed in it moves.
    pub(crate) modified: (i64, i64),
}

impl FolderStamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }

    /// Whether both are of the same folder, whatever it holds.
    pub(crate) fn same_folder(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Size and time of a file, which change when it is written to.
pub(crate) type FileStamp = (u64, i64, i64);

/// A file's content being read.
pub(crate) trait Content: Read + Debug + Send {
    /// Its size and time now.
    fn stamp(&self) -> io::Result<FileStamp>;
}

/// A folder held open.
pub(crate) trait Folder: Debug + Send + Sync {
    /// What it is and when it changed.
    fn stamp(&self) -> io::Result<FolderStamp>;
    /// The names in it, unsorted; the listing may fail in its middle.
    fn names(&self) -> io::Result<Vec<io::Result<OsString>>>;
    /// An entry's type and metadata, without extended attributes.
    fn look(&self, name: &OsStr) -> io::Result<Node>;
    /// Adds an entry's extended attributes to what is known of it.
    fn add_attributes(&self, name: &OsStr, node: &mut Node) -> io::Result<()>;
    /// Opens a folder in it, never through a link.
    fn open_folder(&self, name: &OsStr) -> io::Result<Arc<dyn Folder>>;
    /// Opens a regular file in it: never through a link, and never waiting for the other end of
    /// a pipe.
    fn open_file(&self, name: &OsStr) -> io::Result<Box<dyn Content>>;
}

/// Where folders are opened by their paths, and no others than those that were configured.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Opens a folder by its path. Links above it are followed: they are the administrator's.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Folder>>;
    /// What stands at a path now.
    fn stamp(&self, path: &Path) -> io::Result<FolderStamp>;
}

/// The real disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct RealDisk(Arc<Owners>);

/// Names of users and groups, looked up once each.
#[derive(Debug, Default)]
struct Owners {
    users: Mutex<HashMap<u32, Option<String>>>,
    groups: Mutex<HashMap<u32, Option<String>>>,
}

impl Owners {
    fn user(&self, id: u32) -> Option<String> {
        cached(&self.users, id, || {
            Some(User::from_uid(Uid::from_raw(id)).ok()??.name)
        })
    }

    fn group(&self, id: u32) -> Option<String> {
        cached(&self.groups, id, || {
            Some(Group::from_gid(Gid::from_raw(id)).ok()??.name)
        })
    }
}

fn cached(
    names: &Mutex<HashMap<u32, Option<String>>>,
    id: u32,
    find: impl FnOnce() -> Option<String>,
) -> Option<String> {
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.entry(id).or_insert_with(find).clone()
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Folder>> {
        let folder = openat(AT_FDCWD, path, folder_flags(), Mode::empty())?;
        Ok(Arc::new(RealFolder {
            folder,
            owners: Arc::clone(&self.0),
        }))
    }

    fn stamp(&self, path: &Path) -> io::Result<FolderStamp> {
        fs::symlink_metadata(path).map(|meta| FolderStamp::of(&meta))
    }
}

fn folder_flags() -> OFlag {
    // A path descriptor needs no permission to list, which a folder above the roots may lack.
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

#[derive(Debug)]
struct RealFolder {
    folder: OwnedFd,
    owners: Arc<Owners>,
}

impl RealFolder {
    /// A path to an entry that goes through the descriptor, for calls that take only paths.
    fn at(&self, name: &OsStr) -> PathBuf {
        self.itself().join(name)
    }

    fn itself(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()))
    }
}

impl Folder for RealFolder {
    fn stamp(&self) -> io::Result<FolderStamp> {
        // Through the descriptor this follows no link but the descriptor itself.
        fs::metadata(self.itself()).map(|meta| FolderStamp::of(&meta))
    }

    fn names(&self) -> io::Result<Vec<io::Result<OsString>>> {
        let entries = fs::read_dir(self.itself())?;
        Ok(entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect())
    }

    fn look(&self, name: &OsStr) -> io::Result<Node> {
        let path = self.at(name);
        let meta = fs::symlink_metadata(&path)?;
        let kind = meta.file_type();
        let node_type = if kind.is_dir() {
            NodeType::Dir
        } else if kind.is_symlink() {
            NodeType::from_link(&fs::read_link(&path)?)
        } else if kind.is_block_device() {
            let device = meta.rdev();
            NodeType::Dev { device }
        } else if kind.is_char_device() {
            let device = meta.rdev();
            NodeType::Chardev { device }
        } else if kind.is_fifo() {
            NodeType::Fifo
        } else if kind.is_socket() {
            NodeType::Socket
        } else {
            NodeType::File
        };
        let time = |seconds, nanoseconds: i64| {
            Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or_default()).ok()
        };
        let modified = time(meta.mtime(), meta.mtime_nsec());
        let is_dir = kind.is_dir();
        let metadata = NodeMetadata {
            mode: Some(mode::to_go(meta.mode())),
            mtime: modified,
            // As restic's own default: what changes by being read is no change.
            atime: modified,
            ctime: time(meta.ctime(), meta.ctime_nsec()),
            uid: Some(meta.uid()),
            gid: Some(meta.gid()),
            user: self.owners.user(meta.uid()),
            group: self.owners.group(meta.gid()),
            inode: meta.ino(),
            device_id: if meta.nlink() > 1 && !is_dir {
                meta.dev()
            } else {
                0
            },
            size: if is_dir { 0 } else { meta.len() },
            links: if is_dir { 0 } else { meta.nlink() },
            extended_attributes: Vec::new(),
        };
        Ok(Node::new_node(name, node_type, metadata))
    }

    fn add_attributes(&self, name: &OsStr, node: &mut Node) -> io::Result<()> {
        let path = self.at(name);
        let mut names = match xattr::list(&path) {
            Ok(names) => names.peekable(),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            Err(error) => return Err(error),
        };
        if names.peek().is_none() {
            return Ok(());
        }
        // rustic_core passes over what it cannot read here.
        for name in names {
            xattr::get(&path, &name)?;
        }
        // Their type has no public name, so rustic_core has to make them.
        let entry = WalkBuilder::new(&path).max_depth(Some(0)).build().next();
        let entry = entry.and_then(std::result::Result::ok);
        let mapped =
            entry.and_then(|entry| LocalSourceSaveOptions::default().map_entry(entry).ok());
        let mapped = mapped.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        node.meta.extended_attributes = mapped.node.meta.extended_attributes;
        Ok(())
    }

    fn open_folder(&self, name: &OsStr) -> io::Result<Arc<dyn Folder>> {
        let flags = folder_flags() | OFlag::O_NOFOLLOW;
        let folder = openat(self.folder.as_fd(), name, flags, Mode::empty())?;
        Ok(Arc::new(Self {
            folder,
            owners: Arc::clone(&self.owners),
        }))
    }

    fn open_file(&self, name: &OsStr) -> io::Result<Box<dyn Content>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(self.folder.as_fd(), name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file any more"));
        }
        Ok(Box::new(RealContent(file)))
    }
}

#[derive(Debug)]
struct RealContent(File);

impl Read for RealContent {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Content for RealContent {
    fn stamp(&self) -> io::Result<FileStamp> {
        let meta = self.0.metadata()?;
        Ok((meta.size(), meta.mtime(), meta.mtime_nsec()))
    }
}
