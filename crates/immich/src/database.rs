//! Immich's database: its dumps taken and restored with PostgreSQL's own tools.

mod dump;
mod extensions;
mod folder;
mod gzip;
mod installed;
mod ledger;
mod load;
mod originals;
mod restore;
mod tools;

use std::io;
use std::path::{Path, PathBuf};

use appliance_files::Owner;

use crate::dump::{
    Counts, Difference, DumpError, ImmichVersion, Obstacle, PgVersion, Table, VERSION_HISTORY,
    VerifiedDump,
};
use tools::Login;

pub use dump::{Dump, DumpPurpose, DumpRequest, is_routine_dump};
pub use extensions::{ExtensionStanding, ExtensionState};
pub use installed::{find_bin_dir, installed_extensions};
pub use ledger::{DumpAge, DumpFile, DumpLedger, DumpRecord, TrustedDump};
pub use originals::{MissingOriginal, Originals};
pub use restore::{RestoreStep, Restored};
pub use tools::{Connection, ToolError, ToolFailure};

/// Immich's database on one server.
#[derive(Debug, Clone)]
pub struct Database {
    connection: Connection,
    name: String,
    owner: String,
    /// The OS user that the server knows the owner by; `None`: as the connection's own.
    owner_os_user: Option<Owner>,
}

/// What is in Immich's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// There is no such database.
    Absent,
    /// It exists, but Immich has never run on it.
    Empty,
    /// Immich has run on it, and has this many users; 0 before the first sign-up.
    Users(u64),
}

/// Something about the database failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// One of PostgreSQL's tools failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A dump cannot be trusted.
    #[error("the dump {} {why}", path.display())]
    BadDump {
        /// The dump.
        path: PathBuf,
        /// Why not.
        why: DumpError,
    },
    /// The record of the dumps cannot be used.
    #[error("the record of the database dumps {} cannot be used: {why}", path.display())]
    BadLedger {
        /// The record.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A dump cannot be loaded here.
    #[error("the dump {} cannot be loaded here: {}", path.display(), one_line(obstacles))]
    NotLoadable {
        /// The dump.
        path: PathBuf,
        /// What is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// psql cannot be kept from running commands of its own.
    #[error(
        "psql {0} does not know \\restrict: a dump is loaded only with one of August 2025 or later"
    )]
    OldPsql(PgVersion),
    /// The role that shall own the database does not exist; a dump carries no role.
    #[error("the database role {0:?} does not exist")]
    RoleMissing(String),
    /// The role that shall own the database could do what no dump may do.
    #[error(
        "the database role {0:?} is a superuser or may run programs, make roles or read the \
         server's files, so no dump is loaded as it"
    )]
    RoleTooMighty(String),
    /// The database is in use, and nobody agreed to replace it.
    #[error("the database {name:?} already holds Immich with {users} user(s)")]
    HoldsUsers {
        /// The database.
        name: String,
        /// Its users.
        users: u64,
    },
    /// What was loaded is not what the dump held. The database from before is still in place.
    #[error("the restored database differs from the dump: {}", one_line(.0))]
    CountsDiffer(Vec<Difference>),
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be written durably or removed.
    #[error(transparent)]
    Files(#[from] appliance_files::Error),
}

impl DatabaseError {
    /// Whether the database was stopped while it was worked with, as by locking the drive.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        matches!(self, Self::Tool(tool) if tool.was_stopped())
    }
}

fn one_line(items: &[impl ToString]) -> String {
    let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

type Result<T> = std::result::Result<T, DatabaseError>;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DatabaseError {
    let path = path.to_owned();
    move |source| DatabaseError::Io {
        doing,
        path,
        source,
    }
}

/// The database that every server has, for questions about the server.
const MAINTENANCE: &str = "postgres";

/// All tables but the system's and the extensions' own.
const TABLES: &str = "
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
        AND d.deptype = 'e')";

