use std::io;

use crate::source::ImageError;
use crate::sums::SumError;

/// What state a card is in after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It has no partition table: nothing starts from it, and it can be flashed again.
    NoTable,
    /// The partition table could not be removed again, for this reason.
    Unknown(String),
}

/// Why a card was not flashed.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The card is smaller than the image. Nothing was changed.
    #[error("the image does not fit: it has {image} bytes, and the card {card}")]
    TooLarge {
        /// Size of the image's contents in bytes.
        image: u64,
        /// Size of the card in bytes.
        card: u64,
    },
    /// Something failed after the old partition table was removed.
    #[error("the card was not flashed; {}", match left {
        Left::NoTable => "it has no partition table now, so nothing boots from it".to_owned(),
        Left::Unknown(why) => format!(
            "take it out and do not use it: what is on it is not known ({why})"
        ),
    })]
    Failed {
        /// What state the card is in.
        left: Left,
        /// What failed.
        source: Box<FlashError>,
    },
    /// The image could not be read, or is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image is not what was released.
    #[error(transparent)]
    Sum(#[from] SumError),
    /// The contents go on past the end of the card.
    #[error("the image is larger than the card, which has {card} bytes")]
    Overflow {
        /// Size of the card in bytes.
        card: u64,
    },
    /// The card has less room than it reports. Nothing of the image was written.
    #[error(
        "the card is counterfeit or faulty: it reports {reported} bytes, but loses what is written \
         at byte {at}"
    )]
    Counterfeit {
        /// The size that it reports, in bytes.
        reported: u64,
        /// The first place that was lost, in bytes; it has less room than that.
        at: u64,
    },
    /// The block map leaves out what is not zero.
    #[error("the block map does not belong to this image: it leaves out data at byte {at}")]
    Bmap {
        /// Where, in bytes.
        at: u64,
    },
    /// The card did not take a write.
    #[error("{}", failed("writing", *at, source))]
    Write {
        /// Where, in bytes.
        at: u64,
        /// What the device said.
        source: io::Error,
    },
    /// The card did not keep what it took.
    #[error("{}", gone(source).unwrap_or("the card did not keep what was written"))]
    Sync {
        /// What the device said.
        source: io::Error,
    },
    /// The card could not be read back.
    #[error("{}", failed("reading it back", *at, source))]
    Read {
        /// Where, in bytes.
        at: u64,
        /// What the device said.
        source: io::Error,
    },
    /// The card holds something else than was written.
    #[error(
        "the card is faulty: at byte {at} it holds {found:#04x} where {expected:#04x} was \
         written{}", match more {
            0 => String::new(),
            more => format!(", and {more} more bytes differ in the same MiB"),
        }
    )]
    Differs {
        /// The first place that differs, in bytes.
        at: u64,
        /// What was written.
        expected: u8,
        /// What is there.
        found: u8,
        /// How many more bytes differ in the same MiB.
        more: u64,
    },
    /// The image gave other bytes the second time it was read.
    #[error(
        "the MiB at byte {at} of the image was different when it was read again: the memory or the \
         disk of this computer is faulty"
    )]
    Unsteady {
        /// Where, in bytes.
        at: u64,
    },
    /// A part of the program ended without a word.
    #[error("a thread of this program ended early")]
    Thread,
}

/// A device that is not there any more says so in several ways.
fn gone(error: &io::Error) -> Option<&'static str> {
    use nix::errno::Errno;
    let number = Errno::from_raw(error.raw_os_error()?);
    matches!(
        number,
        Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM | Errno::ESHUTDOWN
    )
    .then_some("the card is gone: it was pulled out, or its reader failed")
}

fn failed(doing: &str, at: u64, source: &io::Error) -> String {
    if let Some(gone) = gone(source) {
        return format!("{gone}, while {doing} at byte {at}");
    }
    match source.kind() {
        io::ErrorKind::WriteZero => format!("the card takes no more than {at} bytes"),
        io::ErrorKind::UnexpectedEof => format!("the card ends at byte {at}, before its size"),
        _ => format!("{doing} failed at byte {at} of the card"),
    }
}
