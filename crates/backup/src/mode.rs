//! Modes: restic keeps them as Go does.

/// Go's bit for set-user-id.
const GO_SETUID: u32 = 1 << 23;
/// Go's bit for set-group-id.
const GO_SETGID: u32 = 1 << 22;
/// Go's bit for the sticky bit.
const GO_STICKY: u32 = 1 << 20;

/// The permission bits of a mode that restic kept, as `chmod` takes them.
pub(crate) fn from_go(mode: u32) -> u32 {
    [
        (GO_SETUID, 0o4000),
        (GO_SETGID, 0o2000),
        (GO_STICKY, 0o1000),
    ]
    .into_iter()
    .filter(|(go, _)| mode & go != 0)
    .fold(mode & 0o777, |bits, (_, unix)| bits | unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bits_are_where_chmod_has_them() {
        assert_eq!(from_go(0o755 | 1 << 31), 0o755);
        assert_eq!(from_go(0o775 | GO_SETGID), 0o2775);
        assert_eq!(from_go(0o777 | GO_STICKY | GO_SETUID), 0o5777);
    }
}