/// An SQL string.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Database {
    /// The database `immich`, owned by the role `immich`.
    #[must_use]
    pub fn immich(connection: Connection) -> Self {
        Self::new(connection, "immich", "immich")
    }

    /// A database of another name or owner.
    #[must_use]
    pub fn new(connection: Connection, name: &str, owner: &str) -> Self {
        Self {
            connection,
            name: name.to_owned(),
            owner: owner.to_owned(),
            owner_os_user: None,
        }
    }

    /// The same, where the server knows the owning role by this OS user, as it does Immich's by
    /// Immich's own. Without it, the role is asked for by the user that the tools run as, which
    /// only a server that trusts everyone on this machine allows.
    #[must_use]
    pub fn owned_by_os_user(mut self, user: Owner) -> Self {
        self.owner_os_user = Some(user);
        self
    }

    fn owner_login(&self) -> Login {
        Login {
            role: self.owner.clone(),
            run_as: self.owner_os_user.or(self.connection.run_as),
        }
    }

    /// Reads a dump to its end and proves it, in any format that a restore takes. Needs
    /// PostgreSQL's tools, and no server.
    ///
    /// # Errors
    /// When the dump cannot be trusted: [`DatabaseError::BadDump`].
    pub fn prove(&self, dump: &Path) -> Result<VerifiedDump> {
        let archives = self.connection.archive_reader();
        VerifiedDump::prove(dump, &self.name, Some(&archives)).map_err(|why| {
            DatabaseError::BadDump {
                path: dump.to_owned(),
                why,
            }
        })
    }

    /// The newest version of Immich that has run on the database; `None` when it has none, or
    /// does not tell, as before Immich 1.116. See [`Crossing`](crate::dump::Crossing).
    ///
    /// # Errors
    /// When the server or the database is not there.
    pub fn immich_version(&self) -> Result<Option<ImmichVersion>> {
        let history = Table::immich(VERSION_HISTORY);
        if !self.tables(&self.name)?.contains(&history) {
            return Ok(None);
        }
        let sql = format!("SELECT version FROM {};", history.quoted());
        let doing = "read which version of Immich the database is at";
        let rows = self.connection.query(doing, &self.name, &sql, 1)?;
        // Immich only ever goes forward; the times of the rows are those of any clock.
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(|version| version.parse().ok())
            .max())
    }

    /// The server's version.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn server_version(&self) -> Result<PgVersion> {
        let doing = "read the database server's version";
        let rows = self
            .connection
            .query(doing, MAINTENANCE, "SHOW server_version;", 1)?;
        Ok(PgVersion(first(rows)))
    }

    /// Whether the database exists.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn exists(&self) -> Result<bool> {
        self.has("pg_database", "datname", &self.name)
    }

    /// Whether the role that owns the database exists.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn owner_exists(&self) -> Result<bool> {
        self.has("pg_roles", "rolname", &self.owner)
    }

    fn has(&self, catalog: &str, column: &str, value: &str) -> Result<bool> {
        let sql = format!(
            "SELECT count(*) FROM pg_catalog.{catalog} WHERE {column} = {};",
            literal(value)
        );
        let doing = format!("look for {value:?} on the database server");
        let rows = self.connection.query(&doing, MAINTENANCE, &sql, 1)?;
        Ok(first(rows) != "0")
    }

    /// What is in the database.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn contents(&self) -> Result<Contents> {
        if !self.exists()? {
            return Ok(Contents::Absent);
        }
        // Before Immich 1.136 it was called "users".
        let counts = self.count(
            &self.name,
            "AND n.nspname = 'public' AND c.relname IN ('user', 'users')",
        )?;
        Ok(if counts.0.is_empty() {
            Contents::Empty
        } else {
            Contents::Users(counts.users())
        })
    }

    /// Whether an admin exists, as Immich itself tells by `isInitialized`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn is_initialised(&self) -> Result<bool> {
        Ok(matches!(self.contents()?, Contents::Users(1..)))
    }

    /// The rows of all tables, now. A dump's own counts belong to its own moment:
    /// see [`VerifiedDump::counts`].
    ///
    /// # Errors
    /// When the server or the database is not there.
    pub fn counts(&self) -> Result<Counts> {
        self.count(&self.name, "")
    }

    fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let sql = format!("SELECT n.nspname, c.relname {TABLES} ORDER BY 1, 2;");
        let rows = self
            .connection
            .query("list the database's tables", database, &sql, 2)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let [schema, name] = <[String; 2]>::try_from(row).ok()?;
                Some(Table { schema, name })
            })
            .collect())
    }

    /// Counts the rows of all tables of which `condition` holds, all at one moment.
    fn count(&self, database: &str, condition: &str) -> Result<Counts> {
        // psql runs each row of the first answer as a statement of its own.
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
            SELECT format('SELECT %L, %L, count(*) FROM %I.%I',
                n.nspname, c.relname, n.nspname, c.relname) {TABLES} {condition} \\gexec
            COMMIT;"
        );
        let doing = "count the database's rows";
        let rows = self.connection.query(doing, database, &sql, 3)?;
        let counted = |row: Vec<String>| {
            let [schema, name, rows] = <[String; 3]>::try_from(row).ok()?;
            Some((Table { schema, name }, rows.parse().ok()?))
        };
        Ok(Counts(rows.into_iter().filter_map(counted).collect()))
    }
}

/// A single answer.
fn first(rows: Vec<Vec<String>>) -> String {
    rows.into_iter().flatten().next().unwrap_or_default()
}
