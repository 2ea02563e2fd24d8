//! A look at what is stored on a disk, wherever no signature says it.
//!
//! "No known signature" is not "empty": a drive whose first MiB was overwritten, or one encrypted
//! by something else, shows none, and holds everything.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use serde::Serialize;

/// How much is read at each place. Bytes.
const BLOCK: usize = 4096;
/// The start of a disk is where headers, tables and the first files are.
const START: u64 = 32 << 20;
/// How far apart the places at the start are.
const STRIDE: u64 = 64 << 10;
/// Places spread over the whole disk.
const SPREAD: u64 = 256;
/// ext4 keeps copies of its superblock at odd multiples of this, counted from its own start, which
/// is 16 MiB into a LUKS2 drive.
const GROUP: u64 = 128 << 20;
/// How many of the blocks with data must look random.
const MOSTLY: f64 = 0.95;

/// What a disk shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// All places that were read hold one byte over and over: a new disk, or one that was wiped.
    Blank,
    /// Data of some kind.
    Structured,
    /// What holds data holds what looks random: an encrypted disk without its header, or one that
    /// was overwritten with noise. Nobody can tell the two apart.
    Noise,
}

/// What was read for a [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// The verdict.
    pub sample: Sample,
    /// How many places were read, of 4096 bytes each.
    pub places: u64,
    /// How many of them held data.
    pub with_data: u64,
}

/// Reads about a thousand places of a disk or an image: densely at its start, at its end, where
/// copies of superblocks are, and spread over the rest. A few seconds on a hard disk.
///
/// # Errors
/// When it cannot be opened, or a place cannot be read.
pub fn sample(path: &Path) -> io::Result<Sampled> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = if metadata.file_type().is_block_device() {
        use std::io::Seek;
        (&file).seek(io::SeekFrom::End(0))?
    } else {
        metadata.len()
    };
    let mut tally = Tally::default();
    let mut block = [0; BLOCK];
    for place in places(size) {
        // The last block may be cut short.
        let length = usize::try_from(size - place).map_or(BLOCK, |rest| rest.min(BLOCK));
        file.read_exact_at(&mut block[..length], place)?;
        tally.add(&block[..length]);
    }
    Ok(tally.verdict())
}

/// Where is read, in ascending order.
fn places(size: u64) -> Vec<u64> {
    let block = BLOCK as u64;
    let start = (0..START).step_by(STRIDE as usize);
    // Both headers of LUKS2 and the first blocks of most file systems lie in the first 64 KiB.
    let first = (0..STRIDE).step_by(BLOCK);
    let spread = (0..SPREAD).map(|at| size / SPREAD * at);
    let copies = [1, 3, 5, 7, 9, 25, 27, 49]
        .into_iter()
        .flat_map(|group| [group * GROUP, group * GROUP + (16 << 20)]);
    let end = [size.saturating_sub(1), size.saturating_sub(1 << 20)];
    let mut places: Vec<u64> = start
        .chain(first)
        .chain(spread)
        .chain(copies)
        .chain(end)
        .map(|place| place / block * block)
        .filter(|place| *place < size)
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// What the blocks read so far hold.
struct Tally {
    places: u64,
    with_data: u64,
    random: u64,
    /// Counts of each byte over all blocks that look random.
    bytes: [u64; 256],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            places: 0,
            with_data: 0,
            random: 0,
            bytes: [0; 256],
        }
    }
}

impl Tally {
    fn add(&mut self, block: &[u8]) {
        self.places += 1;
        if block.windows(2).all(|pair| pair[0] == pair[1]) {
            return;
        }
        self.with_data += 1;
        let mut counts = [0_u64; 256];
        for byte in block {
            counts[usize::from(*byte)] += 1;
        }
        if deviation(&counts) < LIMIT {
            self.random += 1;
            for (all, count) in self.bytes.iter_mut().zip(counts) {
                *all += count;
            }
        }
    }

