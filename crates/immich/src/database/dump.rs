use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Zoned};

use super::folder::DumpFolder;
use super::gzip::SplitGzip;
use super::ledger::{DumpLedger, DumpRecord};
use super::{Database, DatabaseError, Result, failed};
use crate::dump::{ImmichVersion, PgVersion, VerifiedDump};

/// What is asked of a dump.
#[derive(Debug, Clone)]
pub struct DumpRequest<'a> {
    /// The folder that it goes into, Immich's `backups`.
    pub folder: &'a Path,
    /// The installed version of Immich, for a database that does not tell its own.
    pub installed: Option<&'a ImmichVersion>,
    /// The time that it is named after.
    pub now: Zoned,
    /// How many of this box's routine dumps stay, this one included; at least one.
    pub keep: usize,
    /// What it is for.
    pub purpose: DumpPurpose,
}

/// What a dump is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpPurpose {
    /// Goes with a backup, and in its time falls under retention: this box's, and Immich's own.
    Routine,
    /// Made before something that cannot be undone, such as a newer Immich's first start. It
    /// stays until a person removes it; its name is one that Immich's retention passes over.
    Kept,
}

/// A dump that has just been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// The dump, read back and proven.
    pub verified: VerifiedDump,
    /// What is recorded about it.
    pub record: DumpRecord,
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

/// The name of a dump: Immich's own for a routine one whose version of Immich is known. Immich
/// reads the version off a name, and takes a wrong one for another format; so a dump without a
/// version is given a name that Immich's restore does not offer.
fn name(
    now: &Zoned,
    immich: Option<&ImmichVersion>,
    server: &PgVersion,
    purpose: DumpPurpose,
) -> String {
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
    let time = now.strftime("%Y%m%dT%H%M%S");
    let server = plain(server.number());
    let start = match purpose {
        DumpPurpose::Routine => "",
        DumpPurpose::Kept => "kept-",
    };
    match immich {
        Some(version) => {
            let version = plain(&version.to_string());
            format!("{start}immich-db-backup-{time}-v{version}-pg{server}.sql.gz")
        }
        None => format!("{start}database-{time}-pg{server}.dump.gz"),
    }
}

/// The dump's file while it is written. Unlike Immich's own `….sql.gz.tmp`, which Immich removes
/// whenever it tidies up, it begins with a dot.
fn temporary_name(now: &Zoned) -> String {
    format!(
        "{TEMPORARY_START}{}{TEMPORARY_END}",
        now.strftime("%Y%m%dT%H%M%S")
    )
}

const TEMPORARY_START: &str = ".immich-appliance-dump-";
const TEMPORARY_END: &str = ".tmp";

/// As this version names it, or an earlier one did.
fn is_temporary(name: &str) -> bool {
    name.strip_suffix(TEMPORARY_END).is_some_and(|rest| {
        rest.starts_with(TEMPORARY_START) || rest.strip_prefix('.').is_some_and(is_routine_dump)
    })
}

