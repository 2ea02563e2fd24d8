//! Which dumps this box has made, told by a record that Immich cannot write.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::folder::DumpFolder;
use super::{DatabaseError, Result, failed};
use crate::dump::{ImmichVersion, PgVersion, VerifiedDump};

/// No more files that are not recorded are told of than this.
const MOST_UNRECORDED: usize = 100;
/// A record is a few hundred bytes.
const LONGEST_LEDGER: u64 = 16 << 20;

/// The record of the dumps that this box has made.
///
/// Dumps lie where Immich can write, and a clock may be wrong, so neither a file's name nor its
/// time tells anything: which dump is the newest, which ones fall under retention, and whose
/// dumps they are at all, stands here. The file must lie where Immich cannot write, and belongs
/// into the backup.
#[derive(Debug, Clone)]
pub struct DumpLedger {
    path: PathBuf,
    records: Vec<DumpRecord>,
}

/// A dump that this box has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpRecord {
    /// Counts up from dump to dump, and so tells their order.
    pub number: u64,
    /// The file's name.
    pub name: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The length of the file in bytes.
    pub bytes: u64,
    /// When it was made, by the clock of the time.
    pub taken: Timestamp,
    /// The PostgreSQL server that it was taken from.
    pub postgresql: PgVersion,
    /// The version of Immich that the database was at.
    pub immich: Option<ImmichVersion>,
    /// The extensions in the database, with their versions.
    #[serde(default)]
    pub extensions: BTreeMap<String, String>,
    /// Under no one's retention.
    #[serde(default)]
    pub kept: bool,
}

/// How old a dump is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpAge {
    /// As old as this.
    Known(SignedDuration),
    /// Its time lies in the future, so the clock was wrong then or is now.
    Unknown,
}

impl DumpRecord {
    /// How old the dump is.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> DumpAge {
        if self.taken > now {
            DumpAge::Unknown
        } else {
            DumpAge::Known(now.duration_since(self.taken))
        }
    }
}

/// A proven dump that may be loaded: this box made it, or a person named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDump(VerifiedDump);

impl TrustedDump {
    /// A person was shown the dump's path and what is in it, and agreed that it be loaded.
    #[must_use]
    pub fn confirmed_by_a_person(dump: VerifiedDump) -> Self {
        Self(dump)
    }

    /// The dump.
    #[must_use]
    pub fn verified(&self) -> &VerifiedDump {
        &self.0
    }
}

/// A file in the folder of the dumps that may be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpFile {
    /// The file.
    pub path: PathBuf,
    /// What is recorded under its name; `None` for a file that this box has not made. That it is
    /// still the same file is told by [`DumpLedger::trust`] once it is proven.
    pub record: Option<DumpRecord>,
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    dumps: Vec<DumpRecord>,
}

