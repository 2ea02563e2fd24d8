//! `backup ls`

use std::path::PathBuf;

use appliance::backup::browse::{ListOptions, list};
use appliance_backup::snapshot::{Entry, Kind};
use appliance_terminal::{Report, Told, size, table};
use serde::Serialize;

use crate::cli::BackupLs;
use crate::run::Run;

#[derive(Debug, Serialize)]
struct Listed {
    path: PathBuf,
    kind: &'static str,
    size: u64,
    mode: u32,
    modified: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listing {
    snapshot: String,
    entries: Vec<Listed>,
}

/// Lists the files of a snapshot.
pub fn run(run: &Run, arguments: &BackupLs) -> anyhow::Result<Box<dyn Report>> {
    let options = ListOptions {
        snapshot: arguments.snapshot.clone(),
        path: arguments.path.clone(),
        recursive: arguments.recursive,
    };
    let (snapshot, entries) = list(&run.appliance(), &options)?;
    let listing = Listing {
        snapshot,
        entries: entries.into_iter().map(Listed::from).collect(),
    };
    Ok(Box::new(Told::new(listing, text)))
}

impl From<Entry> for Listed {
    fn from(entry: Entry) -> Self {
        Listed {
            kind: match entry.kind {
                Kind::File => "file",
                Kind::Folder => "folder",
                Kind::Symlink => "symlink",
                Kind::Special => "special",
            },
            path: entry.path,
            size: entry.size,
            mode: entry.mode,
            modified: entry.modified.map(|time| time.to_string()),
        }
    }
}

fn text(listing: &Listing) -> String {
    let row = |entry: &Listed| {
        [
            format!("{:04o}", entry.mode & 0o7777),
            if entry.kind == "file" {
                size(entry.size)
            } else {
                entry.kind.into()
            },
            entry.modified.clone().unwrap_or_default(),
            entry.path.display().to_string(),
        ]
    };
    table(&listing.entries.iter().map(row).collect::<Vec<_>>())
}
