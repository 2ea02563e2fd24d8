use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::sys::stat::{Mode, SFlag, mknod};
use rustic_core::TreeId;
use rustic_core::repofile::{Node, NodeType};

use super::{Loss, Problem, RestoreOptions, RestoreReport, metadata};
use crate::error::{Error, Result};
use crate::mode;
use crate::names::display_name;
use crate::progress::{PhaseSink, Unit};
use crate::repository::{Indexed, Repository};
use crate::snapshot::{Snapshot, node_at};

/// Files restored at once from a server, where waiting is most of the work.
const FROM_SERVER: usize = 8;
/// Files restored at once from a disk, which does not like to seek.
const FROM_DISK: usize = 2;

/// Restores what `path` holds in the snapshot into the folder `dest`: a folder's content goes
/// directly into `dest` (which takes its owner, mode and times too), a single file goes to
/// `dest/<its name>`.
///
/// One thing that cannot be restored does not keep the others from it: it is listed, and under its
/// name stands nothing, as a file of zero bytes or without its end would count as present.
///
/// Safe to repeat: what has the right content already is kept, every other part of a file is
/// written (under another name, until it is whole). All content is compared with its checksum, be it read from the repository or found at
/// the destination. Nothing else in `dest` is removed. Modes, times, extended attributes and (by
/// number) owners come back; everything is on the disk at the end.
///
/// # Errors
/// [`Error::RestoreIncomplete`] with the report if single things failed, everything else being
/// there; [`Error::Destination`] if the disk is full or read-only; else what befell the whole
/// repository.
pub fn run(
    repository: &Repository,
    snapshot: &Snapshot,
    path: &Path,
    dest: &Path,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let begin = Instant::now();
    let root = node_at(repository, snapshot, path)?;
    let index = repository.indexed()?;
    fs::create_dir_all(dest).map_err(destination(dest))?;
    let phase = repository.phase("restoring", Unit::Bytes);
    phase.set_total(total(&index, snapshot, path, &root));

    let job = Job {
        repository,
        index: &index,
        options: *options,
        phase,
        stop: AtomicBool::new(false),
        state: Mutex::default(),
        dest: dest.to_path_buf(),
        path: match root.subtree {
            Some(_) => path.to_path_buf(),
            None => path.parent().unwrap_or(path).to_path_buf(),
        },
    };
    let (send, receive) = sync_channel(64);
    let receive = Mutex::new(receive);
    let workers = match repository.is_remote() {
        true => FROM_SERVER,
        false => FROM_DISK,
    };
    let mut later = Later::default();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| job.work(&receive));
        }
        // The workers end when the sender in it goes.
        let mut walk = Walk {
            files: send,
            first_names: HashMap::new(),
            later: &mut later,
        };
        match (root.subtree, path.file_name()) {
            (Some(subtree), _) => job.walk(subtree, dest, &mut walk),
            (None, Some(name)) => job.entry(dest.join(name), root.clone(), &mut walk),
            (None, None) => {}
        }
    });
    job.fatal()?;

    job.finish(later, &root, dest);
    job.fatal()?;
    File::open(dest)
        .and_then(|folder| nix::unistd::syncfs(&folder).map_err(io::Error::from))
        .map_err(destination(dest))?;

    job.phase.finish();
    let mut report = std::mem::take(&mut job.lock().report);
    report.duration = begin.elapsed();
    if report.problems.is_empty() && report.losses.is_empty() {
        Ok(report)
    } else {
        report.problems.sort_by(|a, b| a.path.cmp(&b.path));
        report.losses.sort_by(|a, b| a.path.cmp(&b.path));
        Err(Error::RestoreIncomplete(Box::new(report)))
    }
}

/// Bytes to restore: known for a whole snapshot, else counted.
fn total(index: &Indexed, snapshot: &Snapshot, path: &Path, root: &Node) -> u64 {
    let whole = snapshot.paths.iter().all(|inner| inner.starts_with(path));
    match (whole, snapshot.bytes) {
        (true, Some(bytes)) => bytes,
        _ => size(index, root),
    }
}

/// Bytes in a file or folder. What cannot be read does not count; restoring it will tell.
fn size(index: &Indexed, node: &Node) -> u64 {
    match (&node.node_type, node.subtree) {
        (NodeType::File, _) => node.meta.size,
        (_, Some(subtree)) => index.get_tree(&subtree).map_or(0, |tree| {
            tree.nodes.iter().map(|node| size(index, node)).sum()
        }),
        _ => 0,
    }
}

fn destination(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Destination {
        path: path.to_path_buf(),
        source,
    }
}

/// A restore under way.
pub(super) struct Job<'a> {
    pub(super) repository: &'a Repository,
    pub(super) index: &'a Indexed,
    options: RestoreOptions,
    pub(super) phase: Arc<dyn PhaseSink>,
    stop: AtomicBool,
    state: Mutex<State>,
    dest: PathBuf,
    /// The folder of the snapshot that goes to `dest`.
    path: PathBuf,
}

