//! Where a repository's files are kept, and what keeps them from being reached.
//!
//! rustic_core talks to a [`Store`], which talks to a [`Storage`]: a folder or an S3 bucket. The
//! store remembers why reaching it failed, because rustic_core wraps, logs or swallows such errors
//! on their way up; and once it has failed for good it fails at once, so that a backup whose server
//! is gone ends soon instead of waiting anew for every file.

mod local;
mod s3;

use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::error::Result;
use crate::location::Location;
use crate::target::Address;

/// Why a repository's file could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// One line, without secrets.
    pub(crate) cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Nobody answers, or only with "try later".
    Unreachable,
    /// Refused.
    Denied,
    /// There is a server, and no such bucket.
    NoBucket,
    /// Full.
    NoSpace,
    /// This one file is not there or cannot be read; others may be.
    File,
    /// This one file is in an archive that has to be asked for it days before.
    Archived,
    /// The bucket is in another region: this one, if the server told.
    WrongRegion(Option<String>),
    /// This machine's clock and the server's differ: by so many seconds ours is ahead, if the
    /// server told its time.
    ClockSkewed(Option<i64>),
    /// The account may not spend more, or has been closed for not paying.
    SpendingCap,
    /// The key may do something, but not list what is in the bucket.
    MayNotList,
    /// The bucket takes only what is sent with a checksum that this was sent without.
    ChecksumMissing,
    /// Nobody that this machine trusts vouches for the server.
    Certificate,
    /// The server answers that it has too much to do.
    Busy,
}

impl FaultKind {
    /// Whether it is of one file, and others may be reached.
    fn is_of_one_file(&self) -> bool {
        matches!(self, Self::File | Self::Archived)
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, cause: impl Into<String>) -> Self {
        Self {
            kind,
            cause: cause.into(),
        }
    }
}

/// Files by type and id: what a repository needs of a place to be in.
pub(crate) trait Storage: Debug + Send + Sync + 'static {
    /// All files of a type with their sizes. Never a part of them: an error if any is uncertain.
    fn list(&self, tpe: FileType) -> Result<Vec<(Id, u32)>, Fault>;
    /// A file's content, or a range of it.
    fn read(&self, tpe: FileType, id: &Id, range: Option<Range<u32>>) -> Result<Bytes, Fault>;
    /// Writes a file whole and durably, or not at all.
    fn write(&self, tpe: FileType, id: &Id, content: BytesList) -> Result<(), Fault>;
    /// Removes a file.
    fn remove(&self, tpe: FileType, id: &Id) -> Result<(), Fault>;
    /// Makes the place ready for a new repository.
    fn create(&self) -> Result<(), Fault>;
}

/// Opens the storage that an address names, without touching it.
pub(crate) fn open(address: &Address, patience: std::time::Duration) -> Result<Store> {
    let location = address.location.to_string();
    let storage: Box<dyn Storage> = match &address.location {
        Location::Local(path) => Box::new(
            local::Folder::new(path).map_err(|fault| crate::cause::from_fault(&location, fault))?,
        ),
        Location::S3(s3) => Box::new(
            s3::Bucket::new(s3, address.credentials.as_ref(), patience)
                .map_err(|fault| crate::cause::from_fault(&location, fault))?,
        ),
    };
    Ok(Store::new(storage, location))
}

/// The storage in a folder, for tests to put something before it.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn local(path: &std::path::Path) -> Box<dyn Storage> {
    Box::new(local::Folder::new(path).unwrap())
}

/// A [`Storage`] as rustic_core wants it.
#[derive(Debug, Clone)]
pub(crate) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Box<dyn Storage>,
    location: String,
    /// The fault after which nothing is tried any more.
    failed: Mutex<Option<Fault>>,
    /// No space: reading is still possible, writing is not tried any more.
    full: AtomicBool,
    hold_snapshots: AtomicBool,
    held: Mutex<HashMap<Id, Bytes>>,
    /// Index and snapshot files that were written through this store, with their sizes.
    written: Mutex<Vec<(FileType, Id, u32)>>,
    last_snapshot: Mutex<Option<Id>>,
}

impl Store {
    pub(crate) fn new(storage: Box<dyn Storage>, location: String) -> Self {
        Self(Arc::new(Inner {
            storage,
            location,
            failed: Mutex::new(None),
            full: AtomicBool::new(false),
            hold_snapshots: AtomicBool::new(false),
            held: Mutex::default(),
            written: Mutex::default(),
            last_snapshot: Mutex::new(None),
        }))
    }

    /// The address, without secrets.
    pub(crate) fn location(&self) -> &str {
        &self.0.location
    }

    /// The first fault that was more than one file's.
    pub(crate) fn fault(&self) -> Option<Fault> {
        lock(&self.0.failed).clone()
    }

