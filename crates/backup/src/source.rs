//! The files to back up, as rustic_core reads them, under watch.
//!
//! rustic_core leaves out what it cannot list or read and says so in its log only. Everything it
//! lists and reads goes through here, so every failure is seen where it happens.

pub(crate) mod disk;
mod walk;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::overrides::Override;
use rustic_core::{ErrorKind, Excludes, ReadSource, ReadSourceOpen, RusticError, RusticResult};

use crate::error::{Error, Result};
use crate::snapshot::{BackupPlan, Reason, Skipped};
use crate::storage::Store;
use disk::{Content, Disk, FileStamp, Folder, FolderStamp};
pub(crate) use walk::Entries;

/// What was seen while the source was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Entries other than folders that were handed to rustic_core.
    pub(crate) entries: AtomicU64,
    /// Of these, those whose content could not be read to the end.
    pub(crate) unread: AtomicU64,
    pub(crate) skipped: Mutex<Vec<Skipped>>,
    pub(crate) changed: Mutex<Vec<PathBuf>>,
    /// Folders of originals, and folders that another file system is mounted on, as they were
    /// when they were listed.
    folders: Mutex<Vec<(PathBuf, FolderStamp)>>,
}

/// Paths that a person wants backed up.
#[derive(Debug)]
pub(crate) struct Source {
    disk: Arc<dyn Disk>,
    roots: Arc<[Root]>,
    paths: Vec<PathBuf>,
    globs: Arc<Globs>,
    watch: Watch,
}

/// A path to back up, and the open folder that it is in.
#[derive(Debug, Clone)]
struct Root {
    path: PathBuf,
    folder: Arc<dyn Folder>,
    name: OsString,
    /// The root itself, if it is a folder, when the backup began.
    stamp: Option<FolderStamp>,
}

/// What is left out.
#[derive(Debug)]
struct Globs(Override);

impl Globs {
    fn new(excludes: &[String]) -> std::result::Result<Self, String> {
        if excludes.iter().any(|pattern| pattern.starts_with('!')) {
            return Err("an exclude pattern begins with \"!\"".to_owned());
        }
        let mut globs = Excludes::default();
        globs.globs = excludes.iter().map(|glob| format!("!{glob}")).collect();
        globs
            .as_override()
            .map(Self)
            .map_err(|error| crate::cause::brief(&error.to_string()))
    }

    fn excludes(&self, path: &Path, is_dir: bool) -> bool {
        self.0.matched(path, is_dir).is_ignore()
    }
}

#[derive(Debug, Clone)]
struct Watch {
    seen: Arc<Seen>,
    originals: Arc<[PathBuf]>,
    derived: Arc<[PathBuf]>,
    /// The devices that the roots are on.
    devices: Arc<[u64]>,
    /// Reading stops when this can take no more.
    store: Store,
}

