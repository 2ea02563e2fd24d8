use std::io::{self, BufRead, BufReader, Read};

/// Reads lines of any length with bounded memory.
pub(crate) struct LineReader<R> {
    reader: BufReader<R>,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// With a line feed; only the stream's last line can be without.
    pub terminated: bool,
    /// It was longer than the head that was kept, and went through `overflow`.
    pub long: bool,
    /// Its length, without the line feed.
    pub length: u64,
}

/// What is kept of a line: enough for any statement that matters, which pg_dump writes on one line.
pub(crate) const HEAD: usize = 64 << 10;

impl<R: Read> LineReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(256 << 10, reader),
        }
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
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok((line.length > 0).then_some(line));
            }
            let feed = memchr::memchr(b'\n', available);
            let piece = &available[..feed.unwrap_or(available.len())];
            line.length += piece.len() as u64;
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
            let used = piece.len() + usize::from(feed.is_some());
            self.reader.consume(used);
            if feed.is_some() {
                line.terminated = true;
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(lines in prop::collection::vec((0..3 * HEAD, any::<u8>()), 0..4), last in any::<bool>()) {
            let mut text = Vec::new();
            for (length, byte) in lines {
                text.resize(text.len() + length, byte.max(b'\n' + 1));
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
