//! Proves a database dump complete, and counts its rows, in one pass over the stream.
//!
//! A dump that was cut short can restore "successfully": cut between two tables it is valid SQL
//! that `psql` commits. So a dump counts only when the compressed stream ends properly, no table's
//! data is cut, and pg_dump's own last words stand at the very end.
//!
//! Understood are the dumps of pg_dump (Immich 2.5 and newer) and pg_dumpall (older ones), in
//! plain SQL or pg_dump's custom format, compressed with gzip, zstd or not, with lines ended in
//! LF or CR LF, and with what a terminal adds around them.
//!
//! A dump lies where Immich can write. It is opened only if it is a regular file, and each of its
//! statements is judged before any of them runs: see [`VerifiedDump`] and [`loadable_here`].

mod counts;
mod lexer;
mod lines;
mod loadable;
mod originals;
mod policy;
mod rows;
mod scan;
mod script;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
mod verified;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};

pub(crate) use counts::quote;
pub use counts::{Counts, Difference, NotATable, Table};
pub(crate) use loadable::needed;
pub use loadable::{ExtensionOffer, Installed, Obstacle, loadable_here};
pub use originals::{Original, OriginalKind, OriginalList, OriginalPlace, originals};
pub use policy::EXTENSIONS_OF_IMMICH;
pub(crate) use policy::{Verdict, judge};
pub(crate) use script::{Event, Script};
pub use source::ArchiveReader;
pub(crate) use source::read_error as dump_read_error;
pub(crate) use syntax::{Remark, classify};
pub use verified::VerifiedDump;
pub(crate) use verified::Whereabouts;
pub use version::{Crossing, ImmichVersion, NotAnImmichVersion, PgVersion};

/// The table that holds which versions of Immich the database has seen.
pub(crate) const VERSION_HISTORY: &str = "version_history";

/// What tool wrote a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// pg_dump: one database.
    Database,
    /// pg_dumpall: all databases and the roles.
    Cluster,
}

/// What a complete dump holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What tool wrote it.
    pub kind: Kind,
    /// The server that it was taken from.
    pub server: Option<PgVersion>,
    /// The tool's own version.
    pub tool: Option<PgVersion>,
    /// One for each database; exactly one in a dump of pg_dump.
    pub sections: Vec<Section>,
    /// Its length as plain SQL, in bytes.
    pub length: u64,
    /// The CRC-32 of the plain SQL; with the length it tells one dump from another.
    pub crc32: u32,
}

/// One database in a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The database's name, where the dump tells it.
    pub database: Option<String>,
    /// Its rows by table.
    pub counts: Counts,
    /// The extensions in it, each with the schema that it lies in.
    pub extensions: BTreeMap<String, String>,
    /// Whether Immich will come up in maintenance mode, as after Immich's own restore points.
    pub maintenance: bool,
    /// The newest version of Immich that has run on it; `None` where it does not tell.
    pub immich: Option<ImmichVersion>,
    /// The media folder that Immich last ran with there.
    pub media_location: Option<PathBuf>,
    /// The roles that it names, as owners or in privileges. None of them need exist here.
    pub roles: BTreeSet<String>,
    /// Statements for which it is not loaded; the first twenty.
    pub refused: Vec<RefusedStatement>,
}

/// A statement that no dump of Immich has, so that a dump with it is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedStatement {
    /// The line that it ends at, counted from 1 in the plain SQL.
    pub line: u64,
    /// What is wrong with it.
    pub what: &'static str,
    /// Its beginning, as one line without control characters.
    pub text: String,
}

impl RefusedStatement {
    fn new(line: u64, what: &'static str, text: &[u8]) -> Self {
        const SHOWN: usize = 80;
        let text = String::from_utf8_lossy(text.get(..4 * SHOWN).unwrap_or(text));
        let words: Vec<_> = text.split_whitespace().collect();
        let words = words.join(" ");
        Self {
            line,
            what,
            text: words
                .chars()
                .filter(|c| !c.is_control())
                .take(SHOWN)
                .collect(),
        }
    }
}

impl std::fmt::Display for RefusedStatement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.what, self.text)
    }
}