#[derive(Default)]
struct State {
    report: RestoreReport,
    fatal: Option<Error>,
}

/// A regular file to restore.
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) node: Node,
}

/// What goes along on the walk through the snapshot.
struct Walk<'a> {
    files: SyncSender<Item>,
    /// The first name of every file that has several.
    first_names: HashMap<(u64, u64), PathBuf>,
    later: &'a mut Later,
}

/// What is done after all files are there.
#[derive(Default)]
struct Later {
    /// Further names of files that have several.
    links: Vec<(PathBuf, PathBuf, u64)>,
    /// Folders, outer ones first; their times change with everything made in them.
    folders: Vec<Item>,
}

/// Why something was not restored.
pub(super) enum Failure {
    /// Nothing can be restored any more.
    Fatal(Error),
    /// This one thing cannot.
    Loss(String),
}

impl Failure {
    /// A failure to `what` the destination, which may be the whole disk's: full, read-only, gone.
    /// A bad spot of the disk costs what would be written there.
    pub(super) fn io(what: &str, path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let disk = matches!(
            error.kind(),
            Kind::StorageFull | Kind::QuotaExceeded | Kind::ReadOnlyFilesystem
        ) || matches!(
            error.raw_os_error(),
            Some(nix::libc::ENODEV | nix::libc::ENXIO)
        );
        if disk {
            Self::Fatal(destination(path)(error))
        } else {
            Self::Loss(format!("cannot {what} it: {error}"))
        }
    }
}

impl Job<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fatal(&self) -> Result<()> {
        self.lock().fatal.take().map_or(Ok(()), Err)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn count(&self, count: impl FnOnce(&mut RestoreReport)) {
        count(&mut self.lock().report);
    }

    fn stop_for(&self, error: Error) {
        self.lock().fatal.get_or_insert(error);
        self.stop.store(true, Ordering::SeqCst);
    }

    fn lose(&self, path: &Path, is_folder: bool, failure: Failure) {
        match failure {
            Failure::Loss(why) => {
                let within = path.strip_prefix(&self.dest).unwrap_or(path);
                let loss = Loss {
                    in_snapshot: self.path.join(within),
                    path: path.to_path_buf(),
                    is_folder,
                    why,
                };
                self.lock().report.losses.push(loss);
            }
            Failure::Fatal(error) => self.stop_for(error),
        }
    }

    fn set_metadata(&self, path: &Path, node: &Node) {
        for failure in metadata::apply(path, node, self.options.owners) {
            match failure {
                Failure::Loss(what) => self.lock().report.problems.push(Problem {
                    path: path.to_path_buf(),
                    what,
                }),
                Failure::Fatal(error) => self.stop_for(error),
            }
        }
    }

    /// Restores files until there are no more. Goes on taking them after a stop, so that the walk
    /// is never left waiting.
    fn work(&self, receive: &Mutex<Receiver<Item>>) {
        loop {
            let next = receive
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(item) = next else { return };
            if self.stopped() {
                continue;
            }
            match self.content(&item) {
                Ok(done) => {
                    self.set_metadata(&item.path, &item.node);
                    self.count(|report| {
                        let files = match done.written {
                            true => &mut report.files_restored,
                            false => &mut report.files_kept,
                        };
                        *files += 1;
                        report.bytes_restored += done.bytes_written;
                        report.bytes_kept += done.bytes_kept;
                    });
                }
                Err(failure) => self.lose(&item.path, false, failure),
            }
        }
    }