impl Source {
    /// Opens the roots; walks none of them yet.
    pub(crate) fn new(plan: &BackupPlan, store: Store, disk: Arc<dyn Disk>) -> Result<Self> {
        let invalid = |why: String| Error::Source {
            path: plan.paths.first().cloned().unwrap_or_default(),
            source: io::Error::new(io::ErrorKind::InvalidInput, why),
        };
        let watch = Watch {
            seen: Arc::default(),
            originals: plan.originals.as_slice().into(),
            derived: plan.derived.as_slice().into(),
            devices: Arc::default(),
            store,
        };
        let roots = roots(plan, disk.as_ref(), &watch)?;
        if roots.is_empty() {
            return Err(invalid("no path is given".to_owned()));
        }
        let devices: Vec<u64> = roots
            .iter()
            .filter_map(|root| Some(root.stamp?.device))
            .collect();
        Ok(Self {
            disk,
            paths: roots.iter().map(|root| root.path.clone()).collect(),
            roots: roots.into(),
            globs: Arc::new(Globs::new(&plan.excludes).map_err(invalid)?),
            watch: Watch {
                devices: devices.into(),
                ..watch
            },
        })
    }

    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.watch.seen)
    }

    /// The same source, to be walked once more and watched anew.
    pub(crate) fn again(&self) -> Self {
        Self {
            disk: Arc::clone(&self.disk),
            roots: Arc::clone(&self.roots),
            paths: self.paths.clone(),
            globs: Arc::clone(&self.globs),
            watch: Watch {
                seen: Arc::default(),
                ..self.watch.clone()
            },
        }
    }

    /// The folders of originals in which something came or went since they were listed.
    ///
    /// # Errors
    /// [`Error::SourceGone`] if a root, or a file system mounted in one, is not there any more:
    /// whatever was not found then was perhaps never looked for.
    pub(crate) fn unsettled(&self) -> Result<Vec<PathBuf>> {
        let gone = |path: &Path, cause: String| Error::SourceGone {
            path: path.to_path_buf(),
            cause,
        };
        for root in self.roots.iter() {
            let Some(then) = root.stamp else { continue };
            match self.disk.stamp(&root.path) {
                Ok(now) if now.same_folder(&then) => {}
                Ok(_) => {
                    let cause = "another folder is in its place".to_owned();
                    return Err(gone(&root.path, cause));
                }
                Err(error) => return Err(gone(&root.path, error.to_string())),
            }
        }
        let folders = self.watch.seen.folders.lock();
        let folders = folders.unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (path, then) in folders.iter() {
            let mounted = !self.watch.devices.contains(&then.device);
            match self.disk.stamp(path) {
                Ok(now) if now == *then => {}
                Ok(now) if mounted && now.device != then.device => {
                    let cause = "the file system mounted there is gone".to_owned();
                    return Err(gone(path, cause));
                }
                Ok(_) => changed.push(path.clone()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    changed.push(path.clone());
                }
                Err(error) => return Err(gone(path, error.to_string())),
            }
        }
        Ok(changed)
    }
}

/// The paths sorted, each once, none within another; all there. An original behind a link is
/// refused; anything else that is a link is saved as one, and told.
fn roots(plan: &BackupPlan, disk: &dyn Disk, watch: &Watch) -> Result<Vec<Root>> {
    let mut roots: Vec<Root> = Vec::new();
    let sorted: BTreeSet<PathBuf> = plan
        .paths
        .iter()
        .map(|path| path.components().collect())
        .collect();
    for path in sorted {
        let refuse = |source| Error::Source {
            path: path.clone(),
            source,
        };
        let invalid = |why| refuse(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..") {
            return Err(invalid("the path is not absolute"));
        }
        if roots.iter().any(|root| path.starts_with(&root.path)) {
            continue;
        }
        let name = path
            .file_name()
            .ok_or_else(|| invalid("the whole system cannot be backed up"))?
            .to_owned();
        let folder = holder(plan, disk, &path).map_err(refuse)?;
        let node = folder.look(&name).map_err(refuse)?;
        if node.is_symlink() && watch.is_original(&path) {
            return Err(invalid("it is a symbolic link"));
        }
        let stamp = if node.is_dir() {
            let opened = folder.open_folder(&name).and_then(|root| root.stamp());
            Some(opened.map_err(refuse)?)
        } else {
            None
        };
        roots.push(Root {
            path,
            folder,
            name,
            stamp,
        });
    }
    Ok(roots)
}

/// The folder that a root is in. Within the media folder, which Immich can write to, no link is
/// followed on the way.
fn holder(plan: &BackupPlan, disk: &dyn Disk, path: &Path) -> io::Result<Arc<dyn Folder>> {
    let parent = path.parent().unwrap_or(path);
    match plan.media.as_deref() {
        Some(media) if parent.starts_with(media) => {
            let mut folder = disk.open(media)?;
            for name in parent.strip_prefix(media).unwrap_or(parent).iter() {
                folder = folder.open_folder(name)?;
            }
            Ok(folder)
        }
        _ => disk.open(parent),
    }
}

