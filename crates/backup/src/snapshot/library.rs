//! Which snapshots hold an Immich drive. A repository may hold others: a PC's documents, say.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustic_core::repofile::{Node, Tree};

use super::browse::{folder_at, list, tree};
use super::{Filter, Snapshot};
use crate::error::{Error, Result};
use crate::repository::Repository;

/// Immich's folders of originals; a media folder has at least one of them.
const ORIGINALS: [&str; 2] = ["upload", "library"];
/// Immich's folder for the dumps of its database.
const BACKUPS: &str = "backups";
/// How the names of dumps end.
const DUMPS: [&str; 4] = [".sql.gz", ".sql", ".dump", ".dump.gz"];

/// What a snapshot holds of an Immich drive, by absolute paths in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The media folder.
    pub media: PathBuf,
    /// The folder that the media folder is in: the drive's root as it was mounted.
    pub root: PathBuf,
    /// The folders in the media folder, sorted by name.
    pub folders: Vec<String>,
    /// The dumps of the database that are not empty, sorted by name. Which is the newest is for
    /// what is recorded in them to tell, not for their names.
    pub dumps: Vec<PathBuf>,
}

/// What "latest" is, and what was passed over on the way to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// The newest snapshot that holds an Immich drive and lacks nothing.
    pub snapshot: Option<Snapshot>,
    /// What it holds.
    pub library: Option<Library>,
    /// Newer ones that hold an Immich drive and are incomplete, newest first; see
    /// [`Snapshot::lacks`].
    pub incomplete: Vec<Snapshot>,
    /// How many newer ones hold something else.
    pub others: usize,
    /// Newer ones of which cannot be read what they hold, newest first.
    pub unreadable: Vec<Snapshot>,
}

/// What a snapshot holds of an Immich drive: a media folder with originals and at least one dump.
/// `None` if it holds none, whatever its names, tags and label say.
///
/// # Errors
/// What befell the repository; `Damaged` if its folders cannot be read.
pub fn library(repository: &Repository, snapshot: &Snapshot) -> Result<Option<Library>> {
    // A path that was backed up is the media folder, or in it, or holds it.
    let mut candidates: Vec<PathBuf> = Vec::new();
    for path in &snapshot.paths {
        candidates.push(path.clone());
        candidates.extend(path.parent().map(Path::to_path_buf));
    }
    for path in &snapshot.paths {
        if let Some(folder) = folder_at(repository, snapshot, path)? {
            let inner = folder.nodes.iter().filter(|node| node.is_dir());
            candidates.extend(inner.map(|node| path.join(node.name())));
        }
    }
    let mut seen = std::collections::HashSet::new();
    candidates.retain(|path| seen.insert(path.clone()));
    for media in candidates {
        let Some(folder) = folder_at(repository, snapshot, &media)? else {
            continue;
        };
        if let Some(library) = library_in(repository, &media, &folder)? {
            return Ok(Some(library));
        }
    }
    Ok(None)
}

fn library_in(repository: &Repository, media: &Path, folder: &Tree) -> Result<Option<Library>> {
    let named = |name: &str| {
        let is = |node: &&Node| node.is_dir() && node.name() == OsStr::new(name);
        folder.nodes.iter().find(is)
    };
    if !ORIGINALS.iter().any(|name| named(name).is_some()) {
        return Ok(None);
    }
    let Some(backups) = named(BACKUPS).and_then(|node| node.subtree) else {
        return Ok(None);
    };
    let mut dumps: Vec<PathBuf> = tree(repository, &*repository.indexed()?, backups)?
        .nodes
        .iter()
        .filter(|node| node.is_file() && node.meta.size > 0)
        .filter(|node| {
            let name = node.name();
            let name = name.to_string_lossy();
            DUMPS.iter().any(|ending| name.ends_with(ending))
        })
        .map(|node| media.join(BACKUPS).join(node.name()))
        .collect();
    if dumps.is_empty() {
        return Ok(None);
    }
    dumps.sort();
    Ok(Some(Library {
        root: media.parent().unwrap_or(media).to_path_buf(),
        folders: folder
            .nodes
            .iter()
            .filter(|node| node.is_dir())
            .map(|node| node.name().to_string_lossy().into_owned())
            .collect(),
        media: media.to_path_buf(),
        dumps,
    }))
}

/// The newest snapshot that holds an Immich drive and is complete, among those that pass the
/// filter, and what newer ones there are.
///
/// # Errors
/// What befell the repository.
pub fn latest_library(repository: &Repository, filter: &Filter) -> Result<Latest> {
    let all = Filter {
        incomplete: true,
        ..filter.clone()
    };
    let mut latest = Latest::default();
    for snapshot in list(repository, &all)?.into_iter().rev() {
        match library(repository, &snapshot) {
            Ok(Some(library)) if snapshot.complete => {
                latest.snapshot = Some(snapshot);
                latest.library = Some(library);
                break;
            }
            Ok(Some(_)) => latest.incomplete.push(snapshot),
            Ok(None) => latest.others += 1,
            Err(Error::Damaged { .. } | Error::NotInSnapshot { .. }) => {
                latest.unreadable.push(snapshot);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(latest)
}
