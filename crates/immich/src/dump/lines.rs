use std::io::{self, BufRead, BufReader, Read};

/// Reads lines of any length with bounded memory. Where the first line ends in CR LF, as after
/// a transfer by way of a terminal or of Windows, a CR before any line feed is left out: within a
/// row PostgreSQL writes a carriage return as `\r`, so no data is lost by that.
pub(crate) struct LineReader<R> {
    reader: BufReader<R>,
    /// Whether lines end in CR LF; `None` before the first one.
    carriage: Option<bool>,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// With a line feed; only the stream's last line can be without.
    pub terminated: bool,
    /// It was longer than the head that was kept, and went through `overflow`.
    pub long: bool,
    /// Its length in bytes as it was read, without the line feed.
    pub length: u64,
}

/// What is kept of a line: enough for any statement that matters, which pg_dump writes on one line.
pub(crate) const HEAD: usize = 64 << 10;

impl<R: Read> LineReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(256 << 10, reader),
            carriage: None,
        }
    }

    /// Gives the reader back; what was read ahead of the last line is lost.
    pub(crate) fn into_inner(self) -> R {
        self.reader.into_inner()
    }

    /// Reads one line; `None` at the end of the stream. `head` gets its first [`HEAD`] bytes
    /// without the line feed. Of a longer line, `overflow` gets everything, the head included.
    pub(crate) fn read_line(
        &mut self,
        head: &mut Vec<u8>,
        overflow: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Option<Line>> {
        head.clear();
        let mut line = Line {
            terminated: false,
            long: false,
            length: 0,
        };
        // A CR at the end of a piece, until it is known whether a line feed follows.
        let mut held = false;
        let mut stripped = false;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if held {
                    keep(b"\r", head, &mut line, overflow)?;
                }
                return Ok((line.length > 0).then_some(line));
            }
            let feed = memchr::memchr(b'\n', available);
            let mut piece = &available[..feed.unwrap_or(available.len())];
            let used = piece.len() + usize::from(feed.is_some());
            line.length += piece.len() as u64;
            if std::mem::take(&mut held) {
                if piece.is_empty() && feed.is_some() {
                    stripped = true;
                } else {
                    keep(b"\r", head, &mut line, overflow)?;
                }
            }
            if self.carriage != Some(false)
                && let Some(shorter) = piece.strip_suffix(b"\r")
            {
                piece = shorter;
                stripped = feed.is_some();
                held = feed.is_none();
            }
            keep(piece, head, &mut line, overflow)?;
            self.reader.consume(used);
            if feed.is_some() {
                self.carriage.get_or_insert(stripped);
                line.terminated = true;
                return Ok(Some(line));
            }
        }
    }
}

/// Adds a piece to a line.
fn keep(
    piece: &[u8],
    head: &mut Vec<u8>,
    line: &mut Line,
    overflow: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    if line.long {
        overflow(piece)?;
    } else if head.len() + piece.len() <= HEAD {
        head.extend_from_slice(piece);
    } else {
        line.long = true;
        overflow(head)?;
        overflow(piece)?;
        let room = HEAD - head.len();
        head.extend_from_slice(&piece[..room]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<Vec<u8>> {
        let mut reader = LineReader {
            reader: BufReader::with_capacity(buffer, text),
            carriage: None,
        };
        let (mut head, mut lines) = (Vec::new(), Vec::new());
        while reader
            .read_line(&mut head, &mut |_| Ok(()))
            .unwrap()
            .is_some()
        {
            lines.push(head.clone());
        }
        lines
    }

    #[test]
    fn carriage_returns_go_where_they_end_every_line_and_nowhere_else() {
        for buffer in 1..9 {
            assert_eq!(
                lines(b"a\r\n\r\nb\rc\r\r\n\r", buffer),
                [&b"a"[..], b"", b"b\rc\r", b"\r"]
            );
            assert_eq!(lines(b"a\nb\r\n", buffer), [&b"a"[..], b"b\r"]);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(lines in prop::collection::vec((0..3 * HEAD, any::<u8>()), 0..4), last in any::<bool>()) {
            let mut text = Vec::new();
            for (length, byte) in lines {
                text.resize(text.len() + length, byte.max(b'\r' + 1));
                text.push(b'\n');
            }
            if last {
                text.pop();
            }
            let mut reader = LineReader::new(&text[..]);
            let (mut head, mut back) = (Vec::new(), Vec::new());
            while let Some(line) = reader
                .read_line(&mut head, &mut |bytes| { back.extend_from_slice(bytes); Ok(()) })
                .unwrap()
            {
                prop_assert!(head.len() <= HEAD);
                if !line.long {
                    back.extend_from_slice(&head);
                }
                if line.terminated {
                    back.push(b'\n');
                }
            }
            prop_assert!(back == text);
        }
    }
}
