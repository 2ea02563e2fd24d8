//! Modes: restic keeps them as Go does.

/// Go's bits and what they are in `st_mode`: set-user-id, set-group-id, sticky.
const SPECIAL: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// Go's bits for what is no regular file.
const KINDS: [(u32, u32); 6] = [
    (0o140_000, 1 << 24),
    (0o120_000, 1 << 27),
    (0o060_000, 1 << 26),
    (0o040_000, 1 << 31),
    // Go's bit for character devices goes with the one for devices, and rustic_core keeps neither.
    (0o020_000, 0),
    (0o010_000, 1 << 25),
];

/// The mode as `chmod` takes it.
pub(crate) fn from_go(mode: u32) -> u32 {
    SPECIAL
        .into_iter()
        .filter(|(go, _)| mode & go != 0)
        .fold(mode & 0o777, |bits, (_, unix)| bits | unix)
}

/// A mode as Go has it, from what `stat` tells.
pub(crate) fn to_go(mode: u32) -> u32 {
    let kind = KINDS
        .into_iter()
        .find(|(unix, _)| mode & 0o170_000 == *unix)
        .map_or(0, |(_, go)| go);
    SPECIAL
        .into_iter()
        .filter(|(_, unix)| mode & unix != 0)
        .fold(kind | mode & 0o777, |bits, (go, _)| bits | go)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bits_are_where_chmod_has_them() {
        assert_eq!(from_go(0o755 | 1 << 31), 0o755);
        assert_eq!(from_go(0o775 | 1 << 22), 0o2775);
        assert_eq!(from_go(0o777 | 1 << 20 | 1 << 23), 0o5777);
    }

    #[test]
    fn a_mode_comes_back_as_it_went() {
        assert_eq!(to_go(0o040_755), 1 << 31 | 0o755);
        assert_eq!(to_go(0o100_640), 0o640);
        for bits in [0o644, 0o4755, 0o2750, 0o1777, 0o7777] {
            assert_eq!(from_go(to_go(0o100_000 | bits)), bits);
        }
    }
}