    /// Whether writing has failed for good.
    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.0.failed).is_some()
    }

    /// All files of a type with their sizes.
    pub(crate) fn files(&self, tpe: FileType) -> Result<Vec<(Id, u32)>, Fault> {
        let mut files = self.attempt(false, |storage| storage.list(tpe))?;
        if tpe == FileType::Snapshot {
            let size = |content: &Bytes| u32::try_from(content.len()).unwrap_or(u32::MAX);
            let held = lock(&self.0.held);
            files.extend(held.iter().map(|(id, content)| (*id, size(content))));
        }
        Ok(files)
    }

    /// Removes a file.
    pub(crate) fn delete(&self, tpe: FileType, id: &Id) -> Result<(), Fault> {
        self.attempt(true, |storage| storage.remove(tpe, id))
    }

    /// While the guard lives, snapshot files are kept in memory, where they can be read.
    ///
    /// rustic_core's archiver writes the snapshot as its last step, before anyone can look at what
    /// the archiver left out. Held back, the snapshot is written once, with its final tags, and
    /// the next walk can be compared with it.
    pub(crate) fn hold_snapshots(&self) -> HoldSnapshots<'_> {
        self.0.hold_snapshots.store(true, Ordering::SeqCst);
        HoldSnapshots(self)
    }

    /// The first index or snapshot file that was written through this store and is not listed, or
    /// not in its full length.
    pub(crate) fn lost_write(&self) -> Result<Option<(FileType, Id)>, Fault> {
        let written = lock(&self.0.written).clone();
        for tpe in [FileType::Index, FileType::Snapshot] {
            let listed: HashMap<Id, u32> = self.files(tpe)?.into_iter().collect();
            let lost = written
                .iter()
                .find(|(kind, id, size)| *kind == tpe && listed.get(id) != Some(size));
            if let Some((tpe, id, _)) = lost {
                return Ok(Some((*tpe, *id)));
            }
        }
        Ok(None)
    }

    /// The id of the snapshot that was written last through this store.
    pub(crate) fn last_snapshot(&self) -> Option<Id> {
        *lock(&self.0.last_snapshot)
    }

    fn attempt<T>(
        &self,
        writes: bool,
        act: impl FnOnce(&dyn Storage) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Some(fault) = self.fault()
            && (writes || !self.0.full.load(Ordering::SeqCst))
        {
            return Err(fault);
        }
        act(self.0.storage.as_ref()).inspect_err(|fault| {
            if !fault.kind.is_of_one_file() {
                if fault.kind == FaultKind::NoSpace {
                    self.0.full.store(true, Ordering::SeqCst);
                }
                lock(&self.0.failed).get_or_insert_with(|| fault.clone());
            }
        })
    }
}

/// A poisoned lock holds plain values that are valid at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See [`Store::hold_snapshots`].
#[derive(Debug)]
pub(crate) struct HoldSnapshots<'a>(&'a Store);

impl Drop for HoldSnapshots<'_> {
    fn drop(&mut self) {
        self.0.0.hold_snapshots.store(false, Ordering::SeqCst);
        lock(&self.0.0.held).clear();
    }
}

/// Carries a fault through rustic_core.
fn rustic(what: &str, tpe: FileType, id: &Id, fault: Fault) -> Box<RusticError> {
    RusticError::with_source(
        ErrorKind::Backend,
        format!("cannot {what} the {tpe} file {id}"),
        fault,
    )
}

impl ReadBackend for Store {
    fn location(&self) -> String {
        self.0.location.clone()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.files(tpe).map_err(|fault| {
            RusticError::with_source(
                ErrorKind::Backend,
                format!("cannot list the {tpe} files"),
                fault,
            )
        })
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        if tpe == FileType::Snapshot
            && let Some(content) = lock(&self.0.held).get(id)
        {
            return Ok(content.clone());
        }
        self.attempt(false, |storage| storage.read(tpe, id, None))
            .map_err(|fault| rustic("read", tpe, id, fault))
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let range = offset..offset.saturating_add(length);
        self.attempt(false, |storage| storage.read(tpe, id, Some(range)))
            .map_err(|fault| rustic("read", tpe, id, fault))
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        format!("{}/{}", tpe.dirname(), id.to_hex().as_str())
    }
}

impl WriteBackend for Store {
    fn create(&self) -> RusticResult<()> {
        self.attempt(true, |storage| storage.create())
            .map_err(|fault| {
                RusticError::with_source(
                    ErrorKind::Backend,
                    "cannot make the repository's folders",
                    fault,
                )
            })
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if tpe == FileType::Snapshot {
            if self.0.hold_snapshots.load(Ordering::SeqCst) {
                let content = content.into_vec().concat();
                lock(&self.0.held).insert(*id, content.into());
                return Ok(());
            }
            *lock(&self.0.last_snapshot) = Some(*id);
        }
        let size = u32::try_from(content.size()).unwrap_or(u32::MAX);
        self.attempt(true, |storage| storage.write(tpe, id, content))
            .map_err(|fault| rustic("write", tpe, id, fault))?;
        if matches!(tpe, FileType::Index | FileType::Snapshot) {
            lock(&self.0.written).push((tpe, *id, size));
        }
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        lock(&self.0.written).retain(|(kind, written, _)| (*kind, *written) != (tpe, *id));
        self.delete(tpe, id)
            .map_err(|fault| rustic("remove", tpe, id, fault))
    }
}