impl DumpLedger {
    /// Reads the record. One that is not there is an empty one.
    ///
    /// # Errors
    /// When the file cannot be read or is not such a record.
    pub fn read(path: &Path) -> Result<Self> {
        let stored = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Stored::default(),
            Err(error) => return Err(failed("look at", path)(error)),
            Ok(found) if !found.is_file() || found.len() > LONGEST_LEDGER => {
                return Err(DatabaseError::BadLedger {
                    path: path.to_owned(),
                    why: "it is not a small file".to_owned(),
                });
            }
            Ok(_) => {
                let text = fs::read(path).map_err(failed("read", path))?;
                serde_json::from_slice(&text).map_err(|error| DatabaseError::BadLedger {
                    path: path.to_owned(),
                    why: error.to_string(),
                })?
            }
        };
        let mut records = stored.dumps;
        records.sort_by_key(|record| record.number);
        Ok(Self {
            path: path.to_owned(),
            records,
        })
    }

    /// The recorded dumps, oldest first.
    #[must_use]
    pub fn records(&self) -> &[DumpRecord] {
        &self.records
    }

    /// The dump that was made last.
    #[must_use]
    pub fn newest(&self) -> Option<&DumpRecord> {
        self.records.last()
    }

    /// The number of the next dump.
    pub(super) fn next_number(&self) -> u64 {
        self.newest()
            .map_or(1, |newest| newest.number.saturating_add(1))
    }

    /// Takes a dump in, durably.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn add(&mut self, record: DumpRecord) -> Result<()> {
        self.records.retain(|one| one.name != record.name);
        self.records.push(record);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let stored = Stored {
            dumps: self.records.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&stored)
            .map_err(|error| failed("write", &self.path)(error.into()))?;
        text.push(b'\n');
        Ok(appliance_files::write_durably(&self.path, &text, 0o600)?)
    }

    /// Lets a proven dump be loaded if this box has made it.
    ///
    /// # Errors
    /// The dump itself, when no dump with its checksum is recorded.
    pub fn trust(&self, dump: VerifiedDump) -> std::result::Result<TrustedDump, Box<VerifiedDump>> {
        let known = self
            .records
            .iter()
            .any(|record| record.sha256 == dump.sha256() && record.bytes == dump.bytes());
        if known {
            Ok(TrustedDump(dump))
        } else {
            Err(Box::new(dump))
        }
    }

    /// The files in the folder of the dumps: those that are recorded, the one made last first,
    /// and after them, by their names backwards, up to a hundred that are not. Nothing is opened.
    ///
    /// # Errors
    /// When the folder cannot be read, or is not a folder.
    pub fn files(&self, folder: &Path) -> Result<Vec<DumpFile>> {
        let folder = DumpFolder::open(folder)?;
        let mut files: Vec<DumpFile> = self
            .records
            .iter()
            .rev()
            .filter(|record| folder.file_owner(&record.name).is_some())
            .map(|record| DumpFile {
                path: folder.path_of(&record.name),
                record: Some(record.clone()),
            })
            .collect();
        let mut unrecorded = std::collections::BTreeSet::new();
        for name in folder.names()? {
            let recorded = self.records.iter().any(|record| record.name == name);
            if recorded || !looks_like_a_dump(&name) || folder.file_owner(&name).is_none() {
                continue;
            }
            unrecorded.insert(name);
            if unrecorded.len() > MOST_UNRECORDED {
                unrecorded.pop_first();
            }
        }
        files.extend(unrecorded.into_iter().rev().map(|name| DumpFile {
            path: folder.path_of(&name),
            record: None,
        }));
        Ok(files)
    }

    /// Of the recorded dumps that are not kept for good, leaves the `keep` that were made last
    /// (at least one) and removes the files of the others. Gives what was removed.
    pub(super) fn apply_retention(
        &mut self,
        folder: &DumpFolder,
        keep: usize,
    ) -> Result<Vec<PathBuf>> {
        // What Immich or a person has removed does not take a place.
        self.records
            .retain(|record| folder.file_owner(&record.name).is_some());
        let routine = self.records.iter().filter(|record| !record.kept).count();
        let surplus = routine.saturating_sub(keep.max(1));
        let victims: Vec<String> = self
            .records
            .iter()
            .filter(|record| !record.kept)
            .take(surplus)
            .map(|record| record.name.clone())
            .collect();
        let mut removed = Vec::new();
        for name in victims {
            if folder.remove(&name)? {
                removed.push(folder.path_of(&name));
            }
            self.records.retain(|record| record.name != name);
        }
        if !removed.is_empty() {
            folder.sync()?;
        }
        self.write()?;
        Ok(removed)
    }
}

