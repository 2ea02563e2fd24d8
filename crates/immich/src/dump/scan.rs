use std::io::{self, Read};

use flate2::CrcReader;

use super::lines::Line;
use super::syntax::END_OF_ROWS;
use super::{DumpError, Kind, LineReader, Section, Statement, Summary, Table, classify};

/// Where in a dump the scan is.
enum Place {
    /// Before the title.
    Beginning,
    /// Among statements.
    Statements,
    /// Among a table's rows.
    Rows { table: Table, rows: u64 },
    /// After the last words; counts the lines that pg_dump writes after them.
    End { after: u8 },
}

struct Scan {
    place: Place,
    lines: u64,
    /// psql's restriction is on, so the dump must lift it before it ends.
    restricted: bool,
    summary: Summary,
    /// Index of the section being filled.
    current: usize,
}

/// Reads a dump to its end. `read_error` tells what a failed read means.
pub(super) fn scan(
    dump: impl Read,
    read_error: fn(io::Error) -> DumpError,
) -> Result<Summary, DumpError> {
    let mut summed = CrcReader::new(dump);
    let mut reader = LineReader::new(&mut summed);
    let mut scan = Scan::new();
    let mut head = Vec::new();
    while let Some(line) = reader
        .read_line(&mut head, &mut |_| Ok(()))
        .map_err(read_error)?
    {
        scan.line(&head, line)?;
    }
    drop(reader);
    scan.summary.crc32 = summed.crc().sum();
    scan.finish()
}

impl Scan {
    fn new() -> Self {
        Self {
            place: Place::Beginning,
            lines: 0,
            restricted: false,
            summary: Summary {
                kind: Kind::Database,
                server: None,
                tool: None,
                sections: vec![Section::default()],
                length: 0,
                crc32: 0,
            },
            current: 0,
        }
    }

    fn line(&mut self, head: &[u8], line: Line) -> Result<(), DumpError> {
        self.lines += 1;
        self.summary.length += line.length + u64::from(line.terminated);
        match &mut self.place {
            Place::Beginning => self.beginning(head),
            Place::Rows { table, rows } => {
                if head == END_OF_ROWS && line.terminated {
                    let section = &mut self.summary.sections[self.current];
                    *section.counts.0.entry(table.clone()).or_default() += *rows;
                    self.place = Place::Statements;
                } else if line.terminated {
                    *rows += 1;
                    if *table == Table::immich("system_metadata") && says_maintenance(head) {
                        self.summary.sections[self.current].maintenance = true;
                    }
                }
                Ok(())
            }
            Place::Statements => self.statement(head, line),
            Place::End { .. } => self.after_end(head, line),
        }
    }

    /// The first lines are `--` and the title; anything else is no dump, and need not be read on.
    fn beginning(&mut self, head: &[u8]) -> Result<(), DumpError> {
        match classify(head) {
            Statement::Title(kind) => {
                self.summary.kind = kind;
                self.place = Place::Statements;
                Ok(())
            }
            Statement::Other if self.lines == 1 && head == b"--" => Ok(()),
            _ => Err(DumpError::NotADump),
        }
    }

    fn statement(&mut self, head: &[u8], line: Line) -> Result<(), DumpError> {
        if line.long || !line.terminated {
            return Ok(());
        }
        match classify(head) {
            Statement::Copy(table) => self.place = Place::Rows { table, rows: 0 },
            Statement::BadCopy => return Err(DumpError::BadCopy { line: self.lines }),
            Statement::Complete(kind) if kind == self.summary.kind => {
                self.place = Place::End { after: 0 };
            }
            Statement::Restrict => self.restricted = true,
            Statement::Unrestrict => self.restricted = false,
            Statement::Connect(database) => self.enter(database),
            Statement::Extension(name) => {
                self.summary.sections[self.current].extensions.insert(name);
            }
            Statement::Server(version) => self.summary.server = Some(version),
            Statement::Tool(version) => self.summary.tool = Some(version),
            Statement::Title(_) | Statement::Complete(_) | Statement::Other => {}
        }
        Ok(())
    }

    /// Goes to a database's section.
    fn enter(&mut self, database: String) {
        let sections = &mut self.summary.sections;
        if self.summary.kind == Kind::Database {
            sections[0].database = Some(database);
            return;
        }
        let known = sections
            .iter()
            .position(|section| section.database.as_ref() == Some(&database));
        self.current = known.unwrap_or_else(|| {
            sections.push(Section {
                database: Some(database),
                ..Section::default()
            });
            sections.len() - 1
        });
    }

    /// After the last words come `--` and an empty line; then, in a restricted dump,
    /// `\unrestrict` and an empty line. More empty lines do no harm.
    fn after_end(&mut self, head: &[u8], line: Line) -> Result<(), DumpError> {
        let Place::End { after } = &mut self.place else {
            return Ok(());
        };
        let due = match *after {
            0 => head == b"--",
            2 if self.restricted => matches!(classify(head), Statement::Unrestrict),
            _ => head.is_empty(),
        };
        if !due {
            return Err(DumpError::DataAfterEnd { line: self.lines });
        }
        if line.terminated {
            *after = after.saturating_add(1);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, DumpError> {
        let (lines, restricted) = (self.lines, self.restricted);
        match self.place {
            Place::Beginning if lines == 0 => Err(DumpError::Empty),
            Place::Beginning | Place::Statements => Err(DumpError::NoCompletionLine { lines }),
            Place::Rows { table, rows } => Err(DumpError::CutInCopy {
                table: table.to_string(),
                rows,
            }),
            Place::End { after } if after < if restricted { 4 } else { 2 } => {
                Err(DumpError::NoCompletionLine { lines })
            }
            Place::End { .. } => {
                if self.summary.kind == Kind::Cluster {
                    // The roles, before the first database.
                    self.summary.sections.remove(0);
                }
                Ok(self.summary)
            }
        }
    }
}

/// A row of `system_metadata` that says that maintenance mode is on.
fn says_maintenance(row: &[u8]) -> bool {
    row.strip_prefix(b"maintenance-mode\t")
        .is_some_and(|value| {
            serde_json::from_slice::<serde_json::Value>(value)
                .is_ok_and(|value| value["isMaintenanceMode"] == true)
        })
}
