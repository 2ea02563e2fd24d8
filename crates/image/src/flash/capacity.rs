//! Whether a card has the room that it reports. A counterfeit one does not: what is written
//! beyond its true size is lost, or lands at its beginning again.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{FlashError, tail_of};
use crate::card::{Buffer, Card, read_exact, write_all};
use crate::{CHUNK, HEAD, Phase, Progress};

/// What a marker is made of: the run's own number and the place, again and again. Bytes.
const WORDS: usize = 16;

/// Writes markers all over the card, each as far from the first as a power of two, and one at its
/// end; reads them back; and makes them zero again. A memory chip that has too few address lines
/// shows one of them in place of another.
///
/// The first MiB stays as it is, so that nothing can start from the card meanwhile.
pub(super) fn check(card: &mut dyn Card, progress: &dyn Progress) -> Result<(), FlashError> {
    let places = places(tail_of(card));
    // An old run's markers, on a card that ignores writes, must not pass for this one's.
    let run = RandomState::new().build_hasher().finish();
    let mut buffer = Buffer::new(CHUNK);
    progress.begin(Phase::Probing, Some(2 * (places.len() * CHUNK) as u64));
    for &at in &places {
        fill(&mut buffer, run, at);
        write_all(card, at, &buffer).map_err(|source| FlashError::Write { at, source })?;
        progress.advance(CHUNK as u64);
    }
    card.sync().map_err(|source| FlashError::Sync { source })?;
    let mut expected = Buffer::new(CHUNK);
    let mut lost = Vec::new();
    for &at in &places {
        read_exact(card, at, &mut buffer).map_err(|source| FlashError::Read { at, source })?;
        fill(&mut expected, run, at);
        if !is_there(&expected, &buffer) {
            // The first marker is only lost to one that landed in its place.
            let landed = marker_in(&buffer, run).filter(|_| at == HEAD);
            lost.push(landed.unwrap_or(at));
        }
        progress.advance(CHUNK as u64);
    }
    progress.end();
    if let Some(at) = lost.into_iter().min() {
        return Err(FlashError::Counterfeit {
            reported: card.size(),
            at,
        });
    }
    // What a block map leaves out of the image is to be zero on the card.
    buffer.fill(0);
    for &at in &places {
        write_all(card, at, &buffer).map_err(|source| FlashError::Write { at, source })?;
    }
    Ok(())
}

/// Where the markers are, in order; they do not overlap.
fn places(tail: u64) -> Vec<u64> {
    let powers = (HEAD.trailing_zeros()..u64::BITS - 1).map(|power| HEAD + (1 << power));
    let mut places: Vec<u64> = std::iter::once(HEAD)
        .chain(powers)
        .take_while(|at| at + CHUNK as u64 <= tail)
        .collect();
    if tail >= HEAD {
        places.push(tail);
    }
    places
}

fn fill(buffer: &mut [u8], run: u64, at: u64) {
    let mut words = [0; WORDS];
    words[..8].copy_from_slice(&run.to_le_bytes());
    words[8..].copy_from_slice(&at.to_le_bytes());
    for part in buffer.chunks_exact_mut(WORDS) {
        part.copy_from_slice(&words);
    }
}

/// The place that a marker of this run was meant for.
fn marker_in(found: &[u8], run: u64) -> Option<u64> {
    let (number, at) = found.get(..WORDS)?.split_at(8);
    (number == run.to_le_bytes()).then_some(u64::from_le_bytes(at.try_into().ok()?))
}

/// Whether a marker is in its place. A few bits that differ are another fault, which reading the
/// image back names.
fn is_there(expected: &[u8], found: &[u8]) -> bool {
    let same = expected
        .chunks_exact(WORDS)
        .zip(found.chunks_exact(WORDS))
        .filter(|(one, other)| one == other)
        .count();
    same * WORDS * 2 > expected.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn markers_are_a_power_of_two_apart_from_the_first_and_one_is_at_the_end() {
        let mib = |tail| -> Vec<u64> { places(tail * MIB).iter().map(|at| at / MIB).collect() };
        assert_eq!(mib(60), [1, 2, 3, 5, 9, 17, 33, 60]);
        assert_eq!(mib(33), [1, 2, 3, 5, 9, 17, 33]);
        assert_eq!(mib(1), [1]);
        assert!(mib(0).is_empty());
        assert_eq!(mib(32 << 20).len(), 27);
    }

    #[test]
    fn a_marker_with_a_flipped_bit_is_there_and_another_one_is_not() {
        let mut marker = vec![0; 4096];
        fill(&mut marker, 7, MIB);
        let mut other = vec![0; 4096];
        fill(&mut other, 7, 2 * MIB);
        assert!(!is_there(&marker, &other));
        assert_eq!(marker_in(&other, 7), Some(2 * MIB));
        assert_eq!(marker_in(&other, 8), None);
        assert!(!is_there(&marker, &[0; 4096]));
        fill(&mut other, 8, MIB);
        assert!(!is_there(&marker, &other), "an earlier run's");
        let mut flipped = marker.clone();
        flipped[100] ^= 1;
        assert!(is_there(&marker, &flipped));
    }
}
