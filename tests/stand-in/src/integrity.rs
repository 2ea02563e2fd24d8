//! The jobs behind Immich 3's integrity report. The real ones were not seen.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::media::{FOLDERS, MARKER};
use crate::server::App;

/// What a job looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Missing,
    Untracked,
    Mismatch,
}

impl Flaw {
    pub(crate) const ALL: [Self; 3] = [Self::Missing, Self::Untracked, Self::Mismatch];

    /// Its name in the API and in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing_file",
            Self::Untracked => "untracked_file",
            Self::Mismatch => "checksum_mismatch",
        }
    }

    /// What a job's name asks for.
    pub(crate) fn of_job(name: &str) -> Option<Self> {
        match name {
            "integrity-missing-files" => Some(Self::Missing),
            "integrity-untracked-files" => Some(Self::Untracked),
            "integrity-checksum-mismatch" => Some(Self::Mismatch),
            _ => None,
        }
    }
}

/// Runs a job; what goes wrong is only logged.
pub(crate) async fn run(app: Arc<App>, flaw: Flaw) {
    if let Err(error) = attempt(&app, flaw).await {
        tracing::error!("integrity check {}: {error}", flaw.name());
    }
}

async fn attempt(app: &App, flaw: Flaw) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let client = app.pool.get().await.map_err(|error| text(&error))?;
    let rows = client
        .query(
            "SELECT \"originalPath\", checksum FROM asset
             UNION ALL SELECT path, NULL FROM asset_file",
            &[],
        )
        .await
        .map_err(|error| text(&error))?;
    let known: Vec<(PathBuf, Option<Vec<u8>>)> = rows
        .iter()
        .map(|row| (PathBuf::from(row.get::<_, String>(0)), row.get(1)))
        .collect();
    let media = app.settings.media.clone();
    let found = tokio::task::spawn_blocking(move || look(flaw, &known, &media))
        .await
        .map_err(|error| text(&error))?
        .map_err(|error| text(&error))?;
    let paths: Vec<_> = found
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    client
        .execute(
            "WITH gone AS (DELETE FROM integrity_report WHERE type = $1::varchar AND path <> ALL ($2::varchar[]))
             INSERT INTO integrity_report (type, path) SELECT $1::varchar, unnest($2::varchar[])
             ON CONFLICT DO NOTHING",
            &[&flaw.name(), &paths],
        )
        .await
        .map_err(|error| text(&error))?;
    Ok(())
}

fn look(
    flaw: Flaw,
    known: &[(PathBuf, Option<Vec<u8>>)],
    media: &Path,
) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    match flaw {
        Flaw::Missing => {
            let missing = known.iter().filter(|(path, _)| !path.exists());
            found.extend(missing.map(|(path, _)| path.clone()));
        }
        Flaw::Untracked => {
            let known: BTreeSet<_> = known.iter().map(|(path, _)| path.as_path()).collect();
            for folder in FOLDERS.iter().filter(|folder| **folder != "backups") {
                walk(&media.join(folder), &mut |path| {
                    if !known.contains(path.as_path()) {
                        found.insert(path);
                    }
                })?;
            }
        }
        Flaw::Mismatch => {
            for (path, checksum) in known {
                let (Some(checksum), Ok(content)) = (checksum, fs::read(path)) else {
                    continue;
                };
                if Sha1::digest(content).as_slice() != checksum {
                    found.insert(path.clone());
                }
            }
        }
    }
    Ok(found)
}

fn walk(folder: &Path, visit: &mut dyn FnMut(PathBuf)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), visit)?;
        } else if entry.file_name() != MARKER {
            visit(entry.path());
        }
    }
    Ok(())
}
