//! A gzip stream that stays alike where the dump stays alike.
//!
//! Each night's dump is nearly yesterday's, but one changed byte changes all of a compressed
//! stream after it, and the backup would store every dump whole. So the stream is made of members
//! that begin where the content says so: only members with a change in them differ.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// No member is shorter, but the last.
const SHORTEST: u64 = 256 << 10;
/// What is added to that on average.
const AVERAGE: u64 = 1 << 20;

/// Compresses into `W` in members of about 1.25 MiB, each beginning at a line.
pub(super) struct SplitGzip<W: Write> {
    encoder: Option<GzEncoder<W>>,
    /// Of the line so far (FNV-1a).
    hash: u64,
    line: u64,
    member: u64,
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl<W: Write> SplitGzip<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            encoder: Some(encoder(to)),
            hash: FNV_START,
            line: 0,
            member: 0,
        }
    }

    /// Ends the last member.
    pub(super) fn finish(mut self) -> io::Result<W> {
        match self.encoder.take() {
            Some(encoder) => encoder.finish(),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Where in `bytes` the next member begins, if it does.
    fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
            self.line += 1;
            self.member += 1;
            if *byte != b'\n' {
                continue;
            }
            // The longer the line, the likelier the cut: the average holds for every table. The
            // high bits are the well-mixed ones.
            let likely = (self.hash >> 32) < (u64::from(u32::MAX) / AVERAGE) * self.line;
            self.hash = FNV_START;
            self.line = 0;
            if likely && self.member >= SHORTEST {
                return Some(index + 1);
            }
        }
        None
    }
}

fn encoder<W: Write>(to: W) -> GzEncoder<W> {
    GzEncoder::new(to, Compression::default())
}

impl<W: Write> Write for SplitGzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(end) = self.cut(bytes) {
            let mut full = self.encoder.take().ok_or(io::ErrorKind::BrokenPipe)?;
            full.write_all(&bytes[..end])?;
            self.encoder = Some(encoder(full.finish()?));
            self.member = 0;
            bytes = &bytes[end..];
        }
        match &mut self.encoder {
            Some(encoder) => encoder.write_all(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            Some(encoder) => encoder.flush(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::Read;

    fn table(rows: u32, changed: Option<u32>) -> Vec<u8> {
        let mut text = Vec::new();
        for row in 0..rows {
            let mark = if Some(row) == changed { "changed" } else { "" };
            let noise = row.wrapping_mul(2_654_435_761);
            text.extend(format!("{row}\t{noise:08x}{mark}\tupload/{noise}.jpg\n").bytes());
        }
        text
    }

    fn pack(text: &[u8], pieces: usize) -> Vec<u8> {
        let mut gzip = SplitGzip::new(Vec::new());
        for piece in text.chunks(pieces) {
            gzip.write_all(piece).unwrap();
        }
        gzip.finish().unwrap()
    }

    fn unpack(packed: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(packed)
            .read_to_end(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn what_is_packed_is_unpacked_however_it_came() {
        let text = table(200_000, None);
        let packed = pack(&text, 100_000);
        assert!(unpack(&packed) == text);
        assert!(pack(&text, 7) == packed, "the pieces of the input show");
        assert!(packed.len() < text.len() / 2);
    }

    #[test]
    fn an_empty_input_is_a_proper_stream() {
        assert_eq!(unpack(&pack(b"", 1)), b"");
    }

    #[test]
    fn one_changed_row_leaves_most_of_the_stream_as_it_was() {
        let blocks = |packed: &[u8]| -> HashSet<Vec<u8>> {
            // A member begins with the gzip magic and a zero time stamp.
            let magic = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0];
            let mut starts: Vec<_> = memchr::memmem::find_iter(packed, &magic).collect();
            starts.push(packed.len());
            starts
                .windows(2)
                .map(|w| packed[w[0]..w[1]].to_vec())
                .collect()
        };
        let before = blocks(&pack(&table(400_000, None), 65536));
        let after = blocks(&pack(&table(400_000, Some(150_000)), 65536));
        assert!(before.len() > 4, "{} members only", before.len());
        let new = after.difference(&before).count();
        assert!(
            (1..=2).contains(&new),
            "{new} of {} members changed",
            after.len()
        );
    }
}
