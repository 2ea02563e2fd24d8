use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Changes to an image's bytes, by their place in it. They hold secrets, and are wiped.
#[derive(Clone, Default)]
pub struct Patches(BTreeMap<u64, Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for Patches {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Patches({} places)", self.0.len())
    }
}

impl Patches {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts `bytes` at `at`, over what other changes put there.
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len() as u64;
        // What overlaps is merged, so that no two entries ever do.
        let mut start = at;
        let mut merged_end = end;
        let touching: Vec<u64> = self
            .0
            .range(..end)
            .rev()
            .take_while(|(place, old)| **place + old.len() as u64 >= at)
            .map(|(place, _)| *place)
            .collect();
        let mut old = Vec::new();
        for place in touching {
            if let Some(bytes) = self.0.remove(&place) {
                start = start.min(place);
                merged_end = merged_end.max(place + bytes.len() as u64);
                old.push((place, bytes));
            }
        }
        let mut merged = Zeroizing::new(vec![0; (merged_end - start) as usize]);
        for (place, old) in &old {
            let from = (place - start) as usize;
            merged[from..from + old.len()].copy_from_slice(old);
        }
        let from = (at - start) as usize;
        merged[from..from + bytes.len()].copy_from_slice(bytes);
        self.0.insert(start, merged);
    }

    /// Changes `buffer`, which holds the image's bytes from `at` on. Tells whether it did.
    pub fn apply(&self, at: u64, buffer: &mut [u8]) -> bool {
        let mut changed = false;
        self.overlaps(at, buffer.len(), |from, bytes| {
            buffer[from..from + bytes.len()].copy_from_slice(bytes);
            changed = true;
        });
        changed
    }

    /// Each change with its place, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.0
            .iter()
            .map(|(place, bytes)| (*place, bytes.as_slice()))
    }

    /// Whether all of the bytes from `at` on are changed, so that the original does not matter.
    pub(crate) fn covers(&self, at: u64, length: usize) -> bool {
        let mut covered = 0;
        self.overlaps(at, length, |_, bytes| covered += bytes.len());
        covered == length
    }

    fn overlaps(&self, at: u64, length: usize, mut each: impl FnMut(usize, &[u8])) {
        let end = at + length as u64;
        // Entries do not overlap, so at most one that begins before `at` reaches into it.
        let before = self.0.range(..at).next_back();
        for (&place, bytes) in before.into_iter().chain(self.0.range(at..end)) {
            let from = place.max(at);
            let until = (place + bytes.len() as u64).min(end);
            if from < until {
                let slice = &bytes[(from - place) as usize..(until - place) as usize];
                each((from - at) as usize, slice);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn patches_change_a_stream_as_writes_change_a_file(
            writes in proptest::collection::vec((0_usize..200, proptest::collection::vec(any::<u8>(), 0..40)), 0..30),
            piece in 1_usize..50,
        ) {
            let mut file = vec![0xee_u8; 256];
            let mut patches = Patches::default();
            for (at, bytes) in &writes {
                file[*at..at + bytes.len()].copy_from_slice(bytes);
                patches.put(*at as u64, bytes);
            }
            let mut stream = vec![0xee_u8; 256];
            for (number, part) in stream.chunks_mut(piece).enumerate() {
                patches.apply((number * piece) as u64, part);
            }
            prop_assert_eq!(stream, file);
        }
    }
}