impl Summary {
    /// The part about one database. A dump of pg_dump holds one, whatever its name; of one of
    /// pg_dumpall it is the one of this name, or else the only one that is Immich's.
    #[must_use]
    pub fn section(&self, database: &str) -> Option<&Section> {
        let named = |section: &&Section| section.database.as_deref() == Some(database);
        match self.kind {
            Kind::Database => self.sections.first(),
            Kind::Cluster => self.sections.iter().find(named).or_else(|| {
                let mut immich = self.sections.iter().filter(|one| one.counts.is_immich());
                immich.next().filter(|_| immich.next().is_none())
            }),
        }
    }
}

/// Why a dump must not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It is a folder, a link, a FIFO or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// The compressed stream ends too early.
    #[error("is cut short: its compressed stream has no proper end")]
    GzipTruncated,
    /// The compressed stream is damaged.
    #[error("is damaged: {0}")]
    GzipCorrupt(String),
    /// It does not begin as a dump does.
    #[error("is not a dump of pg_dump or pg_dumpall")]
    NotADump,
    /// It is packed with something that is not undone here.
    #[error("is packed with {0}: unpack it first")]
    Packed(&'static str),
    /// It went through a program that changed its letters, such as PowerShell's `>`.
    #[error("is in UTF-16, as PowerShell writes it: make it anew with pg_dump's option --file")]
    Utf16,
    /// It is in a format of pg_dump that needs `pg_restore`, which is not at hand.
    #[error("is in pg_dump's custom format, and there is no pg_restore here to read it")]
    Archive,
    /// `pg_restore` cannot read it to its end.
    #[error("cannot be read by pg_restore: {0}")]
    ArchiveDamaged(String),
    /// No table of Immich is in it.
    #[error("holds no database of Immich")]
    NotImmich,
    /// It is not the file any more that was proven.
    #[error("was changed after it had been proven")]
    Changed,
    /// It ends within a table's rows.
    #[error("is cut short within the rows of {table}, after {rows} of them")]
    CutInCopy {
        /// The table.
        table: String,
        /// Rows before the cut.
        rows: u64,
    },
    /// It ends without pg_dump's last words: cut between two statements.
    #[error("is cut short: after line {lines} there is no \"dump complete\"")]
    NoCompletionLine {
        /// Lines before the end.
        lines: u64,
    },
    /// Something follows pg_dump's last words.
    #[error("goes on after its end, at line {line}")]
    DataAfterEnd {
        /// The first line that must not be there.
        line: u64,
    },
    /// Something in it could be read in two ways.
    #[error("has {what} at line {line}")]
    NotUnderstood {
        /// The line.
        line: u64,
        /// What is there.
        what: &'static str,
    },
    /// A statement is longer than any that a dump of Immich has.
    #[error("has a statement that is too long, at line {line}")]
    TooLong {
        /// The line that it begins at.
        line: u64,
    },
    /// A statement that begins a table's rows cannot be understood.
    #[error("has a COPY statement at line {line} that is not understood")]
    BadCopy {
        /// The line.
        line: u64,
    },
}

/// Verifies plain SQL.
///
/// # Errors
/// When the dump is not complete; see [`DumpError`].
pub fn verify(dump: impl Read) -> Result<Summary, DumpError> {
    scan::scan(dump, DumpError::Read)
}

/// Verifies a dump compressed with gzip, in one or several members.
///
/// # Errors
/// When the dump is not complete; see [`DumpError`].
pub fn verify_gzip(dump: impl Read) -> Result<Summary, DumpError> {
    let mut dump = BufReader::with_capacity(128 << 10, dump);
    if io::BufRead::fill_buf(&mut dump)
        .map_err(DumpError::Read)?
        .is_empty()
    {
        return Err(DumpError::Empty);
    }
    scan::scan(MultiGzDecoder::new(dump), source::read_error)
}

/// Verifies a dump's file, plain or compressed with gzip or zstd: the first bytes tell. One in
/// pg_dump's custom format needs [`VerifiedDump::prove`].
///
/// # Errors
/// When the file cannot be read or the dump is not complete; see [`DumpError`].
pub fn verify_file(path: &Path) -> Result<Summary, DumpError> {
    let source = source::Source::new(source::open_regular(path)?, None)?;
    scan::scan(source, source::read_error)
}
