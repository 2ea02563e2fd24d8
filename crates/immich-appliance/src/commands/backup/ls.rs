//! `backup ls`

use std::path::PathBuf;

use appliance_backup::snapshot::{self, Entry, Kind};
use serde::Serialize;

use crate::cli::BackupLs;
use crate::context::Context;
use crate::report::{Report, size, table};
use crate::steps::repository;

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
pub fn run(context: &Context, arguments: &BackupLs) -> anyhow::Result<Box<dyn Report>> {
    let repository = repository::open(context)?;
    let snapshot = snapshot::find(&repository, &arguments.snapshot)?;
    let path = arguments
        .path
        .as_deref()
        .unwrap_or_else(|| context.mount_point());
    let entries = if arguments.recursive {
        snapshot::ls_recursive(&repository, &snapshot, path)?
    } else {
        snapshot::ls(&repository, &snapshot, path)?
    };
    Ok(Box::new(Listing {
        snapshot: snapshot.id,
        entries: entries.into_iter().map(Listed::from).collect(),
    }))
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

impl Report for Listing {
    fn text(&self) -> String {
        let rows: Vec<[String; 4]> = self
            .entries
            .iter()
            .map(|entry| {
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
            })
            .collect();
        table(&rows)
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
