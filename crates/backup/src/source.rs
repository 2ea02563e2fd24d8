//! The files to back up, as rustic_core reads them, under watch.
//!
//! rustic_core leaves out what it cannot list or read and says so in its log only. Everything it
//! lists and reads goes through here, so every failure is seen where it happens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{Walk, WalkBuilder};
use nix::fcntl::OFlag;
use rustic_core::{
    ErrorKind, Excludes, LocalSourceSaveOptions, ReadSource, ReadSourceEntry, ReadSourceOpen,
    RusticError, RusticResult,
};

use crate::error::{Error, Result};
use crate::snapshot::{Reason, Skipped};
use crate::storage::Store;

/// What was seen while the source was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Entries other than folders that were handed to rustic_core.
    pub(crate) entries: AtomicU64,
    /// Of these, those whose content could not be read to the end.
    pub(crate) unread: AtomicU64,
    pub(crate) skipped: Mutex<Vec<Skipped>>,
    pub(crate) changed: Mutex<Vec<PathBuf>>,
}

/// Paths that a person wants backed up.
#[derive(Debug)]
pub(crate) struct Source {
    roots: Vec<PathBuf>,
    walk: WalkBuilder,
    watch: Watch,
}

#[derive(Debug, Clone)]
struct Watch {
    seen: Arc<Seen>,
    originals: Arc<[PathBuf]>,
    /// Reading stops when this can take no more.
    store: Store,
}

impl Source {
    /// Looks at the paths; walks none of them yet.
    pub(crate) fn new(
        paths: &[PathBuf],
        excludes: &[String],
        originals: &[PathBuf],
        store: Store,
    ) -> Result<Self> {
        let roots = roots(paths)?;
        let invalid = |why: String| Error::Source {
            path: roots.first().cloned().unwrap_or_default(),
            source: io::Error::new(io::ErrorKind::InvalidInput, why),
        };
        let Some(first) = roots.first() else {
            return Err(invalid("no path is given".to_owned()));
        };
        if excludes.iter().any(|pattern| pattern.starts_with('!')) {
            return Err(invalid("an exclude pattern begins with \"!\"".to_owned()));
        }
        let mut globs = Excludes::default();
        globs.globs = excludes.iter().map(|glob| format!("!{glob}")).collect();
        let globs = globs
            .as_override()
            .map_err(|error| invalid(crate::cause::brief(&error.to_string())))?;

        let mut walk = WalkBuilder::new(first);
        for root in roots.iter().skip(1) {
            walk.add(root);
        }
        // Nothing is hidden, no .gitignore or .ignore counts: only the excludes given here.
        walk.standard_filters(false)
            .follow_links(false)
            .sort_by_file_path(Path::cmp)
            .overrides(globs);
        Ok(Self {
            roots,
            walk,
            watch: Watch {
                seen: Arc::default(),
                originals: originals.into(),
                store,
            },
        })
    }

    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.watch.seen)
    }
}

/// The paths sorted, each once, none within another; all there, none a link.
fn roots(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut roots: Vec<PathBuf> = Vec::new();
    let sorted: BTreeSet<PathBuf> = paths
        .iter()
        .map(|path| path.components().collect())
        .collect();
    for path in sorted {
        let refuse = |source| Error::Source {
            path: path.clone(),
            source,
        };
        let meta = fs::symlink_metadata(&path).map_err(refuse)?;
        let why = if !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..") {
            "the path is not absolute"
        } else if meta.is_symlink() {
            "it is a symbolic link"
        } else {
            if !roots.last().is_some_and(|root| path.starts_with(root)) {
                roots.push(path);
            }
            continue;
        };
        return Err(refuse(io::Error::new(io::ErrorKind::InvalidInput, why)));
    }
    Ok(roots)
}

impl Watch {
    fn skip(&self, path: &Path, reason: Reason) {
        let skipped = Skipped {
            original: self.originals.iter().any(|folder| path.starts_with(folder)),
            path: path.to_path_buf(),
            reason,
        };
        push(&self.seen.skipped, skipped);
    }

    fn skip_for(&self, path: &Path, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Reason::Vanished,
            _ => Reason::Unreadable(error.to_string()),
        };
        self.skip(path, reason);
    }
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(item);
}

impl ReadSource for Source {
    type Open = Watched;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        // What cannot be listed is told by the walk that counts.
        let sizes = self.walk.build().filter_map(|entry| {
            let meta = entry.ok()?.metadata().ok()?;
            meta.is_file().then_some(meta.len())
        });
        Ok(Some(sizes.sum()))
    }

    fn entries(&self) -> Entries {
        Entries {
            walk: self.walk.build(),
            parents: parents(&self.roots).into_iter(),
            next_parent: None,
            pending: None,
            watch: self.watch.clone(),
        }
    }
}

/// All folders above the roots, outermost first.
fn parents(roots: &[PathBuf]) -> Vec<PathBuf> {
    let all: BTreeSet<PathBuf> = roots
        .iter()
        .flat_map(|root| root.ancestors().skip(1))
        .filter(|path| path.file_name().is_some())
        .map(Path::to_path_buf)
        .collect();
    all.into_iter().collect()
}

