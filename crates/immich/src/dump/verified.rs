use std::path::{Path, PathBuf};

use super::source::{Source, open_regular, read_error};
use super::{
    ArchiveReader, Counts, DumpError, EXTENSIONS_OF_IMMICH, ImmichVersion, Kind, PgVersion,
    RefusedStatement, Remark, Section, Summary, classify, scan,
};

/// A dump of Immich's database that was read to its end and is whole.
///
/// It is proven once and carried along. Whoever reads it again (a restore, the list of
/// originals) finds out if the file was changed since, and then takes nothing from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDump {
    path: PathBuf,
    sha256: String,
    bytes: u64,
    summary: Summary,
    section: Section,
    archives: Option<ArchiveReader>,
}

impl VerifiedDump {
    /// Reads a dump's file to its end, with bounded memory, and proves that it holds a whole
    /// database of Immich. Of a dump of all databases, it is the one called `database`, or else
    /// the only one of Immich. `archives` is needed for dumps in pg_dump's custom format alone.
    ///
    /// # Errors
    /// When the file is not a regular one (it is not waited for), cannot be read, is not complete
    /// or is not Immich's; see [`DumpError`].
    pub fn prove(
        path: &Path,
        database: &str,
        archives: Option<&ArchiveReader>,
    ) -> Result<Self, DumpError> {
        let source = Source::new(open_regular(path)?, archives)?;
        let (summary, source) = scan::scan_with(source, read_error)?;
        let (sha256, bytes) = source.finish()?;
        let section = summary
            .section(database)
            .filter(|section| section.counts.is_immich())
            .cloned()
            .ok_or(DumpError::NotImmich)?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
            bytes,
            summary,
            section,
            archives: archives.cloned(),
        })
    }

    /// The same dump under another name, as after a rename.
    pub(crate) fn moved_to(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the file, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The length of the file in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The length of the dump as plain SQL, in bytes.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        self.summary.length
    }

    /// What tool wrote it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.summary.kind
    }

    /// The database's name where the dump was taken, where it tells it.
    pub(crate) fn database(&self) -> Option<&str> {
        self.section.database.as_deref()
    }

    /// The rows of Immich's database by table.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.section.counts
    }

    /// The PostgreSQL server that it was taken from, where it tells it.
    #[must_use]
    pub fn postgresql(&self) -> Option<&PgVersion> {
        self.summary.server.as_ref()
    }

    /// The newest version of Immich that had run on the database; `None` where it does not tell,
    /// as before Immich 1.116.
    #[must_use]
    pub fn immich(&self) -> Option<&ImmichVersion> {
        self.section.immich.as_ref()
    }

    /// The extensions in it, each with the schema that it lies in.
    #[must_use]
    pub fn extensions(&self) -> &std::collections::BTreeMap<String, String> {
        &self.section.extensions
    }

    /// The extensions in it that Immich does not use. They are left out when it is loaded, and
    /// whoever added them does so again.
    pub fn unneeded_extensions(&self) -> impl Iterator<Item = &str> {
        self.section
            .extensions
            .keys()
            .map(String::as_str)
            .filter(|name| *name != "plpgsql" && !EXTENSIONS_OF_IMMICH.contains(name))
    }

    /// The roles that it names as owners or in privileges. Everything is given to Immich's own
    /// role when it is loaded, so none of them need exist here.
    #[must_use]
    pub fn roles(&self) -> &std::collections::BTreeSet<String> {
        &self.section.roles
    }

    /// Statements for which it is not loaded; the first twenty.
    #[must_use]
    pub fn refused(&self) -> &[RefusedStatement] {
        &self.section.refused
    }

    /// Whether Immich would come up in maintenance mode; a restore clears that.
    #[must_use]
    pub fn in_maintenance(&self) -> bool {
        self.section.maintenance
    }

    /// The media folder that Immich last ran with where the dump was taken.
    #[must_use]
    pub fn media_location(&self) -> Option<&Path> {
        self.section.media_location.as_deref()
    }

    /// Opens it again, as plain SQL.
    pub(crate) fn open(&self) -> Result<Source, DumpError> {
        Source::new(open_regular(&self.path)?, self.archives.as_ref())
    }

    /// Whether what was read from [`open`](Self::open) to its end is what was proven. By the
    /// file: pg_restore writes another key for psql each time.
    pub(crate) fn is_what_was_proven(&self, source: Source) -> bool {
        source
            .finish()
            .is_ok_and(|(sha256, bytes)| sha256 == self.sha256 && bytes == self.bytes)
    }
}

/// Follows a dump from database to database, and tells whether it is at the one that was proven.
pub(crate) struct Whereabouts {
    kind: Kind,
    database: Option<String>,
    inside: bool,
}

impl Whereabouts {
    pub(crate) fn at_the_beginning(dump: &VerifiedDump) -> Self {
        Self {
            kind: dump.kind(),
            database: dump.database().map(str::to_owned),
            inside: dump.kind() == Kind::Database,
        }
    }

    /// A command of psql came by.
    pub(crate) fn command(&mut self, line: &[u8]) {
        if let Remark::Connect(database) = classify(line)
            && self.kind == Kind::Cluster
        {
            self.inside = Some(database) == self.database;
        }
    }

    pub(crate) fn inside(&self) -> bool {
        self.inside
    }
}
