//! A repository in a folder.
//!
//! Files are read and written by rustic_backend: to a temporary name, synced, renamed. Added here:
//! the folder is synced too, so that a file that was reported written survives a power cut on any
//! file system; a listing is whole or an error (rustic_backend logs an unreadable folder and goes
//! on); and nothing is written once the repository is not there any more, as when a disk was pulled
//! and its bare mount point remains.

use std::error::Error as _;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use rustic_backend::local::LocalBackend;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticError, WriteBackend};

use super::{Fault, FaultKind, Storage};

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    backend: LocalBackend,
    /// Device and inode of the config file when it was first seen.
    identity: OnceLock<(u64, u64)>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Result<Self, Fault> {
        let text = root
            .to_str()
            .ok_or_else(|| Fault::new(FaultKind::Unreachable, "the path is not valid UTF-8"))?;
        let backend = LocalBackend::new(text, []).map_err(|error| self::fault(&error))?;
        Ok(Self {
            root: root.to_path_buf(),
            backend,
            identity: OnceLock::new(),
        })
    }

    fn path(&self, tpe: FileType, id: &Id) -> PathBuf {
        PathBuf::from(self.backend.warmup_path(tpe, id))
    }

    /// That the repository is (still) the one that was opened.
    fn check_identity(&self) -> Result<(), Fault> {
        let Some(known) = self.identity.get() else {
            return Ok(());
        };
        match fs::metadata(self.root.join("config")) {
            Ok(meta) if (meta.dev(), meta.ino()) == *known => Ok(()),
            Ok(_) => Err(Fault::new(
                FaultKind::Unreachable,
                "another repository is there now",
            )),
            Err(error) => Err(Fault::new(
                FaultKind::Unreachable,
                format!("the repository is not there any more ({error})"),
            )),
        }
    }

    fn remember_identity(&self) {
        if let Ok(meta) = fs::metadata(self.root.join("config")) {
            self.identity.get_or_init(|| (meta.dev(), meta.ino()));
        }
    }

    /// A fault on one file may be the whole disk's.
    fn judge(&self, fault: Fault) -> Fault {
        match (&fault.kind, self.check_identity()) {
            (FaultKind::File, Err(gone)) => gone,
            _ => fault,
        }
    }

    fn list_folder(
        &self,
        folder: &Path,
        tpe: FileType,
        found: &mut Vec<(Id, u32)>,
    ) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            // restic makes the folders with the repository; a missing one holds nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && tpe == FileType::Pack {
                self.list_folder(&entry.path(), tpe, found)?;
            } else if kind.is_file()
                && let Some(id) = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| Id::parse_some(name, tpe))
            {
                found.push((id, size(&entry.metadata()?)));
            }
        }
        Ok(())
    }
}

/// Sizes are 32 bits in rustic_core; a longer file is no repository's, and is told by its size.
fn size(meta: &fs::Metadata) -> u32 {
    u32::try_from(meta.len()).unwrap_or(u32::MAX)
}

impl Storage for Folder {
    fn list(&self, tpe: FileType) -> Result<Vec<(Id, u32)>, Fault> {
        self.check_identity()?;
        let mut found = Vec::new();
        if tpe == FileType::Config {
            match fs::metadata(self.root.join("config")) {
                Ok(meta) => {
                    self.remember_identity();
                    found.push((Id::default(), size(&meta)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_fault(&error)),
            }
        } else {
            self.list_folder(&self.root.join(tpe.dirname()), tpe, &mut found)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::PermissionDenied => io_fault(&error),
                    _ => Fault::new(FaultKind::Unreachable, error.to_string()),
                })?;
        }
        Ok(found)
    }

    fn read(&self, tpe: FileType, id: &Id, range: Option<Range<u32>>) -> Result<Bytes, Fault> {
        match range {
            None => self.backend.read_full(tpe, id),
            Some(range) => {
                let length = range.end.saturating_sub(range.start);
                self.backend
                    .read_partial(tpe, id, false, range.start, length)
            }
        }
        .map_err(|error| self.judge(fault(&error)))
    }

    fn write(&self, tpe: FileType, id: &Id, content: BytesList) -> Result<(), Fault> {
        self.check_identity()?;
        self.backend
            .write_bytes(tpe, id, false, content)
            .map_err(|error| self.judge(write_fault(fault(&error))))?;
        if let Some(folder) = self.path(tpe, id).parent() {
            sync(folder)?;
        }
        if tpe == FileType::Config {
            self.remember_identity();
        }
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id) -> Result<(), Fault> {
        self.check_identity()?;
        self.backend
            .remove(tpe, id, false)
            .map_err(|error| self.judge(fault(&error)))
    }

    fn create(&self) -> Result<(), Fault> {
        self.backend
            .create()
            .map_err(|error| write_fault(fault(&error)))?;
        sync(&self.root.join("data"))?;
        sync(&self.root)?;
        self.root.parent().map_or(Ok(()), sync)
    }
}

fn sync(folder: &Path) -> Result<(), Fault> {
    appliance_files::sync_dir(folder).map_err(|error| write_fault(io_fault(&error.source)))
}

/// A write that fails for no reason of its own (an I/O error, a vanished folder) is the disk's.
fn write_fault(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::File => Fault::new(FaultKind::Unreachable, fault.cause),
        _ => fault,
    }
}

fn fault(error: &RusticError) -> Fault {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return io_fault(error);
        }
        source = cause.source();
    }
    Fault::new(FaultKind::File, crate::cause::brief(&error.to_string()))
}

fn io_fault(error: &io::Error) -> Fault {
    use io::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => FaultKind::NoSpace,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => FaultKind::Denied,
        _ => FaultKind::File,
    };
    Fault::new(kind, error.to_string())
}
