//! What the index names, held against what the storage lists.
//!
//! A pack that vanished shows nowhere else until something in it is restored: the index still
//! names it, so rustic_core takes its content for stored and does not send it again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rustic_core::repofile::{IndexFile, Node};
use rustic_core::{BlobId, FileType, Id, TreeId};

use crate::cause::{Else, explain, from_fault};
use crate::error::{Error, Result};
use crate::repository::{IndexedIds, Repository};
use crate::snapshot::{Filter, Snapshot, list, tree_of};

/// Packs that the index names and the storage does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackComparison {
    /// How many packs the index names.
    pub indexed: usize,
    /// Ids of those that are not there.
    pub missing: Vec<String>,
    /// Ids of those that are there in another length than the index says.
    pub shortened: Vec<String>,
    /// Snapshots that hold something which was only in these packs, in their order.
    pub suffering: Vec<Snapshot>,
}

impl PackComparison {
    /// Whether every pack is there in its full length.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.shortened.is_empty()
    }
}

/// What is really stored, as far as index and listing tell.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    blobs: HashSet<BlobId>,
    pub(crate) comparison: PackComparison,
}

impl Stored {
    pub(crate) fn has(&self, id: &BlobId) -> bool {
        self.blobs.contains(id)
    }

    fn holds_file(&self, node: &Node) -> bool {
        node.content
            .iter()
            .flatten()
            .all(|id| self.has(&BlobId::from(*id)))
    }
}

/// Compares the packs that the index names with those that the storage lists, without reading
/// any, and finds the snapshots that suffer. One listing, however many packs there are; trees are
/// read only where something is missing.
///
/// # Errors
/// What befell the repository.
pub fn compare(repository: &Repository) -> Result<PackComparison> {
    let stored = stored(repository)?;
    suffering(repository, stored)
}

pub(crate) fn stored(repository: &Repository) -> Result<Stored> {
    let store = repository.store();
    let damaged = |error: Box<rustic_core::RusticError>| explain(store, &error, Else::Damaged);
    let mut packs: HashMap<Id, (u32, Vec<BlobId>)> = HashMap::new();
    for file in repository
        .raw()
        .stream_files::<IndexFile>()
        .map_err(damaged)?
    {
        let (_, file) = file.map_err(damaged)?;
        for pack in file.packs {
            let blobs = pack.blobs.iter().map(|blob| blob.id).collect();
            packs.insert(*pack.id, (pack.pack_size(), blobs));
        }
    }
    // Listed after the index was read: what another machine adds meanwhile is not missed.
    let listed: HashMap<Id, u32> = store
        .files(FileType::Pack)
        .map_err(|fault| from_fault(store.location(), fault))?
        .into_iter()
        .collect();
    let mut stored = Stored::default();
    stored.comparison.indexed = packs.len();
    for (id, (size, blobs)) in packs {
        match listed.get(&id) {
            Some(found) if *found == size => stored.blobs.extend(blobs),
            Some(_) => stored.comparison.shortened.push(hex(&id)),
            None => stored.comparison.missing.push(hex(&id)),
        }
    }
    stored.comparison.missing.sort();
    stored.comparison.shortened.sort();
    Ok(stored)
}

fn hex(id: &Id) -> String {
    id.to_hex().as_str().to_owned()
}

/// Completes a comparison with the snapshots that suffer.
pub(crate) fn suffering(repository: &Repository, stored: Stored) -> Result<PackComparison> {
    let mut comparison = stored.comparison.clone();
    if comparison.is_whole() {
        return Ok(comparison);
    }
    let index = repository.indexed_ids()?;
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    let mut known = HashMap::new();
    for snapshot in list(repository, &all)? {
        let tree = tree_of(repository, &snapshot)?;
        if !is_whole(repository, &index, &stored, tree, &mut known)? {
            comparison.suffering.push(snapshot);
        }
    }
    Ok(comparison)
}

/// Whether all that is in a tree is stored. Trees that snapshots share are looked at once.
fn is_whole(
    repository: &Repository,
    index: &IndexedIds,
    stored: &Stored,
    tree: TreeId,
    known: &mut HashMap<TreeId, bool>,
) -> Result<bool> {
    if let Some(whole) = known.get(&tree) {
        return Ok(*whole);
    }
    let mut whole = stored.has(&BlobId::from(tree));
    if whole {
        match repository.reading(|| index.get_tree(&tree)) {
            Ok(read) => {
                for node in &read.nodes {
                    whole = whole && stored.holds_file(node);
                    if let Some(subtree) = node.subtree {
                        whole = whole && is_whole(repository, index, stored, subtree, known)?;
                    }
                }
            }
            Err(Error::Damaged { .. }) => whole = false,
            Err(error) => return Err(error),
        }
    }
    known.insert(tree, whole);
    Ok(whole)
}

/// Goes through all files of a tree; returns those files and folders of which a part is not
/// stored.
pub(crate) fn each_file(
    repository: &Repository,
    index: &IndexedIds,
    stored: &Stored,
    root: TreeId,
    mut visit: impl FnMut(&Path, &Node),
) -> Result<Vec<PathBuf>> {
    let mut lost = Vec::new();
    let mut waiting = vec![(PathBuf::from("/"), root)];
    while let Some((path, tree)) = waiting.pop() {
        let read = match stored.has(&BlobId::from(tree)) {
            true => repository.reading(|| index.get_tree(&tree)),
            false => {
                lost.push(path);
                continue;
            }
        };
        let tree = match read {
            Ok(tree) => tree,
            Err(Error::Damaged { .. }) => {
                lost.push(path);
                continue;
            }
            Err(error) => return Err(error),
        };
        for node in tree.nodes {
            let inner = path.join(node.name());
            match node.subtree {
                Some(subtree) => waiting.push((inner, subtree)),
                None if node.is_dir() => lost.push(inner),
                None => {
                    if node.is_file() && !stored.holds_file(&node) {
                        lost.push(inner.clone());
                    }
                    if node.is_file() {
                        visit(&inner, &node);
                    }
                }
            }
        }
    }
    Ok(lost)
}
