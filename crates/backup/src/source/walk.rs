//! The walk through what is backed up.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustic_core::repofile::{Node, NodeType};
use rustic_core::{ReadSourceEntry, RusticResult};

use super::disk::{Disk, Folder};
use super::{Globs, Root, Watch, Watched};
use crate::snapshot::Reason;

/// The folders above the roots (so that their owners and modes are kept too), the roots and all
/// that is in them: each folder before what is in it, the names in each sorted, as rustic_core's
/// comparison with the snapshot before needs it.
pub(crate) struct Entries {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) roots: Arc<[Root]>,
    next_root: usize,
    pub(super) globs: Arc<Globs>,
    pub(super) watch: Watch,
    /// Folders above the roots that were given already.
    above: HashSet<PathBuf>,
    /// What is still to be given before the next root is begun.
    waiting: VecDeque<Met>,
    /// The folders being walked, innermost last.
    open: Vec<OpenFolder>,
}

/// An entry, and the open folder that it is in if it is to be read.
type Met = (PathBuf, Node, Option<Arc<dyn Folder>>);

struct OpenFolder {
    path: PathBuf,
    folder: Arc<dyn Folder>,
    names: std::vec::IntoIter<OsString>,
}

impl Entries {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        roots: Arc<[Root]>,
        globs: Arc<Globs>,
        watch: Watch,
    ) -> Self {
        Self {
            disk,
            roots,
            next_root: 0,
            globs,
            watch,
            above: HashSet::new(),
            waiting: VecDeque::new(),
            open: Vec::new(),
        }
    }

    fn next_entry(&mut self) -> Option<Met> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(entry);
            }
            if let Some(open) = self.open.last_mut() {
                let Some(name) = open.names.next() else {
                    self.open.pop();
                    continue;
                };
                let path = open.path.join(&name);
                let folder = Arc::clone(&open.folder);
                if let Some(node) = self.look(&folder, &path, &name, false) {
                    return Some((path, node, Some(folder)));
                }
                continue;
            }
            let root = self.roots.get(self.next_root)?.clone();
            self.next_root += 1;
            self.begin(&root);
        }
    }

    /// Gives the folders above a root, then the root.
    fn begin(&mut self, root: &Root) {
        let mut above: Vec<PathBuf> = root
            .path
            .ancestors()
            .skip(1)
            .filter(|path| path.file_name().is_some())
            .map(Path::to_path_buf)
            .collect();
        above.reverse();
        for path in above {
            if !self.above.insert(path.clone()) {
                continue;
            }
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let looked = self.disk.open(parent).and_then(|folder| {
                let mut node = folder.look(name)?;
                folder.add_attributes(name, &mut node)?;
                Ok(node)
            });
            match looked {
                // A link above the roots is the administrator's; in the snapshot it is a folder,
                // which rustic_core makes up.
                Ok(node) if node.is_dir() => self.waiting.push_back((path, node, None)),
                Ok(_) => {}
                Err(error) => {
                    self.watch
                        .skip_as(&path, Reason::Unreadable(error.to_string()), false)
                }
            }
        }
        if let Some(node) = self.look(&root.folder, &root.path, &root.name, true) {
            let folder = Arc::clone(&root.folder);
            self.waiting
                .push_back((root.path.clone(), node, Some(folder)));
        }
    }

    /// Looks at an entry, and opens it if it is a folder. What cannot be had is noted.
    fn look(
        &mut self,
        folder: &Arc<dyn Folder>,
        path: &Path,
        name: &OsStr,
        is_root: bool,
    ) -> Option<Node> {
        let mut node = match folder.look(name) {
            Ok(node) => node,
            Err(error) => {
                if is_root || !self.globs.excludes(path, false) {
                    self.watch.skip_for(path, &error);
                }
                return None;
            }
        };
        if !is_root && self.globs.excludes(path, node.is_dir()) {
            return None;
        }
        match folder.add_attributes(name, &mut node) {
            Ok(()) => {}
            // Gone meanwhile: what follows will find out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self
                .watch
                .skip(path, Reason::WithoutAttributes(error.to_string())),
        }
        if node.is_dir() {
            // A folder that cannot be opened or listed to its end is kept with what is known.
            self.descend(folder, path, name);
        } else if node.is_symlink() {
            let target = node.node_type.to_link().to_path_buf();
            if leads_out(path, &target, &self.roots) {
                self.watch.skip(path, Reason::LeadsOut(target));
            }
        }
        Some(node)
    }

    fn descend(&mut self, folder: &Arc<dyn Folder>, path: &Path, name: &OsStr) {
        let opened = folder.open_folder(name).and_then(|inner| {
            // Before the listing: whatever changes it from now on shows in the time.
            let stamp = inner.stamp()?;
            Ok((stamp, inner.names()?, inner))
        });
        let (stamp, listed, inner) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.watch.skip_folder(path, &error),
        };
        self.watch.note_folder(path, stamp);
        let mut names = Vec::with_capacity(listed.len());
        for name in listed {
            match name {
                Ok(name) => names.push(name),
                Err(error) => self.watch.skip_folder(path, &error),
            }
        }
        names.sort();
        names.dedup();
        self.open.push(OpenFolder {
            path: path.to_path_buf(),
            folder: inner,
            names: names.into_iter(),
        });
    }
}

/// Whether a link leads to something that the snapshot does not hold. Looks at names only: a
/// link on the way that leads out itself is met by the walk.
fn leads_out(link: &Path, target: &Path, roots: &[Root]) -> bool {
    let mut place = match link.parent() {
        Some(parent) => parent.to_path_buf(),
        None => PathBuf::from("/"),
    };
    for part in target.components() {
        match part {
            Component::RootDir => place = PathBuf::from("/"),
            Component::ParentDir => {
                place.pop();
            }
            Component::Normal(name) => place.push(name),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    !roots.iter().any(|root| place.starts_with(&root.path))
}

impl Iterator for Entries {
    type Item = RusticResult<ReadSourceEntry<Watched>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.watch.store.is_broken() {
            return None;
        }
        let (path, node, folder) = self.next_entry()?;
        if !node.is_dir() {
            self.watch.seen.entries.fetch_add(1, Ordering::Relaxed);
        }
        let is_file = matches!(node.node_type, NodeType::File);
        let open = folder.filter(|_| is_file).map(|folder| Watched {
            path: path.clone(),
            folder,
            name: node.name().into_owned(),
            size: node.meta.size,
            watch: self.watch.clone(),
        });
        Some(Ok(ReadSourceEntry { path, node, open }))
    }
}
