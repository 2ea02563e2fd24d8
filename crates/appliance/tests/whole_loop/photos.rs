//! [`Photos`] over a database in memory, whose dumps are real files, really proven and recorded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use appliance::immich::Photos;
use appliance::{Error, Result};
use appliance_immich::api::ServerConfig;
use appliance_immich::database::{
    Contents, DatabaseError, Dump, DumpLedger, DumpPurpose, DumpRecord, DumpRequest,
    MissingOriginal, Originals, RestoreStep, TrustedDump,
};
use appliance_immich::dump::{Counts, ImmichVersion, PgVersion, Table, VerifiedDump};
use appliance_immich::readiness::{State, Waiting};

use crate::world::World;

/// What is in Immich's database. A cluster that was just made has no tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// Immich has run on it.
    pub migrated: bool,
    pub users: u64,
    pub albums: u64,
    /// The originals, below the media folder.
    pub originals: Vec<PathBuf>,
    /// The dump that it was restored from.
    pub restored_from: Option<String>,
}

impl Database {
    fn counts(&self) -> Counts {
        let rows = [
            ("user", self.users),
            ("asset", self.originals.len() as u64),
            ("album", self.albums),
            ("album_asset", 0),
        ];
        let rows = rows.map(|(table, count)| (Table::immich(table), count));
        Counts(if self.migrated {
            rows.into()
        } else {
            BTreeMap::new()
        })
    }

    fn as_sql(&self) -> String {
        let mut text = String::from(
            "--\n-- PostgreSQL database dump\n--\n\n\
             -- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)\n\
             -- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)\n\n\
             SET statement_timeout = 0;\n\n",
        );
        let numbers = |count: u64| (1..=count).map(|number| number.to_string()).collect();
        let originals = self.originals.iter().enumerate();
        let originals = originals.map(|(number, path)| format!("{number}\t{}", path.display()));
        let tables: [(&str, Vec<String>); 4] = [
            ("\"user\" (id)", numbers(self.users)),
            ("asset (id, \"originalPath\")", originals.collect()),
            ("album (id)", numbers(self.albums)),
            ("album_asset (id)", Vec::new()),
        ];
        for (table, rows) in tables {
            writeln!(text, "COPY public.{table} FROM stdin;").unwrap();
            for row in rows {
                writeln!(text, "{row}").unwrap();
            }
            text.push_str("\\.\n\n\n");
        }
        text.push_str("--\n-- PostgreSQL database dump complete\n--\n\n");
        text
    }

    fn from_sql(text: &str, dump: &VerifiedDump) -> Self {
        let rows = text
            .split_once("COPY public.asset (id, \"originalPath\") FROM stdin;\n")
            .and_then(|(_, rest)| rest.split_once("\\.\n"))
            .map_or("", |(rows, _)| rows);
        let original = |row: &str| row.split_once('\t').map(|(_, path)| path.into());
        Database {
            migrated: true,
            users: dump.counts().users(),
            albums: dump.counts().albums(),
            originals: rows.lines().filter_map(original).collect(),
            restored_from: Some(dump.sha256().to_owned()),
        }
    }
}

pub struct FakePhotos(pub Rc<World>);

impl FakePhotos {
    /// The database, while PostgreSQL runs.
    fn database(&self) -> Result<Database> {
        let database = self.0.with_database(|database| database.clone());
        let database = database.flatten();
        database.ok_or_else(|| Error::Io(io::Error::other("PostgreSQL does not run")))
    }

    fn look<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.0.faults.look(what, Error::Io, work)
    }

    fn change<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.0.faults.change(what, Error::Io, work)
    }

    fn answers(&self) -> Option<State> {
        let server = &self.0.settings.services.server_unit;
        let database = self.database().ok()?;
        self.0.is_active(server).then(|| {
            State::of(ServerConfig {
                is_initialized: database.users > 0,
                is_onboarded: true,
                external_domain: String::new(),
                trash_days: 30,
            })
        })
    }
}

