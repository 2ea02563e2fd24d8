use std::io::{self, Read};

use flate2::CrcReader;

use super::policy::{Verdict, judge, roles};
use super::rows::Picked;
use super::script::{Event, Script};
use super::syntax::{Remark, classify};
use super::{
    DumpError, ImmichVersion, Kind, RefusedStatement, Section, Summary, Table, VERSION_HISTORY,
};

/// No more of what is refused is remembered: a person mends one after the other.
const MOST_REFUSED: usize = 20;

/// Where a scan is.
#[derive(PartialEq, Eq)]
enum Place {
    Title,
    Body,
    /// After the last words; counts the lines that pg_dump writes after them.
    End {
        after: u8,
    },
}

/// The rows that are looked into.
enum Rows {
    Ignored,
    /// Key and value of `system_metadata`.
    Metadata(Picked),
    /// `version_history`.
    Versions(Picked),
}

struct Scan {
    place: Place,
    /// psql's restriction is on, so the dump must lift it before it ends.
    restricted: bool,
    summary: Summary,
    /// Index of the section being filled.
    current: usize,
    rows: Rows,
    table: Option<Table>,
    counted: u64,
}

/// Reads a dump to its end.
pub(super) fn scan(
    dump: impl Read,
    read_error: fn(io::Error) -> DumpError,
) -> Result<Summary, DumpError> {
    scan_with(dump, read_error).map(|(summary, _)| summary)
}

/// Reads a dump to its end, and gives its reader back.
pub(super) fn scan_with<R: Read>(
    dump: R,
    read_error: fn(io::Error) -> DumpError,
) -> Result<(Summary, R), DumpError> {
    let mut script = Script::new(CrcReader::new(dump), read_error);
    let mut scan = Scan::new();
    while let Some(event) = script.next(&mut |_| Ok(()))? {
        // Rows are the most, and need no number.
        let is_row = matches!(event, Event::Row { .. });
        let outcome = scan.event(&event);
        if !is_row || outcome.is_err() {
            scan.note(outcome?, script.lines(), script.unterminated())?;
        }
    }
    let (lines, bytes) = (script.lines(), script.bytes());
    let summed = script.into_inner();
    scan.summary.length = bytes;
    scan.summary.crc32 = summed.crc().sum();
    Ok((scan.finish(lines)?, summed.into_inner()))
}

/// What a scan needs a line's number for.
enum Note {
    Nothing,
    Refused {
        what: &'static str,
        text: Vec<u8>,
    },
    /// The last words.
    Complete,
    /// A line after the last words, as it is due or not.
    After {
        due: bool,
        counts: bool,
    },
}

impl Scan {
    fn new() -> Self {
        Self {
            place: Place::Title,
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
            rows: Rows::Ignored,
            table: None,
            counted: 0,
        }
    }

    fn section(&mut self) -> &mut Section {
        &mut self.summary.sections[self.current]
    }

    fn event(&mut self, event: &Event<'_>) -> Result<Note, DumpError> {
        if let Place::End { after } = self.place {
            let (due, counts) = match event {
                Event::Comment(line) => (after == 0 && *line == b"--", true),
                Event::Command(line) => (
                    after >= 2 && self.restricted && classify(line) == Remark::Unrestrict,
                    true,
                ),
                // More empty lines, and what a terminal adds, do no harm.
                Event::Blank => (true, after == 1 || after >= 3),
                _ => (false, true),
            };
            return Ok(Note::After { due, counts });
        }
        match event {
            Event::Comment(line) => return self.comment(line),
            Event::Blank => {}
            Event::Command(line) => return Ok(self.command(line)),
            Event::Statement(text) => return Ok(self.statement(text)),
            Event::Copy { table, columns, .. } => {
                self.counted = 0;
                self.rows = if **table == Table::immich("system_metadata") {
                    Rows::Metadata(Picked::new(columns, &["key", "value"]))
                } else if **table == Table::immich(VERSION_HISTORY) {
                    Rows::Versions(Picked::new(columns, &["version"]))
                } else {
                    Rows::Ignored
                };
                self.table = Some((*table).clone());
            }
            Event::Row { head, .. } => {
                self.counted += 1;
                self.row(head);
            }
            Event::EndOfRows => {
                if let Some(table) = self.table.take() {
                    let counted = self.counted;
                    *self.section().counts.0.entry(table).or_default() += counted;
                }
            }
        }
        Ok(Note::Nothing)
    }

