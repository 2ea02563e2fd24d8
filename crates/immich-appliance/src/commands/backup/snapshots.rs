//! `backup snapshots`

use std::path::PathBuf;

use appliance::backup::browse::snapshots;
use appliance_backup::snapshot::Snapshot;
use appliance_terminal::{Report, Told, size, table};
use serde::Serialize;

use crate::run::Run;

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    time: String,
    host: String,
    complete: bool,
    files: Option<u64>,
    bytes: Option<u64>,
    paths: Vec<PathBuf>,
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Snapshots {
    snapshots: Vec<Listed>,
}

/// Lists the snapshots.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    let snapshots = snapshots(&run.appliance())?;
    let snapshots = snapshots.into_iter().map(Listed::from).collect();
    Ok(Box::new(Told::new(Snapshots { snapshots }, text)))
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

fn text(listed: &Snapshots) -> String {
    if listed.snapshots.is_empty() {
        return "There are no snapshots yet.\nNext: immich-appliance backup run".into();
    }
    let mut rows = vec![["ID", "TIME", "HOST", "FILES", "SIZE", ""].map(String::from)];
    for snapshot in &listed.snapshots {
        let files = snapshot.files.map(|files| files.to_string());
        rows.push([
            snapshot.id.get(..8).unwrap_or(&snapshot.id).to_owned(),
            snapshot.time.clone(),
            snapshot.host.clone(),
            files.unwrap_or_default(),
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
