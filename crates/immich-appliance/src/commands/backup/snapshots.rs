//! `backup snapshots`

use appliance_backup::snapshot::{self, Filter, Snapshot};
use serde::Serialize;

use crate::context::Context;
use crate::report::{Report, size, table};
use crate::steps::repository;

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    time: String,
    host: String,
    complete: bool,
    files: Option<u64>,
    bytes: Option<u64>,
    paths: Vec<std::path::PathBuf>,
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Snapshots {
    snapshots: Vec<Listed>,
}

/// Lists the snapshots.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let repository = repository::open(context)?;
    let all = Filter {
        incomplete: true,
        ..Filter::default()
    };
    let snapshots = snapshot::list(&repository, &all)?;
    Ok(Box::new(Snapshots {
        snapshots: snapshots.into_iter().map(Listed::from).collect(),
    }))
}

impl From<Snapshot> for Listed {
    fn from(snapshot: Snapshot) -> Self {
        Listed {
            time: snapshot.time.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
            id: snapshot.id,
            host: snapshot.host,
            complete: snapshot.complete,
            files: snapshot.files,
            bytes: snapshot.bytes,
            paths: snapshot.paths,
            tags: snapshot.tags,
        }
    }
}

impl Report for Snapshots {
    fn text(&self) -> String {
        if self.snapshots.is_empty() {
            return "There are no snapshots yet.\nNext: immich-appliance backup run".into();
        }
        let mut rows = vec![["ID", "TIME", "HOST", "FILES", "SIZE", ""].map(String::from)];
        for snapshot in &self.snapshots {
            rows.push([
                snapshot.id.get(..8).unwrap_or(&snapshot.id).to_owned(),
                snapshot.time.clone(),
                snapshot.host.clone(),
                snapshot
                    .files
                    .map(|files| files.to_string())
                    .unwrap_or_default(),
                snapshot.bytes.map(size).unwrap_or_default(),
                if snapshot.complete {
                    String::new()
                } else {
                    "incomplete".into()
                },
            ]);
        }
        table(&rows)
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
