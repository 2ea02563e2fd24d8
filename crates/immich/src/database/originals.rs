use std::io;
use std::path::{Path, PathBuf};

use super::{Database, Result, failed};
use crate::dump::Table;

/// Which originals are on the disk. Immich itself does not notice a missing one: its row still
/// answers, and only its download fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Originals {
    /// How many assets were looked at.
    pub checked: u64,
    /// Those whose file is not there.
    pub missing: Vec<MissingOriginal>,
}

/// An asset whose file is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingOriginal {
    /// The asset.
    pub asset: String,
    /// Where its file should be.
    pub path: PathBuf,
}

impl Database {
    /// Compares the assets in the database with the files under `media_root`. Files without an
    /// asset are normal, and not told: a rejected upload leaves one.
    ///
    /// Paths that were written under another media folder, as in a dump of another machine that
    /// Immich has not started on yet, are looked for under this one.
    ///
    /// # Errors
    /// When the database or the disk cannot be read.
    pub fn missing_originals(&self, media_root: &Path) -> Result<Originals> {
        let tables = self.tables(&self.name)?;
        let Some(assets) = ["asset", "assets"]
            .map(Table::immich)
            .into_iter()
            .find(|table| tables.contains(table))
        else {
            return Ok(Originals::default());
        };
        let recorded = self.recorded_media_root(&tables)?;
        let sql = format!(
            "SELECT id, \"originalPath\" FROM {} WHERE NOT \"isOffline\" ORDER BY 2;",
            assets.quoted()
        );
        let doing = "list the originals in the database";
        let mut originals = Originals::default();
        for row in self.connection.query(doing, &self.name, &sql, 2)? {
            let Ok([asset, path]) = <[String; 2]>::try_from(row) else {
                continue;
            };
            originals.checked += 1;
            let path = on_disk(Path::new(&path), media_root, recorded.as_deref());
            match std::fs::symlink_metadata(&path) {
                Ok(_) => {}
                Err(error) if is_absent(&error) => {
                    originals.missing.push(MissingOriginal { asset, path });
                }
                Err(error) => return Err(failed("look at", &path)(error)),
            }
        }
        Ok(originals)
    }

    /// The media folder that Immich last ran with.
    fn recorded_media_root(&self, tables: &[Table]) -> Result<Option<PathBuf>> {
        let metadata = Table::immich("system_metadata");
        if !tables.contains(&metadata) {
            return Ok(None);
        }
        let sql = format!(
            "SELECT value->>'location' FROM {} WHERE key = 'MediaLocation' AND value ? 'location';",
            metadata.quoted()
        );
        let doing = "read the media folder in the database";
        let rows = self.connection.query(doing, &self.name, &sql, 1)?;
        Ok(rows.into_iter().flatten().next().map(PathBuf::from))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Where a path in the database is on this machine.
fn on_disk(path: &Path, media_root: &Path, recorded: Option<&Path>) -> PathBuf {
    match recorded {
        Some(recorded) if !path.starts_with(media_root) => match path.strip_prefix(recorded) {
            Ok(inside) => media_root.join(inside),
            Err(_) => path.to_owned(),
        },
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_another_machine_is_looked_for_under_this_ones_media_folder() {
        let root = Path::new("/mnt/immich_drive/immich_data");
        let recorded = Some(Path::new("/data"));
        for (path, recorded, expected) in [
            (
                "/data/upload/a.jpg",
                recorded,
                "/mnt/immich_drive/immich_data/upload/a.jpg",
            ),
            (
                "/mnt/immich_drive/immich_data/a.jpg",
                recorded,
                "/mnt/immich_drive/immich_data/a.jpg",
            ),
            ("/external/a.jpg", recorded, "/external/a.jpg"),
            ("/database/a.jpg", recorded, "/database/a.jpg"),
            ("/data/a.jpg", None, "/data/a.jpg"),
        ] {
            assert_eq!(
                on_disk(Path::new(path), root, recorded),
                Path::new(expected)
            );
        }
    }
}
