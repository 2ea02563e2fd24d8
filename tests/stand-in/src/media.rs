//! The media folders and their markers, checked at every start as the real server does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::database::{metadata, set_metadata};
use crate::server::StartError;

pub(crate) const FOLDERS: [&str; 6] = [
    "encoded-video",
    "library",
    "upload",
    "profile",
    "thumbs",
    "backups",
];

pub(crate) const MARKER: &str = ".immich";

/// A folder that was made once must be there, with its marker, and writable. Which were made is
/// kept in the database, so a fresh database makes them anew over old media.
pub(crate) async fn check(pool: &Pool, root: &Path) -> Result<(), StartError> {
    let client = pool.get().await?;
    let mut flags = metadata(&client, "system-flags")
        .await?
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    let mut checks = flags["mountChecks"]
        .as_object()
        .cloned()
        .unwrap_or_else(Map::new);
    for folder in FOLDERS {
        let known = checks.get(folder) == Some(&Value::Bool(true));
        check_folder(root, folder, known)?;
        checks.insert(folder.to_owned(), Value::Bool(true));
    }
    flags["mountChecks"] = Value::Object(checks);
    set_metadata(&client, "system-flags", &flags).await?;
    Ok(())
}

fn check_folder(root: &Path, folder: &str, known: bool) -> Result<(), StartError> {
    let marker = root.join(folder).join(MARKER);
    let failed = |doing: &'static str| {
        let marker = marker.clone();
        move |source: io::Error| StartError::Media {
            doing,
            marker,
            source,
        }
    };
    let stamp = format!("{:013}", Timestamp::now().as_millisecond());
    if !known {
        fs::create_dir_all(root.join(folder)).map_err(failed("create"))?;
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&marker)
        {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create")(error)),
        }
    }
    fs::read(&marker).map_err(failed("read"))?;
    // Overwrites, but never creates.
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .truncate(true)
        .open(&marker)
        .map_err(failed("write"))?;
    io::Write::write_all(&mut file, stamp.as_bytes()).map_err(failed("write"))
}

/// A changed media folder: the paths in the database follow it.
pub(crate) async fn relocate(pool: &Pool, root: &Path) -> Result<(), StartError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    let now = root.to_string_lossy().into_owned();
    let recorded = metadata(&transaction, "MediaLocation")
        .await?
        .and_then(|value| value["location"].as_str().map(str::to_owned));
    if let Some(before) = recorded.filter(|before| *before != now) {
        tracing::info!("the media folder moved from {before} to {now}");
        for (table, column) in [
            ("asset", "\"originalPath\""),
            ("asset_file", "path"),
            ("\"user\"", "\"profileImagePath\""),
        ] {
            let sql = format!(
                "UPDATE {table} SET {column} = $2 || substr({column}, length($1) + 1)
                 WHERE starts_with({column}, $1 || '/')"
            );
            transaction.execute(&sql, &[&before, &now]).await?;
        }
    }
    set_metadata(&transaction, "MediaLocation", &json!({ "location": now })).await?;
    transaction.commit().await?;
    Ok(())
}

/// Where a file of a user belongs: `<folder>/<user>/ab/cd/<name>`, by the first letters of its name.
pub(crate) fn place(root: &Path, folder: &str, user: &str, name: &str) -> PathBuf {
    root.join(folder)
        .join(user)
        .join(name.get(..2).unwrap_or("00"))
        .join(name.get(2..4).unwrap_or("00"))
        .join(name)
}
