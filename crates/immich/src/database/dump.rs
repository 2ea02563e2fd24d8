use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::gzip::SplitGzip;
use super::{Database, DatabaseError, Result, failed};
use crate::dump::{Counts, PgVersion, verify_file};

/// A finished dump, proven complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The rows in it, counted while it was read back.
    pub counts: Counts,
    /// The server that it was taken from.
    pub pg_version: PgVersion,
    /// Older dumps that were removed.
    pub removed: Vec<PathBuf>,
}

/// Whether a file's name is one that Immich gives to its own scheduled dumps, and only then falls
/// under anyone's retention; `restore-point-…` and `uploaded-…` do not.
#[must_use]
pub fn is_routine_dump(name: &str) -> bool {
    let Some(middle) = name
        .strip_prefix("immich-db-backup-")
        .and_then(|rest| rest.strip_suffix(".sql.gz"))
    else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Up to Immich 1.135 it was the time in milliseconds.
    if digits(middle) {
        return true;
    }
    let Some((time, versions)) = middle.split_once("-v") else {
        return false;
    };
    let time_fits = matches!(time.split_once('T'), Some((day, clock))
        if digits(day) && day.len() == 8 && digits(clock) && clock.len() == 6);
    time_fits && versions.contains("-pg")
}

/// The routine dumps beyond the newest `keep`; at least one is always kept. The names sort by time.
fn superseded(names: impl IntoIterator<Item = String>, keep: usize) -> Vec<String> {
    let mut names: Vec<_> = names
        .into_iter()
        .filter(|name| is_routine_dump(name))
        .collect();
    names.sort_unstable();
    names.reverse();
    names.split_off(keep.max(1).min(names.len()))
}

/// The name that Immich would give.
fn name(now: &Zoned, immich_version: &str, server: &PgVersion) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '_'
                }
            })
            .collect()
    };
    format!(
        "immich-db-backup-{}-v{}-pg{}.sql.gz",
        now.strftime("%Y%m%dT%H%M%S"),
        plain(immich_version.trim_start_matches('v')),
        plain(server.number())
    )
}

/// The dump's file while it is written. Unlike Immich's own `….sql.gz.tmp`, which Immich removes
/// whenever it tidies up, it begins with a dot.
fn temporary_name(name: &str) -> String {
    format!(".{name}.tmp")
}

fn is_temporary(name: &str) -> bool {
    name.strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .is_some_and(is_routine_dump)
}

impl Database {
    /// Dumps the database into the folder `dir`, as Immich itself would, and proves the dump
    /// complete by reading it back. Of the folder's routine dumps the newest `keep` stay.
    ///
    /// Restorable by Immich's own restore and by [`Database::restore`]. The file belongs to the
    /// folder's owner and gets its name only when all is well. `on_bytes` gets the bytes of plain
    /// SQL written so far.
    ///
    /// # Errors
    /// When pg_dump fails, the disk is full, or the dump read back is not complete; then no dump
    /// is left, and no older one was removed.
    pub fn dump(
        &self,
        dir: &Path,
        immich_version: &str,
        now: &Zoned,
        keep: usize,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump> {
        let server = self.server_version()?;
        let name = name(now, immich_version, &server);
        remove_leftovers(dir)?;
        let path = dir.join(&name);
        let temporary = Temporary(dir.join(temporary_name(&name)));
        self.write_dump(dir, &temporary.0, on_bytes)?;
        let summary = verify_file(&temporary.0).map_err(|why| DatabaseError::BadDump {
            path: path.clone(),
            why,
        })?;
        let Some(section) = summary.section(&self.name).cloned() else {
            return Err(DatabaseError::NotImmich(path));
        };
        let bytes = fs::metadata(&temporary.0)
            .map_err(failed("look at", &temporary.0))?
            .len();
        fs::rename(&temporary.0, &path).map_err(failed("put in place", &path))?;
        appliance_files::sync_dir(dir)?;
        Ok(Dump {
            path,
            bytes,
            counts: section.counts,
            pg_version: server,
            removed: remove_superseded(dir, keep)?,
        })
    }

    fn write_dump(&self, dir: &Path, to: &Path, on_bytes: &mut dyn FnMut(u64)) -> Result<()> {
        let file = create(dir, to)?;
        let mut gzip = SplitGzip::new(io::BufWriter::with_capacity(256 << 10, file));
        let doing = format!("dump the database {:?}", self.name);
        let mut pg_dump = self.connection.dump(&doing, &self.name)?;
        let mut stdout = pg_dump.stdout()?;
        let mut buffer = vec![0; 256 << 10];
        let mut total = 0;
        loop {
            let count = match stdout.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read the dump for", to)(error)),
            };
            // On an error pg_dump is stopped when it is dropped.
            gzip.write_all(&buffer[..count])
                .map_err(failed("write", to))?;
            total += count as u64;
            on_bytes(total);
        }
        // Its pipe also ends when it fails: only its exit code tells.
        pg_dump.finish()?;
        let buffered = gzip.finish().map_err(failed("write", to))?;
        let file = buffered
            .into_inner()
            .map_err(|error| failed("write", to)(error.into_error()))?;
        file.sync_all().map_err(failed("sync", to))
    }
}