impl Photos for FakePhotos {
    fn installed_postgresql(&self) -> Result<u32> {
        self.look("installed_postgresql", || Ok(15))
    }

    fn contents(&self) -> Result<Contents> {
        self.look("contents", || {
            let database = self.database()?;
            Ok(if database.migrated {
                Contents::Users(database.users)
            } else {
                Contents::Absent
            })
        })
    }

    fn counts(&self) -> Result<Counts> {
        self.look("counts", || Ok(self.database()?.counts()))
    }

    fn missing_originals(&self, media: &Path) -> Result<Originals> {
        self.look("missing_originals", || {
            let originals = self.database()?.originals;
            let checked = originals.len() as u64;
            let gone = originals
                .into_iter()
                .filter(|below| !media.join(below).is_file());
            let missing = gone.map(|below| MissingOriginal {
                asset: below.display().to_string(),
                path: media.join(below),
            });
            Ok(Originals {
                checked,
                missing: missing.collect(),
            })
        })
    }

    fn dump(
        &self,
        request: &DumpRequest<'_>,
        ledger: &mut DumpLedger,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Dump> {
        self.change("dump", || {
            let text = self.database()?.as_sql();
            on_bytes(text.len() as u64);
            let time = request.now.strftime("%Y%m%dT%H%M%S");
            let name = format!("immich-db-backup-{time}-v2.7.5-pg15.20.sql");
            fs::write(request.folder.join(&name), text)?;
            let verified = self.prove(&request.folder.join(&name))?;
            let record = DumpRecord {
                number: ledger.newest().map_or(1, |newest| newest.number + 1),
                name,
                sha256: verified.sha256().to_owned(),
                bytes: verified.bytes(),
                taken: request.now.timestamp(),
                postgresql: PgVersion("15.20".into()),
                immich: Some(ImmichVersion::new(2, 7, 5)),
                extensions: BTreeMap::new(),
                kept: request.purpose == DumpPurpose::Kept,
            };
            ledger.add(record.clone())?;
            Ok(Dump {
                verified,
                record,
                removed: Vec::new(),
            })
        })
    }

    fn prove(&self, dump: &Path) -> Result<VerifiedDump> {
        let path = dump.to_owned();
        let proven = VerifiedDump::prove(dump, &self.0.settings.database.name, None);
        Ok(proven.map_err(|why| DatabaseError::BadDump { path, why })?)
    }

    fn restore(&self, dump: &TrustedDump, on_step: &mut dyn FnMut(RestoreStep)) -> Result<()> {
        self.change("restore", || {
            let dump = dump.verified();
            let there = self.database()?;
            let again = there.restored_from.as_deref() == Some(dump.sha256());
            if there.users > 0 && !again {
                return Err(DatabaseError::HoldsUsers {
                    name: self.0.settings.database.name.clone(),
                    users: there.users,
                }
                .into());
            }
            on_step(RestoreStep::Replacing);
            let text = fs::read_to_string(dump.path())?;
            let restored = Database::from_sql(&text, dump);
            self.0.with_database(|database| *database = Some(restored));
            Ok(())
        })
    }

    fn server(&self) -> Option<State> {
        self.answers()
    }

    fn version(&self) -> Option<ImmichVersion> {
        self.answers().map(|_| ImmichVersion::new(2, 7, 5))
    }

    fn wait_until_ready(
        &self,
        _timeout: Duration,
        _moved: &mut dyn FnMut() -> bool,
        _on_progress: &mut dyn FnMut(&Waiting, Duration) -> ControlFlow<String>,
    ) -> Result<State> {
        self.change("wait_until_ready", || {
            // Immich makes its tables when it first runs.
            self.0.with_database(|database| {
                if let Some(database) = database {
                    database.migrated = true;
                }
            });
            let state = self.answers();
            state.ok_or_else(|| Error::Io(io::Error::other("Immich does not answer")))
        })
    }
}
