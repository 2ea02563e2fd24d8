//! Takes a dump in plain SQL apart: comments, commands of psql, statements and rows.
//!
//! The proof, the load and the list of originals all read a dump through this, so that what was
//! proven is what is loaded.

use std::io::{self, Read};

use super::DumpError;
use super::counts::Table;
use super::lexer::{LexError, Lexer};
use super::lines::{Line, LineReader};
use super::policy::copy_target;

/// No statement of a dump is near as long; rows are not statements.
const LONGEST_STATEMENT: usize = 4 << 20;
/// The lines that a terminal or a tool may put before a dump's title.
const LONGEST_PREAMBLE: u64 = 50;
/// The line that ends a table's rows.
const END_OF_ROWS: &[u8] = b"\\.";

/// The next thing in a dump.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A line that begins with `--`.
    Comment(&'a [u8]),
    /// An empty line, or one that a terminal or a tool left.
    Blank,
    /// A line that begins with a backslash: a command for psql.
    Command(&'a [u8]),
    /// A whole statement, its `;` included.
    Statement(&'a [u8]),
    /// A statement after which rows follow.
    Copy {
        /// The whole statement.
        text: &'a [u8],
        /// The table.
        table: &'a Table,
        /// Its columns, in the order of the rows; empty where the statement names none.
        columns: &'a [String],
    },
    /// A row. Of one that is longer than is kept, only the beginning is given; all of it went
    /// through the overflow.
    Row {
        /// The row without its line feed.
        head: &'a [u8],
        /// Longer than the head.
        long: bool,
    },
    /// The end of the rows.
    EndOfRows,
}

/// Where in a dump a [`Script`] is.
enum Place {
    Beginning,
    Statements,
    Rows { table: Table, rows: u64 },
}

/// A dump being taken apart.
pub(crate) struct Script<R> {
    reader: LineReader<R>,
    place: Place,
    head: Vec<u8>,
    statement: Vec<u8>,
    columns: Vec<String>,
    lines: u64,
    bytes: u64,
    read_error: fn(io::Error) -> DumpError,
    /// The last line was without a line feed: the stream ends within it.
    unterminated: bool,
}

impl<R: Read> Script<R> {
    /// Begins to read plain SQL. `read_error` tells what a failed read means.
    pub(crate) fn new(reader: R, read_error: fn(io::Error) -> DumpError) -> Self {
        Self {
            reader: LineReader::new(reader),
            place: Place::Beginning,
            head: Vec::new(),
            statement: Vec::new(),
            columns: Vec::new(),
            lines: 0,
            bytes: 0,
            read_error,
            unterminated: false,
        }
    }

    /// Lines read so far; the number of the line that was read last.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the last line was cut: it has no line feed.
    pub(crate) fn unterminated(&self) -> bool {
        self.unterminated
    }

    /// Gives the reader back, at the end.
    pub(crate) fn into_inner(self) -> R {
        self.reader.into_inner()
    }

    /// The next thing; `None` at the end of the stream. Of a row that is too long to be kept,
    /// `overflow` gets everything without the line feed.
    ///
    /// # Errors
    /// When the stream cannot be read or understood, or ends within a statement or within rows.
    pub(crate) fn next(
        &mut self,
        overflow: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<Event<'_>>, DumpError> {
        if matches!(self.place, Place::Rows { .. }) {
            return self.row(overflow);
        }
        let Some(line) = self.line(&mut |_| Ok(()))? else {
            return Ok(None);
        };
        if matches!(self.place, Place::Beginning) {
            return self.preamble(line).map(Some);
        }
        if self.head.starts_with(b"--") {
            return Ok(Some(Event::Comment(&self.head)));
        }
        if self.head.starts_with(b"\\") {
            return Ok(Some(Event::Command(&self.head)));
        }
        if is_stray(&self.head) {
            return Ok(Some(Event::Blank));
        }
        self.whole_statement(line)
    }

    fn line(
        &mut self,
        overflow: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<Line>, DumpError> {
        let line = self
            .reader
            .read_line(&mut self.head, overflow)
            .map_err(self.read_error)?;
        if let Some(line) = &line {
            self.lines += 1;
            self.bytes += line.length + u64::from(line.terminated);
            self.unterminated = !line.terminated;
        }
        Ok(line)
    }

    /// Before the title may stand what a terminal put there, and nothing else.
    fn preamble(&mut self, line: Line) -> Result<Event<'_>, DumpError> {
        if self.lines == 1 && self.head.starts_with(&[0xff, 0xfe])
            || self.head.starts_with(&[0xfe, 0xff])
        {
            return Err(DumpError::Utf16);
        }
        // A byte order mark or an escape sequence may stand right before the title.
        if let Some(at) = memchr::memmem::find(&self.head, b"--")
            && is_stray(&self.head[..at])
        {
            self.head.drain(..at);
        }
        if self.head == b"--" {
            return Ok(Event::Comment(&self.head));
        }
        if is_title(&self.head) {
            self.place = Place::Statements;
            return Ok(Event::Comment(&self.head));
        }
        if !line.long && self.lines <= LONGEST_PREAMBLE && is_stray(&self.head) {
            return Ok(Event::Blank);
        }
        Err(DumpError::NotADump)
    }

    fn whole_statement(&mut self, first: Line) -> Result<Option<Event<'_>>, DumpError> {
        let began = self.lines;
        let mut lexer = Lexer::new();
        let mut line = first;
        self.statement.clear();
        loop {
            if line.long || self.statement.len() + self.head.len() > LONGEST_STATEMENT {
                return Err(DumpError::TooLong { line: began });
            }
            let from = self.statement.len();
            self.statement.extend_from_slice(&self.head);
            self.statement.push(b'\n');
            let end =
                lexer
                    .feed(&self.statement[from..])
                    .map_err(|error| DumpError::NotUnderstood {
                        line: self.lines,
                        what: what(error),
                    })?;
            if let Some(end) = end {
                let rest = &self.statement[from + end..];
                if !rest.trim_ascii().is_empty() && !rest.trim_ascii().starts_with(b"--") {
                    return Err(DumpError::NotUnderstood {
                        line: self.lines,
                        what: "a second statement on one line",
                    });
                }
                self.statement.truncate(from + end);
                break;
            }
            if !line.terminated {
                return Err(DumpError::NoCompletionLine { lines: self.lines });
            }
            // pg_dump quotes text over several lines, so a line may be of any length.
            match self.line_into_statement()? {
                Some(next) => line = next,
                None => return Err(DumpError::NoCompletionLine { lines: self.lines }),
            }
        }
        let Some(target) = copy_target(&self.statement) else {
            return Ok(Some(Event::Statement(&self.statement)));
        };
        let (table, columns) = target.ok_or(DumpError::BadCopy { line: self.lines })?;
        self.columns = columns;
        self.place = Place::Rows { table, rows: 0 };
        match &self.place {
            Place::Rows { table, .. } => Ok(Some(Event::Copy {
                text: &self.statement,
                table,
                columns: &self.columns,
            })),
            _ => Ok(Some(Event::Blank)),
        }
    }

    /// A statement's next line, which may be longer than a head.
    fn line_into_statement(&mut self) -> Result<Option<Line>, DumpError> {
        let mut whole = Vec::new();
        let mut full = false;
        let line = self.line(&mut |bytes| {
            full |= whole.len() + bytes.len() > LONGEST_STATEMENT;
            if !full {
                whole.extend_from_slice(bytes);
            }
            Ok(())
        })?;
        let Some(mut line) = line else {
            return Ok(None);
        };
        if line.long && !full {
            self.head = whole;
            line.long = false;
        }
        Ok(Some(line))
    }

    fn row(
        &mut self,
        overflow: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<Event<'_>>, DumpError> {
        let mut zero = false;
        let line = self.line(&mut |bytes| {
            zero |= memchr::memchr(0, bytes).is_some();
            overflow(bytes)
        })?;
        let Place::Rows { table, rows } = &mut self.place else {
            return Ok(None);
        };
        let cut = |rows: u64| DumpError::CutInCopy {
            table: table.to_string(),
            rows,
        };
        let Some(line) = line else {
            return Err(cut(*rows));
        };
        if !line.terminated {
            return Err(cut(*rows));
        }
        if self.head == END_OF_ROWS {
            self.place = Place::Statements;
            return Ok(Some(Event::EndOfRows));
        }
        // psql would take the one for the end of the rows, and lose its place at the other.
        let doubtful = if self.head.starts_with(END_OF_ROWS) {
            Some("a false end of a table's rows")
        } else if zero || memchr::memchr(0, &self.head).is_some() {
            Some("a zero byte")
        } else {
            None
        };
        if let Some(what) = doubtful {
            return Err(DumpError::NotUnderstood {
                line: self.lines,
                what,
            });
        }
        *rows += 1;
        Ok(Some(Event::Row {
            head: &self.head,
            long: line.long,
        }))
    }
}

fn is_title(line: &[u8]) -> bool {
    matches!(
        line,
        b"-- PostgreSQL database dump" | b"-- PostgreSQL database cluster dump"
    )
}

fn what(error: LexError) -> &'static str {
    match error {
        LexError::Backslash => "a command of psql within a statement",
        LexError::BlockComment => "a comment that no dump has",
        LexError::Continued => "a text over two lines that no dump has",
        LexError::Zero => "a zero byte",
    }
}