    fn comment(&mut self, line: &[u8]) -> Result<Note, DumpError> {
        match classify(line) {
            Remark::Title(kind) if self.place == Place::Title => {
                self.summary.kind = kind;
                self.place = Place::Body;
            }
            _ if self.place == Place::Title && line == b"--" => {}
            _ if self.place == Place::Title => return Err(DumpError::NotADump),
            Remark::Complete(kind) if kind == self.summary.kind => return Ok(Note::Complete),
            Remark::Server(version) => self.summary.server = Some(version),
            Remark::Tool(version) => self.summary.tool = Some(version),
            _ => {}
        }
        Ok(Note::Nothing)
    }

    fn command(&mut self, line: &[u8]) -> Note {
        match classify(line) {
            Remark::Restrict => self.restricted = true,
            Remark::Unrestrict => self.restricted = false,
            Remark::Connect(database) => self.enter(database),
            _ => {
                return Note::Refused {
                    what: "a command of psql",
                    text: line.to_vec(),
                };
            }
        }
        Note::Nothing
    }

    fn statement(&mut self, text: &[u8]) -> Note {
        let named = roles(text);
        let section = self.section();
        section.roles.extend(named);
        match judge(text) {
            Verdict::Load | Verdict::LeaveOut => {}
            Verdict::Extension { name, schema } => {
                section.extensions.insert(name, schema);
            }
            Verdict::Refuse(what) => {
                return Note::Refused {
                    what,
                    text: text.to_vec(),
                };
            }
        }
        Note::Nothing
    }

    fn row(&mut self, row: &[u8]) {
        match &self.rows {
            Rows::Ignored => {}
            Rows::Metadata(picked) => {
                let [Some(key), Some(value)] = picked.values(row) else {
                    return;
                };
                let Ok(value) = serde_json::from_slice::<serde_json::Value>(&value) else {
                    return;
                };
                let section = self.section();
                match key.as_slice() {
                    b"maintenance-mode" if value["isMaintenanceMode"] == true => {
                        section.maintenance = true;
                    }
                    b"MediaLocation" => {
                        section.media_location = value["location"].as_str().map(Into::into);
                    }
                    _ => {}
                }
            }
            Rows::Versions(picked) => {
                let [version] = picked.values(row);
                let version: Option<ImmichVersion> = version
                    .and_then(|text| String::from_utf8(text).ok())
                    .and_then(|text| text.parse().ok());
                // A clock may have been wrong; Immich only ever goes forward.
                let section = self.section();
                section.immich = section.immich.take().max(version);
            }
        }
    }

    /// What an event gave, now that its line's number is known.
    fn note(&mut self, note: Note, line: u64, unterminated: bool) -> Result<(), DumpError> {
        match note {
            Note::Nothing => {}
            Note::Refused { what, text } => {
                let refused = &mut self.section().refused;
                if refused.len() < MOST_REFUSED {
                    refused.push(RefusedStatement::new(line, what, &text));
                }
            }
            Note::Complete if unterminated => {}
            Note::Complete => self.place = Place::End { after: 0 },
            Note::After { due: false, .. } => return Err(DumpError::DataAfterEnd { line }),
            Note::After { counts, .. } => {
                if let Place::End { after } = &mut self.place
                    && counts
                    && !unterminated
                {
                    *after = after.saturating_add(1);
                }
            }
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
    /// `\unrestrict` and an empty line.
    fn finish(mut self, lines: u64) -> Result<Summary, DumpError> {
        let lines_due = if self.restricted { 4 } else { 2 };
        match self.place {
            Place::Title if lines == 0 => Err(DumpError::Empty),
            Place::End { after } if after >= lines_due => {
                if self.summary.kind == Kind::Cluster {
                    // The roles, before the first database.
                    self.summary.sections.remove(0);
                }
                Ok(self.summary)
            }
            _ => Err(DumpError::NoCompletionLine { lines }),
        }
    }
}
