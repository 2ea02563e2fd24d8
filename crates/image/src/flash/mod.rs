//! Writing an image onto a card so that it is either whole or does not start.
//!
//! The card's first MiB, where the partition table is, is made zero before anything else, and so
//! is its end, where GPT keeps a second one. Markers show whether the card has the room that it
//! reports. Then everything but those two is written, synced, and read back past every cache. Only when all of it is as it should be, and the image's own
//! sum too, do the first MiB and the end follow, the first block last.

mod capacity;
mod error;
mod pass;

use serde::Serialize;

pub use error::{FlashError, Left};

use crate::bmap::Bmap;
use crate::card::{ALIGNMENT, Buffer, Card, read_exact, write_all};
use crate::source::Image;
use crate::sums::{self, Sum};
use crate::{CHUNK, HEAD, Patches, Phase, Progress};
use pass::{Written, compare, write};

/// How an image is written.
#[derive(Debug)]
pub struct Options<'a> {
    /// Changes to the image on the way.
    pub patches: &'a Patches,
    /// The sum that the image file, as it is stored, has to have; `None` where nobody knows one.
    pub expected: Option<Sum>,
    /// Which blocks hold data.
    pub bmap: Option<&'a Bmap>,
    /// Whether everything is read back before the card can start.
    pub read_back: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flashed {
    /// Size of the image's contents in bytes.
    pub size: u64,
    /// How much of it was written; the rest is zero in the image and was skipped by its map.
    pub written: u64,
    /// How much of it was read back and compared, in bytes.
    pub compared: u64,
    /// SHA-256 of the image file as it is stored, in hexadecimal digits.
    pub sum: String,
}

/// Writes `image` onto `card`. See the module for the order.
///
/// # Errors
/// [`FlashError`]: what failed, at which place of the card, and what state it is left in. The
/// card never has a partition table then, unless it says that even that could not be removed.
pub fn flash(
    image: &Image,
    card: &mut dyn Card,
    options: &Options<'_>,
    progress: &dyn Progress,
) -> Result<Flashed, FlashError> {
    if let Some(size) = image.content_size()
        && size > card.size()
    {
        return Err(FlashError::TooLarge {
            image: size,
            card: card.size(),
        });
    }
    let result = wipe(card)
        .map_err(|source| FlashError::Write { at: 0, source })
        .and_then(|()| capacity::check(card, progress))
        .and_then(|()| write_and_compare(image, card, options, progress));
    result.map_err(|error| {
        // Also when the start was not written yet: an old table may still be there.
        let left = match wipe(card) {
            Ok(()) => Left::NoTable,
            Err(source) => Left::Unknown(source.to_string()),
        };
        FlashError::Failed {
            left,
            source: Box::new(error),
        }
    })
}

/// Where the end that is withheld begins. Bytes.
fn tail_of(card: &dyn Card) -> u64 {
    let size = card.size();
    size.saturating_sub(HEAD) / CHUNK as u64 * CHUNK as u64
}

/// Removes both places where a partition table can be.
fn wipe(card: &mut dyn Card) -> std::io::Result<()> {
    let size = card.size();
    let tail = tail_of(card);
    let zeros = Buffer::new(CHUNK);
    let mut stretches = vec![(0, HEAD.min(size))];
    if tail >= HEAD {
        stretches.push((tail, size));
    }
    for (start, end) in stretches {
        let mut at = start;
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            write_all(card, at, &zeros[..part])?;
            at += part as u64;
        }
    }
    card.sync()
}

fn write_and_compare(
    image: &Image,
    card: &mut dyn Card,
    options: &Options<'_>,
    progress: &dyn Progress,
) -> Result<Flashed, FlashError> {
    let mut stream = image.stream()?;
    let tail = tail_of(card);
    progress.begin(Phase::Writing, image.content_size());
    let done = write(&mut stream, card, options, tail, progress)?;
    card.sync().map_err(|source| FlashError::Sync { source })?;
    progress.end();

    let sum = stream.stored_sum()?;
    if let Some(expected) = &options.expected {
        sums::compare(&image.name(), &sum, expected)?;
    }
    let mut compared = 0;
    if options.read_back {
        compared = read_back(image, card, options, &done, progress)?;
    }
    // The first block comes last of all: with an MBR there is no table before that, and with GPT
    // the second table, at the end, is only ever there when everything else is as it should be.
    let (head, tail): (Vec<_>, Vec<_>) = done.withheld.iter().partition(|(at, _)| *at == 0);
    let mut last: &[u8] = &[];
    for (_, head) in head {
        let (first, rest) = head.split_at(ALIGNMENT.min(head.len()));
        compared += settle(card, first.len() as u64, rest, options.read_back)?;
        last = first;
    }
    for (at, bytes) in tail {
        compared += settle(card, *at, bytes, options.read_back)?;
    }
    compared += settle(card, 0, last, options.read_back)?;
    Ok(Flashed {
        size: done.size,
        written: done.written,
        compared,
        sum: sums::digits(&sum),
    })
}

/// Compares what was written; a difference is looked for in the image once more, to name its
/// place.
fn read_back(
    image: &Image,
    card: &mut dyn Card,
    options: &Options<'_>,
    done: &Written,
    progress: &dyn Progress,
) -> Result<u64, FlashError> {
    let total = done.chunks.iter().map(|chunk| chunk.length as u64).sum();
    progress.begin(Phase::Comparing, Some(total));
    let differing = compare(card, &done.chunks, progress)?;
    progress.end();
    let Some((chunk, found)) = differing else {
        return Ok(total);
    };
    let mut expected = Buffer::new(CHUNK);
    let mut stream = image.stream_with(false)?;
    stream.skip(chunk.at)?;
    stream.fill(&mut expected)?;
    options.patches.apply(chunk.at, &mut expected);
    Err(differs(
        chunk.at,
        &expected[..chunk.length],
        &found[..chunk.length],
    ))
}

fn differs(at: u64, expected: &[u8], found: &[u8]) -> FlashError {
    let mut places = expected
        .iter()
        .zip(found)
        .enumerate()
        .filter(|(_, (one, other))| one != other);
    match places.next() {
        Some((place, (expected, found))) => FlashError::Differs {
            at: at + place as u64,
            expected: *expected,
            found: *found,
            more: places.count() as u64,
        },
        // The second look at the image saw what the card holds: the PC's own memory or disk
        // changed a bit.
        None => FlashError::Unsteady { at },
    }
}

/// Writes a stretch, syncs it, and reads it back.
fn settle(card: &mut dyn Card, at: u64, bytes: &[u8], compared: bool) -> Result<u64, FlashError> {
    // The slice may begin anywhere in memory; direct writes want it aligned.
    let mut buffer = Buffer::new(bytes.len());
    buffer.copy_from_slice(bytes);
    write_all(card, at, &buffer).map_err(|source| FlashError::Write { at, source })?;
    card.sync().map_err(|source| FlashError::Sync { source })?;
    if !compared || bytes.is_empty() {
        return Ok(0);
    }
    read_exact(card, at, &mut buffer).map_err(|source| FlashError::Read { at, source })?;
    if *buffer != *bytes {
        return Err(differs(at, bytes, &buffer));
    }
    Ok(bytes.len() as u64)
}