/// The folders above the roots (so that their owners and modes are kept too), the roots and all
/// that is in them, sorted by path.
pub(crate) struct Entries {
    walk: Walk,
    parents: std::vec::IntoIter<PathBuf>,
    next_parent: Option<PathBuf>,
    pending: Option<ignore::DirEntry>,
    watch: Watch,
}

impl Entries {
    /// The next entry that can be listed; those that cannot are noted.
    fn next_walked(&mut self) -> Option<ignore::DirEntry> {
        loop {
            match self.walk.next()? {
                Ok(entry) => return Some(entry),
                Err(error) => {
                    let path = path_of(&error).unwrap_or_default();
                    match error.io_error() {
                        Some(source) => self.watch.skip_for(&path, source),
                        None => self
                            .watch
                            .skip(&path, Reason::Unreadable(error.to_string())),
                    }
                }
            }
        }
    }

    /// Parents come before whatever sorts after them: merges the two sorted sequences.
    fn next_entry(&mut self) -> Option<ignore::DirEntry> {
        loop {
            if self.pending.is_none() {
                self.pending = self.next_walked();
            }
            if self.next_parent.is_none() {
                self.next_parent = self.parents.next();
            }
            // At the end of the walk no parent has anything below it.
            let pending = self.pending.as_ref()?;
            match self.next_parent.take() {
                Some(parent) if parent.as_path() < pending.path() => {
                    match WalkBuilder::new(&parent).max_depth(Some(0)).build().next() {
                        Some(Ok(entry)) => return Some(entry),
                        // rustic_core makes up a folder in its place.
                        _ => continue,
                    }
                }
                later => {
                    self.next_parent = later;
                    return self.pending.take();
                }
            }
        }
    }
}

/// The path that a walk's error names.
fn path_of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        ignore::Error::Loop { child, .. } => Some(child.clone()),
        _ => None,
    }
}

impl Iterator for Entries {
    type Item = RusticResult<ReadSourceEntry<Watched>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.watch.store.is_broken() {
                return None;
            }
            let entry = self.next_entry()?;
            let path = entry.path().to_path_buf();
            match LocalSourceSaveOptions::default().map_entry(entry) {
                Ok(ReadSourceEntry { node, .. }) => {
                    if !node.is_dir() {
                        self.watch.seen.entries.fetch_add(1, Ordering::Relaxed);
                    }
                    let open = Some(Watched {
                        path: path.clone(),
                        size: node.meta.size,
                        watch: self.watch.clone(),
                    });
                    return Some(Ok(ReadSourceEntry { path, node, open }));
                }
                // Gone since it was listed, most likely; the file system knows.
                Err(error) => match fs::symlink_metadata(&path) {
                    Err(source) => self.watch.skip_for(&path, &source),
                    Ok(_) => self
                        .watch
                        .skip(&path, Reason::Unreadable(error.to_string())),
                },
            }
        }
    }
}

/// A file to be read, once rustic_core has found that it needs to.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    size: u64,
    watch: Watch,
}

impl ReadSourceOpen for Watched {
    type Reader = WatchedFile;

    fn open(self) -> RusticResult<WatchedFile> {
        // Neither follows a link nor waits for a pipe, should the file have become one.
        let opened = fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
            .open(&self.path)
            .and_then(|file| match file.metadata()? {
                meta if meta.is_file() => Ok((file, meta)),
                _ => Err(io::Error::other("it is no regular file any more")),
            });
        match opened {
            Ok((file, meta)) => Ok(WatchedFile {
                file,
                begun: stamp(&meta),
                left: self.size,
                over: false,
                what: self,
            }),
            Err(error) => {
                self.watch.skip_for(&self.path, &error);
                self.watch.seen.unread.fetch_add(1, Ordering::Relaxed);
                Err(RusticError::with_source(
                    ErrorKind::InputOutput,
                    format!("cannot open {}", self.path.display()),
                    error,
                ))
            }
        }
    }
}

/// A file being read: exactly as many bytes as it had when it was listed, so that its recorded size
/// and its content agree.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    file: File,
    what: Watched,
    begun: Stamp,
    left: u64,
    over: bool,
}

type Stamp = (u64, i64, i64);

fn stamp(meta: &fs::Metadata) -> Stamp {
    (meta.size(), meta.mtime(), meta.mtime_nsec())
}

impl WatchedFile {
    fn fail(&mut self, reason: Reason) {
        if !std::mem::replace(&mut self.over, true) {
            self.what.watch.skip(&self.what.path, reason);
            self.what.watch.seen.unread.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn end(&mut self) -> io::Result<usize> {
        if !std::mem::replace(&mut self.over, true) {
            let meta = self.file.metadata()?;
            if stamp(&meta) != self.begun || meta.size() != self.what.size {
                push(&self.what.watch.seen.changed, self.what.path.clone());
            }
        }
        Ok(0)
    }
}

impl Read for WatchedFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buf.is_empty() {
            return if self.left == 0 { self.end() } else { Ok(0) };
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let Some(part) = buf.get_mut(..most) else {
            return Ok(0);
        };
        match self.file.read(part) {
            Ok(0) => {
                self.fail(Reason::Shrank);
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
            Ok(count) => {
                self.left = self.left.saturating_sub(count as u64);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.fail(Reason::Unreadable(error.to_string()));
                Err(error)
            }
        }
    }
}