/// Whether a line between statements says nothing: it is empty, or holds only what a terminal
/// adds, or is a message of the tool, which `docker exec -t` mixes into the dump.
fn is_stray(line: &[u8]) -> bool {
    let text = without_escapes(line);
    let text = text.trim_ascii();
    text.is_empty()
        || [&b"pg_dump: "[..], b"pg_dumpall: ", b"pg_restore: "]
            .iter()
            .any(|tool| text.starts_with(tool))
}

/// A line without a terminal's escape sequences, control characters and byte order mark.
fn without_escapes(line: &[u8]) -> Vec<u8> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let mut text = Vec::new();
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            0x1b if line.get(at + 1) == Some(&b'[') => {
                let rest = &line[at + 2..];
                let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
                at += 2 + end.map_or(rest.len(), |end| end + 1);
            }
            0x1b => at += 2,
            byte => {
                if byte >= 0x20 && byte != 0x7f {
                    text.push(byte);
                }
                at += 1;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Result<Vec<String>, DumpError> {
        let mut script = Script::new(text.as_bytes(), DumpError::Read);
        let mut events = Vec::new();
        while let Some(event) = script.next(&mut |_| Ok(()))? {
            events.push(match event {
                Event::Comment(line) => String::from_utf8_lossy(line).into_owned(),
                Event::Blank => continue,
                Event::Command(line) | Event::Row { head: line, .. } => {
                    String::from_utf8_lossy(line).into_owned()
                }
                Event::Statement(text) => format!("S {}", String::from_utf8_lossy(text)),
                Event::Copy { table, columns, .. } => format!("C {table} {}", columns.join(",")),
                Event::EndOfRows => "end".to_owned(),
            });
        }
        Ok(events)
    }

    const TITLE: &str = "--\n-- PostgreSQL database dump\n";

    #[test]
    fn a_dump_is_taken_apart() {
        let text = format!(
            "{TITLE}--\n\n\\restrict x\nSET a = 'b\n\n--\n;c';\n\
             COPY public.\"user\" (id, \"isAdmin\") FROM stdin;\n1\tt\n-- no\n\\.\n"
        );
        assert_eq!(
            events(&text).unwrap()[2..],
            [
                "--",
                "\\restrict x",
                "S SET a = 'b\n\n--\n;c';",
                "C public.user id,isAdmin",
                "1\tt",
                "-- no",
                "end"
            ]
        );
    }

    #[test]
    fn what_a_terminal_adds_is_passed_over_outside_of_rows() {
        let text = format!(
            "\u{1b}[?2004h\r\n\u{1b}[0m{}\
             pg_dump: warning: there are circular foreign-key constraints\r\n\
             SET a = b;\r\nCOPY public.t (a) FROM stdin;\r\n\u{1b}[0mx\r\n\\.\r\n\u{1b}[?2004l\r\n",
            TITLE.replace('\n', "\r\n")
        );
        assert_eq!(
            events(&text).unwrap()[2..],
            ["S SET a = b;", "C public.t a", "\u{1b}[0mx", "end"]
        );
    }

    #[test]
    fn what_is_no_dump_is_refused_at_its_beginning() {
        let endless = "x\n".repeat(1_000_000);
        assert!(matches!(events(&endless), Err(DumpError::NotADump)));
        let blank = "\n".repeat(1_000_000);
        assert!(matches!(events(&blank), Err(DumpError::NotADump)));
        assert!(matches!(events("\\! true\n--\n"), Err(DumpError::NotADump)));
    }

    #[test]
    fn a_row_that_psql_might_take_for_the_end_of_the_rows_is_refused() {
        for row in ["\\.\r", "\\. x", "a\0b"] {
            let text = format!("{TITLE}COPY public.t (a) FROM stdin;\n{row}\n\\.\n");
            let error = events(&text).unwrap_err();
            assert!(
                matches!(error, DumpError::NotUnderstood { line: 4, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn a_command_hidden_in_a_statement_is_named_with_its_line() {
        let text = format!("{TITLE}SELECT 1\n\\! true\n;\n");
        let Err(DumpError::NotUnderstood { line, .. }) = events(&text) else {
            panic!("accepted");
        };
        assert_eq!(line, 4);
    }
}
