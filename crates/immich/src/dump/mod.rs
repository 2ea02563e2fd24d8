//! Proves a database dump complete, and counts its rows, in one pass over the stream.
//!
//! A dump that was cut short can restore "successfully": cut between two tables it is valid SQL
//! that `psql` commits. So a dump counts only when the compressed stream ends properly, no table's
//! data is cut, and pg_dump's own last words stand at the very end.
//!
//! Understood are the plain-text dumps of pg_dump (Immich 2.5 and newer) and pg_dumpall (older
//! ones), compressed with gzip or not.

mod counts;
mod lines;
mod scan;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};

pub(crate) use counts::quote;
pub use counts::{Counts, Difference, NotATable, Table};
pub(crate) use lines::LineReader;
pub(crate) use syntax::{Statement, classify, identifier};

/// What tool wrote a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// pg_dump: one database.
    Database,
    /// pg_dumpall: all databases and the roles.
    Cluster,
}

/// A PostgreSQL version as its tools print it, for example `15.20 (Debian 15.20-0+deb12u1)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PgVersion(pub String);

impl PgVersion {
    /// The number alone, for example `15.20`.
    #[must_use]
    pub fn number(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// The major version, for example 15; `None` when the text is not a version.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.part(0)
    }

    /// The minor version, for example 20; 0 for a beta.
    #[must_use]
    pub fn minor(&self) -> u32 {
        self.part(1).unwrap_or(0)
    }

    fn part(&self, index: usize) -> Option<u32> {
        let part = self.number().split('.').nth(index)?;
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..digits].parse().ok()
    }
}

impl std::fmt::Display for PgVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.number())
    }
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
    /// The extensions that a server must offer to take it.
    pub extensions: BTreeSet<String>,
    /// Whether Immich will come up in maintenance mode, as after Immich's own restore points.
    pub maintenance: bool,
}

impl Summary {
    /// The part about one database. A dump of pg_dump holds one, whatever its name.
    #[must_use]
    pub fn section(&self, database: &str) -> Option<&Section> {
        match self.kind {
            Kind::Database => self.sections.first(),
            Kind::Cluster => self
                .sections
                .iter()
                .find(|section| section.database.as_deref() == Some(database)),
        }
    }
}

/// Why a dump must not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
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
    #[error("is not a plain-text dump of pg_dump or pg_dumpall")]
    NotADump,
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
    if dump.fill_buf().map_err(DumpError::Read)?.is_empty() {
        return Err(DumpError::Empty);
    }
    scan::scan(MultiGzDecoder::new(dump), gzip_error)
}

/// Verifies a dump's file, compressed or not: the first bytes tell.
///
/// # Errors
/// When the file cannot be read or the dump is not complete; see [`DumpError`].
pub fn verify_file(path: &Path) -> Result<Summary, DumpError> {
    let file = File::open(path).map_err(DumpError::Read)?;
    let mut file = BufReader::with_capacity(128 << 10, file);
    if is_gzip(&mut file).map_err(DumpError::Read)? {
        verify_gzip(file)
    } else {
        verify(file)
    }
}

/// Opens a dump's file as plain SQL, compressed or not.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(128 << 10, File::open(path)?);
    Ok(if is_gzip(&mut file)? {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

fn is_gzip(file: &mut impl BufRead) -> io::Result<bool> {
    Ok(file.fill_buf()?.starts_with(&[0x1f, 0x8b]))
}

/// A read error of the decoder: of the disk below it, or of the stream.
fn gzip_error(error: io::Error) -> DumpError {
    if error.raw_os_error().is_some() {
        return DumpError::Read(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DumpError::GzipTruncated,
        _ => DumpError::GzipCorrupt(error.to_string()),
    }
}