    /// Goes through a folder of the snapshot: makes folders and links, hands on files. A folder
    /// that is damaged is noted, and does not keep the others from being restored.
    fn walk(&self, folder: TreeId, dest: &Path, walk: &mut Walk<'_>) {
        let tree = match self.repository.reading(|| self.index.get_tree(&folder)) {
            Ok(tree) => tree,
            Err(Error::Damaged { cause, .. }) => {
                let what = format!("what it holds cannot be read: {cause}");
                return self.lose(dest, true, Failure::Loss(what));
            }
            Err(error) => return self.stop_for(error),
        };
        for node in tree.nodes {
            if self.stopped() {
                return;
            }
            let name = node.name().into_owned();
            let mut parts = Path::new(&name).components();
            let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
                let what = "its name in the snapshot is no file name".to_owned();
                let shown = dest.join(display_name(&name).replace('/', "\\x2f"));
                self.lose(&shown, node.is_dir(), Failure::Loss(what));
                continue;
            };
            self.entry(dest.join(name), node, walk);
        }
    }

    fn entry(&self, path: PathBuf, node: Node, walk: &mut Walk<'_>) {
        match (&node.node_type, node.subtree) {
            (NodeType::Dir, Some(subtree)) => {
                if let Err(failure) = make_folder(&path) {
                    return self.lose(&path, true, failure);
                }
                let inner = path.clone();
                walk.later.folders.push(Item { path, node });
                self.walk(subtree, &inner, walk);
            }
            (NodeType::File, _) => {
                if node.meta.links > 1 && node.meta.inode != 0 {
                    let key = (node.meta.device_id, node.meta.inode);
                    if let Some(first) = walk.first_names.get(&key) {
                        let link = (first.clone(), path, node.meta.size);
                        return walk.later.links.push(link);
                    }
                    walk.first_names.insert(key, path.clone());
                }
                // Cannot fail: the workers go on until the sender is gone.
                let _ = walk.files.send(Item { path, node });
            }
            _ => match make_other(&path, &node) {
                Ok(()) => {
                    self.set_metadata(&path, &node);
                    self.count(|report| report.others += 1);
                }
                Err(failure) => self.lose(&path, false, failure),
            },
        }
    }

    fn finish(&self, later: Later, root: &Node, dest: &Path) {
        for (first, path, size) in later.links {
            match link(&first, &path) {
                Ok(true) => self.count(|report| report.files_restored += 1),
                Ok(false) => self.count(|report| report.files_kept += 1),
                Err(failure) => self.lose(&path, false, failure),
            }
            self.phase.advance(size);
        }
        for folder in later.folders.iter().rev() {
            self.set_metadata(&folder.path, &folder.node);
            self.count(|report| report.folders += 1);
        }
        // The folder above everything has no metadata; any other has.
        if root.is_dir() && root.meta.mode.is_some() {
            self.set_metadata(dest, root);
        }
    }
}

/// Clears the way for something that is no folder; whether something of its kind may stay.
pub(super) fn clear(
    path: &Path,
    may_stay: impl Fn(&fs::Metadata) -> bool,
) -> Result<Option<fs::Metadata>, Failure> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("look at", path, error)),
    };
    if meta.is_dir() {
        return Err(Failure::Loss("a folder is in its place".to_owned()));
    }
    if may_stay(&meta) {
        return Ok(Some(meta));
    }
    fs::remove_file(path).map_err(|error| Failure::io("replace", path, error))?;
    Ok(None)
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            // Restored before, without write permission; as root this does not matter.
            if meta.mode() & 0o700 != 0o700 {
                let open = fs::Permissions::from_mode(meta.mode() & 0o7777 | 0o700);
                fs::set_permissions(path, open)
                    .map_err(|error| Failure::io("open", path, error))?;
            }
            return Ok(());
        }
        Ok(_) => fs::remove_file(path).map_err(|error| Failure::io("replace", path, error))?,
        Err(_) => {}
    }
    fs::create_dir(path).map_err(|error| Failure::io("make", path, error))
}

fn make_other(path: &Path, node: &Node) -> Result<(), Failure> {
    let make = |error| Failure::io("make", path, error);
    let (kind, device) = match &node.node_type {
        target @ NodeType::Symlink { .. } => {
            let target = target.to_link();
            let same = |meta: &fs::Metadata| {
                meta.is_symlink() && fs::read_link(path).is_ok_and(|link| link == target)
            };
            return match clear(path, same)? {
                Some(_) => Ok(()),
                None => std::os::unix::fs::symlink(target, path).map_err(make),
            };
        }
        NodeType::Dev { device } => (SFlag::S_IFBLK, *device),
        NodeType::Chardev { device } => (SFlag::S_IFCHR, *device),
        NodeType::Socket => (SFlag::S_IFSOCK, 0),
        _ => (SFlag::S_IFIFO, 0),
    };
    let same = |meta: &fs::Metadata| {
        let is = meta.file_type();
        match kind {
            SFlag::S_IFBLK => is.is_block_device() && meta.rdev() == device,
            SFlag::S_IFCHR => is.is_char_device() && meta.rdev() == device,
            SFlag::S_IFSOCK => is.is_socket(),
            _ => is.is_fifo(),
        }
    };
    if clear(path, same)?.is_some() {
        return Ok(());
    }
    let bits = Mode::from_bits_truncate(node.meta.mode.map_or(0o600, mode::from_go));
    mknod(path, kind, bits, device).map_err(|errno| make(errno.into()))
}

/// Gives a file another name; whether it did not have it already.
fn link(first: &Path, path: &Path) -> Result<bool, Failure> {
    let failed = |error| Failure::io("link", path, error);
    let target = fs::symlink_metadata(first).map_err(failed)?;
    let same = |meta: &fs::Metadata| (meta.dev(), meta.ino()) == (target.dev(), target.ino());
    match clear(path, same)? {
        Some(_) => Ok(false),
        None => fs::hard_link(first, path)
            .map(|()| true)
            .map_err(|error| Failure::io("link", path, error)),
    }
}
