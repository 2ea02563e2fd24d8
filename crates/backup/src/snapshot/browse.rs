use std::path::{Component, Path, PathBuf};

use rustic_core::repofile::{BlobType, Node, NodeType, SnapshotFile, SnapshotId, Tree};
use rustic_core::{BlobId, TreeId};

use super::take::LACKS;
use super::{Entry, Filter, INCOMPLETE, Kind, Snapshot, in_order, latest_library};
use crate::cause::{Else, explain, from_fault};
use crate::error::{Error, Result};
use crate::mode;
use crate::repository::{Indexed, Repository};

/// How the tag begins that counts the snapshots of a machine and label.
pub(super) const SEQUENCE: &str = "sequence-";

impl Snapshot {
    pub(super) fn from_file(file: &SnapshotFile) -> Self {
        let summary = file.summary.as_ref();
        Self {
            id: file.id.to_hex().as_str().to_owned(),
            time: file.time.clone(),
            host: file.hostname.clone(),
            label: file.label.clone(),
            tags: file
                .tags
                .iter()
                .filter(|tag| !tag.starts_with(SEQUENCE))
                .cloned()
                .collect(),
            paths: file.paths.iter().map(PathBuf::from).collect(),
            complete: !file.tags.contains(INCOMPLETE),
            files: summary.map(|summary| summary.total_files_processed),
            bytes: summary.map(|summary| summary.total_bytes_processed),
            description: file.description.clone(),
            parent: file
                .parent
                .map(|parent| parent.to_hex().as_str().to_owned()),
            sequence: file
                .tags
                .iter()
                .find_map(|tag| tag.strip_prefix(SEQUENCE)?.parse().ok()),
            lacks: file
                .description
                .iter()
                .flat_map(|text| text.lines())
                .filter_map(|line| line.strip_prefix(LACKS))
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl Filter {
    fn passes(&self, snapshot: &Snapshot) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        (self.incomplete || snapshot.complete)
            && same(&self.host, &snapshot.host)
            && same(&self.label, &snapshot.label)
            && self.tags.iter().all(|tag| snapshot.tags.contains(tag))
    }
}

/// All snapshots that pass the filter, oldest first by what is recorded in them (see
/// [`in_order`]). One whose file is damaged is left out, so that
/// the others can be used; [`check`](crate::check) names it.
///
/// # Errors
/// What befell the repository.
pub fn list(repository: &Repository, filter: &Filter) -> Result<Vec<Snapshot>> {
    let store = repository.store();
    let snapshots: Vec<Snapshot> = repository
        .raw()
        .stream_files::<SnapshotFile>()
        .map_err(|error| explain(store, &error, Else::Damaged))?
        .filter_map(|file| match file {
            Ok((id, mut file)) => {
                file.id = id;
                Some(Snapshot::from_file(&file))
            }
            Err(error) => {
                tracing::warn!(
                    "cannot read a snapshot: {}",
                    crate::cause::brief(&error.to_string())
                );
                None
            }
        })
        .collect();
    if let Some(fault) = store.fault() {
        return Err(from_fault(store.location(), fault));
    }
    // Ordered before they are filtered: one that is left out may tell the order of two others.
    let mut snapshots = in_order(snapshots);
    snapshots.retain(|snapshot| filter.passes(snapshot));
    Ok(snapshots)
}

/// The newest snapshot that passes the filter, whatever it holds; [`latest_library`] finds the
/// newest that holds an Immich drive.
///
/// # Errors
/// What befell the repository.
pub fn latest(repository: &Repository, filter: &Filter) -> Result<Option<Snapshot>> {
    Ok(list(repository, filter)?.pop())
}

/// The snapshot named by an id, the beginning of one, or "latest": the newest complete one that
/// holds an Immich drive, see [`latest_library`].
///
/// # Errors
/// [`Error::NoSnapshot`], [`Error::AmbiguousSnapshot`], or what befell the repository.
pub fn find(repository: &Repository, wanted: &str) -> Result<Snapshot> {
    let location = || repository.location().to_owned();
    let none = || Error::NoSnapshot {
        repository: location(),
        wanted: wanted.to_owned(),
    };
    if wanted == "latest" {
        return latest_library(repository, &Filter::default())?
            .snapshot
            .ok_or_else(none);
    }
    let wanted_hex = wanted.to_ascii_lowercase();
    if wanted_hex.is_empty() || !wanted_hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(none());
    }
    let failed =
        |error: Box<rustic_core::RusticError>| explain(repository.store(), &error, Else::Damaged);
    let mut matching = repository
        .raw()
        .list::<SnapshotId>()
        .map_err(failed)?
        .filter(|id| id.to_hex().as_str().starts_with(&wanted_hex));
    match (matching.next(), matching.next()) {
        (None, _) => Err(none()),
        (Some(_), Some(_)) => Err(Error::AmbiguousSnapshot {
            repository: location(),
            wanted: wanted.to_owned(),
        }),
        (Some(id), None) => {
            let mut file = repository.reading(|| repository.raw().get_file::<SnapshotFile>(&id))?;
            file.id = id;
            Ok(Snapshot::from_file(&file))
        }
    }
}

/// The entries directly in a folder of a snapshot, or the one entry if the path is a file's.
///
/// # Errors
/// [`Error::NotInSnapshot`], or what befell the repository.
pub fn ls(repository: &Repository, snapshot: &Snapshot, path: &Path) -> Result<Vec<Entry>> {
    let node = node_at(repository, snapshot, path)?;
    let Some(subtree) = node.subtree else {
        return Ok(vec![entry(path.to_path_buf(), &node)]);
    };
    let tree = tree(repository, &*repository.indexed()?, subtree)?;
    Ok(tree
        .nodes
        .iter()
        .map(|node| entry(path.join(node.name()), node))
        .collect())
}

/// All entries below a folder of a snapshot, each folder before what is in it, or the one
/// entry if the path is a file's.
///
/// # Errors
/// [`Error::NotInSnapshot`], or what befell the repository.
pub fn ls_recursive(
    repository: &Repository,
    snapshot: &Snapshot,
    path: &Path,
) -> Result<Vec<Entry>> {
    let index = repository.indexed()?;
    let node = node_at(repository, snapshot, path)?;
    if node.subtree.is_none() {
        return Ok(vec![entry(path.to_path_buf(), &node)]);
    }
    let mut all = Vec::new();
    // What is still to be looked into, the next one last.
    let mut waiting = vec![(path.to_path_buf(), node)];
    while let Some((path, node)) = waiting.pop() {
        if let Some(subtree) = node.subtree {
            let inside = tree(repository, &index, subtree)?.nodes.into_iter().rev();
            waiting.extend(inside.map(|node| (path.join(node.name()), node)));
        }
        all.push(entry(path, &node));
    }
    // The folder itself was asked for.
    all.remove(0);
    Ok(all)
}

/// The content of one file of a snapshot. For small files: it is held in memory.
///
/// # Errors
/// [`Error::NotInSnapshot`], or what befell the repository.
pub fn read_file(repository: &Repository, snapshot: &Snapshot, path: &Path) -> Result<Vec<u8>> {
    let node = node_at(repository, snapshot, path)?;
    if node.node_type != NodeType::File {
        return Err(not_in(snapshot, path));
    }
    let index = repository.indexed()?;
    let mut content = Vec::new();
    for id in node.content.iter().flatten() {
        let blob =
            repository.reading(|| index.get_blob_cached(&BlobId::from(*id), BlobType::Data))?;
        content.extend_from_slice(&blob);
    }
    Ok(content)
}

/// The tree of a snapshot, which begins with the folder above everything.
pub(crate) fn tree_of(repository: &Repository, snapshot: &Snapshot) -> Result<TreeId> {
    let id: SnapshotId = snapshot.id.parse().map_err(|_| Error::NoSnapshot {
        repository: repository.location().to_owned(),
        wanted: snapshot.id.clone(),
    })?;
    let file = repository.reading(|| repository.raw().get_file::<SnapshotFile>(&id))?;
    Ok(file.tree)
}

/// What a snapshot holds at a path; the folder above everything for `/`.
pub(crate) fn node_at(repository: &Repository, snapshot: &Snapshot, path: &Path) -> Result<Node> {
    let index = repository.indexed()?;
    let mut node = Node::new_node("".as_ref(), NodeType::Dir, Default::default());
    node.subtree = Some(tree_of(repository, snapshot)?);
    for part in path.components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::RootDir | Component::CurDir => continue,
            Component::ParentDir | Component::Prefix(_) => return Err(not_in(snapshot, path)),
        };
        let subtree = node.subtree.ok_or_else(|| not_in(snapshot, path))?;
        node = tree(repository, &index, subtree)?
            .nodes
            .into_iter()
            .find(|node| node.name() == name)
            .ok_or_else(|| not_in(snapshot, path))?;
    }
    Ok(node)
}

/// What is in a folder of a snapshot; `None` if there is no such folder.
pub(super) fn folder_at(
    repository: &Repository,
    snapshot: &Snapshot,
    path: &Path,
) -> Result<Option<Tree>> {
    match node_at(repository, snapshot, path) {
        Ok(node) => match node.subtree {
            Some(subtree) => tree(repository, &*repository.indexed()?, subtree).map(Some),
            None => Ok(None),
        },
        Err(Error::NotInSnapshot { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn tree(repository: &Repository, index: &Indexed, id: TreeId) -> Result<Tree> {
    repository.reading(|| index.get_tree(&id))
}

fn not_in(snapshot: &Snapshot, path: &Path) -> Error {
    Error::NotInSnapshot {
        snapshot: snapshot.short_id().to_owned(),
        path: path.to_path_buf(),
    }
}

fn entry(path: PathBuf, node: &Node) -> Entry {
    Entry {
        path,
        kind: match node.node_type {
            NodeType::File => Kind::File,
            NodeType::Dir => Kind::Folder,
            NodeType::Symlink { .. } => Kind::Symlink,
            _ => Kind::Special,
        },
        size: node.meta.size,
        mode: node.meta.mode.map_or(0, mode::from_go),
        modified: node.meta.mtime,
    }
}