/// Makes the dump's file, which the folder's owner may read, and root alone may write to now.
fn create(dir: &Path, path: &Path) -> Result<File> {
    let folder = fs::metadata(dir).map_err(failed("look at", dir))?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("create", path))?;
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid()))
            .map_err(failed("change the owner of", path))?;
    }
    file.set_permissions(fs::Permissions::from_mode(0o640))
        .map_err(failed("set the mode of", path))?;
    Ok(file)
}

/// Removed when dropped; after the rename there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // A leftover is removed by the next dump.
        let _ = fs::remove_file(&self.0);
    }
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("read", dir))? {
        let entry = entry.map_err(failed("read", dir))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes what a power cut left.
fn remove_leftovers(dir: &Path) -> Result<()> {
    for name in names(dir)?.iter().filter(|name| is_temporary(name)) {
        appliance_files::remove_durably(&dir.join(name))?;
    }
    Ok(())
}

fn remove_superseded(dir: &Path, keep: usize) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for name in superseded(names(dir)?, keep) {
        let path = dir.join(name);
        appliance_files::remove_durably(&path)?;
        removed.push(path);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_one_immich_gives() {
        let now: Zoned = "2026-11-21T03:04:05[UTC]".parse().unwrap();
        let server = PgVersion("15.20 (Debian 15.20-0+deb12u1)".into());
        let name = name(&now, "v2.7.5", &server);
        assert_eq!(
            name,
            "immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz"
        );
        assert!(is_routine_dump(&name));
        assert!(is_temporary(&temporary_name(&name)));
    }

    #[test]
    fn only_routine_dumps_fall_under_retention() {
        for (name, routine) in [
            (
                "immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz",
                true,
            ),
            ("immich-db-backup-1712345678901.sql.gz", true),
            (
                "restore-point-immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz",
                false,
            ),
            (
                "uploaded-immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz",
                false,
            ),
            (
                "immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz.tmp",
                false,
            ),
            ("immich-db-backup-20261121-v2.7.5-pg15.20.sql.gz", false),
            ("immich-db-backup-precious.sql.gz", false),
            ("immich-db-backup-.sql.gz", false),
            ("immich-appliance-manifest.json", false),
            (".immich", false),
        ] {
            assert_eq!(is_routine_dump(name), routine, "{name}");
        }
    }

    #[test]
    fn the_newest_stay_and_one_always_does() {
        let dump =
            |day: u32| format!("immich-db-backup-202611{day:02}T020000-v2.7.5-pg15.20.sql.gz");
        let old = "immich-db-backup-1712345678901.sql.gz".to_owned();
        let all = || {
            vec![
                dump(2),
                old.clone(),
                "keep.txt".to_owned(),
                dump(3),
                dump(1),
            ]
        };
        assert_eq!(superseded(all(), 2), [dump(1), old.clone()]);
        assert_eq!(superseded(all(), 0), [dump(2), dump(1), old.clone()]);
        assert_eq!(superseded(all(), 9), [""; 0]);
    }
}