    fn verdict(&self) -> Sampled {
        // A compressed photo looks random block by block; many of them favour some bytes.
        let random =
            self.random as f64 >= MOSTLY * self.with_data as f64 && deviation(&self.bytes) < LIMIT;
        Sampled {
            sample: match self.with_data {
                0 => Sample::Blank,
                _ if random => Sample::Noise,
                _ => Sample::Structured,
            },
            places: self.places,
            with_data: self.with_data,
        }
    }
}

/// Largest deviation that random bytes have: 255 on average, with a spread of 23.
const LIMIT: f64 = 400.0;

/// How far counts of bytes are from all being the same (chi-squared).
fn deviation(counts: &[u64; 256]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / 256.0;
    counts
        .iter()
        .map(|count| (*count as f64 - expected).powi(2) / expected)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without any order, the same in each run (SplitMix64).
    pub(crate) fn noise(length: usize) -> Vec<u8> {
        let mut state = 42_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        (0..length.div_ceil(8))
            .flat_map(|_| next().to_le_bytes())
            .take(length)
            .collect()
    }

    /// A sparse image of 1 GiB and some bytes, with `parts` written at their places.
    fn image(parts: &[(u64, &[u8])]) -> tempfile::NamedTempFile {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len((1 << 30) + 100).unwrap();
        for (place, bytes) in parts {
            image.as_file().write_all_at(bytes, *place).unwrap();
        }
        image
    }

    fn verdict(parts: &[(u64, &[u8])]) -> Sample {
        sample(image(parts).path()).unwrap().sample
    }

    #[test]
    fn a_disk_of_zeros_or_of_erased_flash_is_blank() {
        let sampled = sample(image(&[]).path()).unwrap();
        assert_eq!(sampled.sample, Sample::Blank);
        assert_eq!(sampled.with_data, 0);
        assert!(sampled.places > 700, "{sampled:?}");
        assert_eq!(verdict(&[(0, &vec![0xff; 64 << 20])]), Sample::Blank);
    }

    #[test]
    fn an_encrypted_drive_without_its_header_is_noise_and_not_blank() {
        let noise = noise(6 << 20);
        // Written all over, and little used: what was never written is still zero.
        assert_eq!(verdict(&[(1 << 20, &noise)]), Sample::Noise);
        assert_eq!(verdict(&[(16 << 20, &noise[..1 << 20])]), Sample::Noise);
        assert_eq!(verdict(&[(144 << 20, &noise[..BLOCK])]), Sample::Noise);
    }

    #[test]
    fn anything_in_plain_is_structured() {
        let text = b"Everything that a family wrote in twenty years. ".repeat(1 << 14);
        assert_eq!(verdict(&[(0, &text)]), Sample::Structured);
        // A copy of a superblock is all that is left.
        assert_eq!(verdict(&[(128 << 20, b"one line")]), Sample::Structured);
        assert_eq!(
            verdict(&[((1 << 30) + 90, b"at the end")]),
            Sample::Structured
        );
        // Plain text on a disk that was filled with noise first.
        let noise = noise(6 << 20);
        assert_eq!(
            verdict(&[(0, &noise), (1 << 20, &text)]),
            Sample::Structured
        );
    }

    #[test]
    fn photos_without_a_file_system_are_structured() {
        // Entropy-coded data, in which a zero follows each 0xff, as in a JPEG file.
        let mut photo = Vec::new();
        for byte in noise(6 << 20) {
            photo.push(byte);
            if byte == 0xff {
                photo.push(0);
            }
        }
        assert_eq!(verdict(&[(0, &photo)]), Sample::Structured);
    }

    #[test]
    fn a_place_that_cannot_be_read_is_no_verdict() {
        assert!(sample(Path::new("/nonexistent/disk")).is_err());
        // Cut short under our hands it would be: here, a folder.
        assert!(sample(Path::new("/")).is_err());
    }

    #[test]
    fn a_tiny_disk_is_read_once_and_whole() {
        for size in [1, 511, 4096, 70_000] {
            let places = places(size);
            assert!(places.iter().all(|place| *place < size), "{size}");
            assert_eq!(places.first(), Some(&0));
        }
        assert_eq!(places(0), []);
    }
}