impl Watch {
    /// Whether what is at a path cannot be made again. What is not known to be derived is an
    /// original, where the plan says what is derived.
    fn is_original(&self, path: &Path) -> bool {
        let within = |folders: &[PathBuf]| folders.iter().any(|folder| path.starts_with(folder));
        within(&self.originals) || (!self.derived.is_empty() && !within(&self.derived))
    }

    fn skip_as(&self, path: &Path, reason: Reason, original: bool) {
        let skipped = Skipped {
            original,
            path: path.to_path_buf(),
            reason,
        };
        push(&self.seen.skipped, skipped);
    }

    fn skip(&self, path: &Path, reason: Reason) {
        self.skip_as(path, reason, self.is_original(path));
    }

    fn skip_for(&self, path: &Path, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Reason::Vanished,
            _ => Reason::Unreadable(error.to_string()),
        };
        self.skip(path, reason);
    }

    /// A folder that cannot be listed may hold anything: it counts as an original's unless it is
    /// known to be derived.
    fn skip_folder(&self, path: &Path, error: &io::Error) {
        let derived = self.derived.iter().any(|folder| path.starts_with(folder));
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Reason::Vanished,
            _ => Reason::Unreadable(error.to_string()),
        };
        self.skip_as(path, reason, !derived);
    }

    fn note_folder(&self, path: &Path, stamp: FolderStamp) {
        let within = |folder: &PathBuf| path.starts_with(folder) || folder.starts_with(path);
        if self.originals.iter().any(within) || !self.devices.contains(&stamp.device) {
            push(&self.seen.folders, (path.to_path_buf(), stamp));
        }
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

    /// For the progress bar only: what cannot be listed is told by the walk that counts.
    fn size(&self) -> RusticResult<Option<u64>> {
        let mut total = 0;
        let mut waiting = self.paths.clone();
        while let Some(path) = waiting.pop() {
            let Ok(meta) = fs::symlink_metadata(&path) else {
                continue;
            };
            if !self.paths.contains(&path) && self.globs.excludes(&path, meta.is_dir()) {
                continue;
            }
            if meta.is_file() {
                total += meta.len();
            } else if meta.is_dir()
                && let Ok(entries) = fs::read_dir(&path)
            {
                waiting.extend(entries.flatten().map(|entry| entry.path()));
            }
        }
        Ok(Some(total))
    }

    fn entries(&self) -> Entries {
        Entries::new(
            Arc::clone(&self.disk),
            Arc::clone(&self.roots),
            Arc::clone(&self.globs),
            self.watch.clone(),
        )
    }
}

/// A file to be read, once rustic_core has found that it needs to.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    folder: Arc<dyn Folder>,
    name: OsString,
    size: u64,
    watch: Watch,
}

impl ReadSourceOpen for Watched {
    type Reader = WatchedFile;

    fn open(self) -> RusticResult<WatchedFile> {
        let opened = self
            .folder
            .open_file(&self.name)
            .and_then(|content| Ok((content.stamp()?, content)));
        match opened {
            Ok((begun, content)) => Ok(WatchedFile {
                content,
                begun,
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
    content: Box<dyn Content>,
    what: Watched,
    begun: FileStamp,
    left: u64,
    over: bool,
}

impl WatchedFile {
    fn fail(&mut self, reason: Reason) {
        if !std::mem::replace(&mut self.over, true) {
            self.what.watch.skip(&self.what.path, reason);
            self.what.watch.seen.unread.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn end(&mut self) -> io::Result<usize> {
        if !self.over {
            let stamp = match self.content.stamp() {
                Ok(stamp) => stamp,
                Err(error) => {
                    self.fail(Reason::Unreadable(error.to_string()));
                    return Err(error);
                }
            };
            self.over = true;
            if stamp != self.begun || stamp.0 != self.what.size {
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
        match self.content.read(part) {
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