impl Database {
    /// Dumps the database into a folder, as Immich itself would, proves the dump complete by
    /// reading it back, and records it. Then retention is applied to the dumps that are recorded;
    /// the one just made is never among those that go. Those that Immich has made are left to it.
    ///
    /// Restorable by Immich's own restore and by [`Database::restore`]. While it is written, the
    /// file belongs to the running user alone; it is given to the folder's owner, and gets its
    /// name, only when all is well. `on_bytes` gets the bytes of plain SQL written so far.
    ///
    /// # Errors
    /// When pg_dump fails, the disk is full, or the dump read back is not complete; then no dump
    /// is left, and no older one was removed. When the database is stopped meanwhile, the error
    /// [was caused by that](DatabaseError::was_stopped).
    pub fn dump(
        &self,
        request: &DumpRequest<'_>,
        ledger: &mut DumpLedger,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump> {
        let server = self.server_version()?;
        let folder = DumpFolder::open(request.folder)?;
        remove_leftovers(&folder)?;
        let extensions = self.extension_versions()?;
        let temporary = Temporary {
            folder: &folder,
            name: temporary_name(&request.now),
        };
        let file = self.write_dump(&folder, &temporary.name, on_bytes)?;
        let held = folder.held_path_of(&temporary.name);
        let verified =
            VerifiedDump::prove(&held, &self.name, None).map_err(|why| DatabaseError::BadDump {
                path: folder.path_of(&temporary.name),
                why,
            })?;
        folder.hand_over(&file, &temporary.name)?;
        let immich = verified.immich().or(request.installed).cloned();
        let name = self.settle(
            &folder,
            &temporary.name,
            |now| name(now, immich.as_ref(), &server, request.purpose),
            &request.now,
        )?;
        let verified = verified.moved_to(&folder.path_of(&name));
        let record = DumpRecord {
            number: ledger.next_number(),
            name,
            sha256: verified.sha256().to_owned(),
            bytes: verified.bytes(),
            taken: request.now.timestamp(),
            postgresql: server,
            immich,
            extensions,
            kept: request.purpose == DumpPurpose::Kept,
        };
        ledger.add(record.clone())?;
        Ok(Dump {
            verified,
            record,
            removed: ledger.apply_retention(&folder, request.keep)?,
        })
    }

    /// Gives the dump its name; one second later's where a clock that was set back finds it taken.
    fn settle(
        &self,
        folder: &DumpFolder,
        from: &str,
        named: impl Fn(&Zoned) -> String,
        now: &Zoned,
    ) -> Result<String> {
        for second in 0..3600 {
            let later = now
                .checked_add(SignedDuration::from_secs(second))
                .unwrap_or_else(|_| now.clone());
            let name = named(&later);
            if folder.rename(from, &name)? {
                return Ok(name);
            }
        }
        let taken = io::ErrorKind::AlreadyExists.into();
        Err(failed("put in place", &folder.path_of(&named(now)))(taken))
    }

    fn write_dump(
        &self,
        folder: &DumpFolder,
        name: &str,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<File> {
        let to = &folder.path_of(name);
        let file = folder.create(name)?;
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
        file.sync_all().map_err(failed("sync", to))?;
        Ok(file)
    }
}

/// Removed when dropped; after the rename there is nothing left to remove.
struct Temporary<'a> {
    folder: &'a DumpFolder,
    name: String,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // A leftover is removed by the next dump.
        let _ = self.folder.remove(&self.name);
    }
}

/// Removes what a power cut left. Only what the running user owns: anyone else's is not ours.
fn remove_leftovers(folder: &DumpFolder) -> Result<()> {
    let me = nix::unistd::geteuid().as_raw();
    let leftovers: Vec<String> = folder
        .names()?
        .filter(|name| is_temporary(name) && folder.file_owner(name) == Some(me))
        .collect();
    for name in &leftovers {
        folder.remove(name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(immich: Option<&str>, purpose: DumpPurpose) -> String {
        let now: Zoned = "2026-11-21T03:04:05[UTC]".parse().unwrap();
        let server = PgVersion("15.20 (Debian 15.20-0+deb12u1)".into());
        let immich: Option<ImmichVersion> = immich.map(|text| text.parse().unwrap());
        name(&now, immich.as_ref(), &server, purpose)
    }

    #[test]
    fn the_name_is_the_one_immich_gives() {
        let name = named(Some("2.7.5"), DumpPurpose::Routine);
        assert_eq!(
            name,
            "immich-db-backup-20261121T030405-v2.7.5-pg15.20.sql.gz"
        );
        assert!(is_routine_dump(&name));
        assert!(is_temporary(&format!(".{name}.tmp")));
        let now: Zoned = "2026-11-21T03:04:05[UTC]".parse().unwrap();
        assert!(is_temporary(&temporary_name(&now)));
        assert!(!is_temporary(&name));
    }

    #[test]
    fn a_dump_without_a_version_and_one_that_is_kept_do_not_get_immichs_name() {
        for (immich, purpose) in [
            (None, DumpPurpose::Routine),
            (None, DumpPurpose::Kept),
            (Some("2.7.5"), DumpPurpose::Kept),
        ] {
            let name = named(immich, purpose);
            assert!(!is_routine_dump(&name), "{name}");
            assert!(!name.contains("v0.0.0"), "{name}");
        }
        let unknown = named(None, DumpPurpose::Routine);
        assert_eq!(unknown, "database-20261121T030405-pg15.20.dump.gz");
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
}