/// Whether a name is one that a dump may have; only the file itself tells.
fn looks_like_a_dump(name: &str) -> bool {
    !name.starts_with('.')
        && [
            ".sql",
            ".sql.gz",
            ".sql.zst",
            ".dump",
            ".dump.gz",
            ".dump.zst",
            ".pgdump",
            ".backup",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, taken: &str) -> DumpRecord {
        DumpRecord {
            number,
            name: format!("{number}.sql.gz"),
            sha256: format!("{number:064}"),
            bytes: number,
            taken: taken.parse().unwrap(),
            postgresql: PgVersion("15.20".into()),
            immich: Some(ImmichVersion::new(2, 7, 5)),
            extensions: BTreeMap::new(),
            kept: number == 2,
        }
    }

    #[test]
    fn order_comes_from_the_record_and_not_from_the_clock_or_the_names() {
        let root = tempfile::tempdir().unwrap();
        let dumps = root.path().join("dumps");
        fs::create_dir(&dumps).unwrap();
        let path = root.path().join("ledger.json");
        let mut ledger = DumpLedger::read(&path).unwrap();
        assert_eq!(ledger.next_number(), 1);
        let times = [
            "9999-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
        ];
        for (number, time) in (9..).zip(times) {
            // Names that sort otherwise.
            let mut record = record(number, time);
            record.kept = false;
            fs::write(dumps.join(&record.name), "").unwrap();
            ledger.add(record).unwrap();
        }
        let mut again = DumpLedger::read(&path).unwrap();
        assert_eq!(again.newest().map(|newest| newest.number), Some(12));
        fs::write(dumps.join("immich-db-backup-99990101T000000.sql.gz"), "").unwrap();
        let folder = DumpFolder::open(&dumps).unwrap();
        let removed = again.apply_retention(&folder, 2).unwrap();
        assert_eq!(removed, [dumps.join("9.sql.gz"), dumps.join("10.sql.gz")]);
        let names: Vec<_> = again
            .files(&dumps)
            .unwrap()
            .into_iter()
            .map(|file| {
                (
                    file.path.file_name().unwrap().to_owned(),
                    file.record.is_some(),
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("12.sql.gz".into(), true),
                ("11.sql.gz".into(), true),
                ("immich-db-backup-99990101T000000.sql.gz".into(), false)
            ]
        );
    }

    #[test]
    fn a_time_in_the_future_is_an_unknown_age() {
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        assert_eq!(
            record(1, "2026-11-24T00:00:00Z").age(now),
            DumpAge::Known(SignedDuration::from_hours(24))
        );
        assert_eq!(record(1, "9999-01-01T00:00:00Z").age(now), DumpAge::Unknown);
    }

    #[test]
    fn a_dump_that_is_kept_takes_no_place_and_is_never_removed() {
        let root = tempfile::tempdir().unwrap();
        let mut ledger = DumpLedger::read(&root.path().join("ledger.json")).unwrap();
        for number in 1..=3 {
            let record = record(number, "2026-01-01T00:00:00Z");
            fs::write(root.path().join(&record.name), "").unwrap();
            ledger.add(record).unwrap();
        }
        let folder = DumpFolder::open(root.path()).unwrap();
        let removed = ledger.apply_retention(&folder, 0).unwrap();
        assert_eq!(removed, [root.path().join("1.sql.gz")]);
        assert!(root.path().join("2.sql.gz").exists());
    }

    #[test]
    fn links_and_pipes_are_no_dumps_and_are_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.sql.gz"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("b.sql.gz")).unwrap();
        let pipe = root.path().join("c.sql.gz");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        fs::create_dir(root.path().join("d.sql.gz")).unwrap();
        let ledger = DumpLedger::read(&root.path().join("none")).unwrap();
        let files = ledger.files(root.path()).unwrap();
        assert_eq!(files.len(), 1);
        assert!(files[0].path.ends_with("a.sql.gz"));
    }

    #[test]
    fn a_ledger_that_makes_no_sense_is_an_error_and_not_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("ledger.json");
        fs::write(&path, "{").unwrap();
        assert!(matches!(
            DumpLedger::read(&path),
            Err(DatabaseError::BadLedger { .. })
        ));
    }
}
