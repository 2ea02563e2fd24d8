//! Checking what is there: an image against its sum, a card against its image.

use serde::Serialize;

use crate::bmap::Bmap;
use crate::card::{ALIGNMENT, Buffer, Card, read_exact};
use crate::customise::{self, CustomiseError, Found};
use crate::source::{Image, ImageError};
use crate::sums::{self, Sum, SumError};
use crate::{CHUNK, Patches, Phase, Progress};

/// Why something is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The image could not be read, or is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image is not what was released.
    #[error(transparent)]
    Sum(#[from] SumError),
    /// The settings on the card could not be worked into the image.
    #[error(transparent)]
    Customise(#[from] CustomiseError),
    /// The card could not be read.
    #[error("reading the card failed at byte {at}")]
    Read {
        /// Where, in bytes.
        at: u64,
        /// What the device said.
        source: std::io::Error,
    },
    /// The card holds something else than the image.
    #[error(
        "the card differs from the image: at byte {at} it holds {found:#04x}, and the image \
         {expected:#04x}"
    )]
    Differs {
        /// The first place that differs, in bytes.
        at: u64,
        /// What the image holds.
        expected: u8,
        /// What the card holds.
        found: u8,
    },
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Size of the contents in bytes.
    pub size: u64,
    /// SHA-256 of the image file as it is stored.
    #[serde(serialize_with = "as_digits")]
    pub sum: Sum,
}

fn as_digits<S: serde::Serializer>(sum: &Sum, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&sums::digits(sum))
}

/// Reads an image through; compares its sum where one is expected.
///
/// # Errors
/// [`VerifyError`]; a compressed image that is damaged fails without a sum, too.
pub fn image(
    image: &Image,
    expected: Option<&Sum>,
    progress: &dyn Progress,
) -> Result<Verified, VerifyError> {
    let mut stream = image.stream()?;
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    progress.begin(Phase::Checking, image.content_size());
    loop {
        let count = stream.fill(&mut buffer)?;
        if count == 0 {
            break;
        }
        size += count as u64;
        progress.advance(count as u64);
    }
    progress.end();
    let sum = stream.stored_sum()?;
    if let Some(expected) = expected {
        sums::compare(&image.name(), &sum, expected)?;
    }
    Ok(Verified { size, sum })
}

/// Compares a card with an image, byte by byte. Settings on the card (`found`) that wait for the
/// first boot are worked into the image first, so that they are no difference.
///
/// # Errors
/// [`VerifyError`]; a difference in the image's own sum is told before one on the card.
pub fn card(
    card: &mut dyn Card,
    found: &Found,
    image: &Image,
    expected: Option<&Sum>,
    bmap: Option<&Bmap>,
    progress: &dyn Progress,
) -> Result<Verified, VerifyError> {
    let patches = match &found.settings_text {
        Some(text) => customise::patches_of_text(image, text)?,
        None => Patches::default(),
    };
    let mut stream = image.stream()?;
    let mut wanted = vec![0; CHUNK];
    let mut there = Buffer::new(CHUNK);
    let mut at = 0;
    let mut differs = None;
    progress.begin(Phase::Comparing, image.content_size());
    loop {
        let count = stream.fill(&mut wanted)?;
        if count == 0 {
            break;
        }
        let patched = patches.apply(at, &mut wanted[..count]);
        let skipped = !patched && bmap.is_some_and(|map| !map.holds_data(at, count as u64));
        // A difference that was found waits: the image may be the one that is wrong.
        if differs.is_none() && !skipped {
            let room = usize::try_from(card.size().saturating_sub(at)).unwrap_or(usize::MAX);
            let length = count.next_multiple_of(ALIGNMENT).min(room);
            read_exact(card, at, &mut there[..length])
                .map_err(|source| VerifyError::Read { at, source })?;
            if length < count {
                return Err(VerifyError::Read {
                    at: card.size(),
                    source: std::io::ErrorKind::UnexpectedEof.into(),
                });
            }
            let pairs = wanted[..count].iter().zip(&there[..count]);
            differs = pairs
                .enumerate()
                .find(|(_, (one, other))| one != other)
                .map(|(place, (expected, found))| VerifyError::Differs {
                    at: at + place as u64,
                    expected: *expected,
                    found: *found,
                });
        }
        at += count as u64;
        progress.advance(count as u64);
    }
    progress.end();
    let sum = stream.stored_sum()?;
    if let Some(expected) = expected {
        sums::compare(&image.name(), &sum, expected)?;
    }
    match differs {
        Some(difference) => Err(difference),
        None => Ok(Verified { size: at, sum }),
    }
}
