//! Reading the ext4 superblock: what it says of the state of the file system.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use uuid::Uuid;

use super::FilesystemError;
use crate::inspect::probe;

/// Facts from an ext4 superblock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Superblock {
    /// UUID.
    pub uuid: Uuid,
    /// Label.
    pub label: String,
    /// It was unmounted in order (or has a journal to make up for it).
    pub clean: bool,
    /// The kernel or e2fsck saw errors in it.
    pub errors: bool,
    /// The journal holds changes to be replayed.
    pub journal_to_replay: bool,
    /// Mounts since the last check.
    pub mounts: u16,
    /// Mounts after which to check; `None` if never.
    pub mounts_limit: Option<u16>,
    /// Last check, in seconds since 1970.
    pub checked: u64,
    /// Seconds after which to check; `None` if never.
    pub interval: Option<u64>,
}

/// Why the file system asks for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckReason {
    /// Errors were seen in it.
    Errors,
    /// It was not unmounted in order.
    NotClean,
    /// The journal holds changes to be replayed.
    JournalToReplay,
    /// Mounted often enough since the last check.
    Mounts,
    /// The last check is long ago.
    Interval,
}

/// Reads the superblock.
///
/// # Errors
/// [`FilesystemError::NotExt4`] when there is none.
pub fn superblock(device: &Path) -> Result<Superblock, FilesystemError> {
    let mut block = [0_u8; 1024];
    File::open(device)
        .and_then(|file| file.read_exact_at(&mut block, 1024))
        .map_err(|source| FilesystemError::Read {
            device: device.to_owned(),
            source,
        })?;
    parse(&block).ok_or_else(|| FilesystemError::NotExt4 {
        device: device.to_owned(),
        holds: probe(device).in_words(),
    })
}

/// Offsets and bits as the kernel documents them in "ext4 Data Structures: Super Block".
fn parse(block: &[u8; 1024]) -> Option<Superblock> {
    const MAGIC: u16 = 0xef53;
    const VALID: u16 = 0x1;
    const ERRORS: u16 = 0x2;
    const RECOVER: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;

    let short = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    let long =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let incompatible = long(0x60);
    if short(0x38) != MAGIC || incompatible & JOURNAL_DEVICE != 0 {
        return None;
    }
    let state = short(0x3a);
    let name = &block[0x78..0x88];
    let end = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    Some(Superblock {
        uuid: Uuid::from_slice(&block[0x68..0x78]).ok()?,
        label: String::from_utf8_lossy(&name[..end]).into_owned(),
        clean: state & VALID != 0,
        errors: state & ERRORS != 0 || long(0x194) > 0,
        journal_to_replay: incompatible & RECOVER != 0,
        mounts: short(0x34),
        // Signed on the disk; 0 and everything negative mean never.
        mounts_limit: Some(short(0x36)).filter(|&limit| (1..0x8000).contains(&limit)),
        checked: u64::from(long(0x40)),
        interval: Some(u64::from(long(0x44))).filter(|&interval| interval > 0),
    })
}

/// Does the file system ask for a check? Decided over facts.
pub fn needs_check(superblock: &Superblock, now: SystemTime) -> Option<CheckReason> {
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if superblock.errors {
        Some(CheckReason::Errors)
    } else if !superblock.clean {
        Some(CheckReason::NotClean)
    } else if superblock.journal_to_replay {
        Some(CheckReason::JournalToReplay)
    } else if superblock
        .mounts_limit
        .is_some_and(|limit| superblock.mounts >= limit)
    {
        Some(CheckReason::Mounts)
    } else if superblock
        .interval
        // A clock that lost its time (no battery on a Pi) must not ask for a check.
        .is_some_and(|interval| now.saturating_sub(superblock.checked) >= interval)
    {
        Some(CheckReason::Interval)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn healthy() -> Superblock {
        Superblock {
            uuid: Uuid::nil(),
            label: String::new(),
            clean: true,
            errors: false,
            journal_to_replay: false,
            mounts: 3,
            mounts_limit: None,
            checked: 1_000_000,
            interval: None,
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_healthy_file_system_asks_for_nothing() {
        assert_eq!(needs_check(&healthy(), at(u64::from(u32::MAX))), None);
    }

    #[test]
    fn each_reason_is_told() {
        let reasons = [
            (
                Superblock {
                    errors: true,
                    clean: false,
                    ..healthy()
                },
                CheckReason::Errors,
            ),
            (
                Superblock {
                    clean: false,
                    ..healthy()
                },
                CheckReason::NotClean,
            ),
            (
                Superblock {
                    journal_to_replay: true,
                    ..healthy()
                },
                CheckReason::JournalToReplay,
            ),
            (
                Superblock {
                    mounts_limit: Some(3),
                    ..healthy()
                },
                CheckReason::Mounts,
            ),
            (
                Superblock {
                    interval: Some(100),
                    ..healthy()
                },
                CheckReason::Interval,
            ),
        ];
        for (superblock, reason) in reasons {
            assert_eq!(needs_check(&superblock, at(1_000_100)), Some(reason));
        }
    }

    #[test]
    fn a_clock_that_lost_its_time_asks_for_no_check() {
        let superblock = Superblock {
            interval: Some(100),
            ..healthy()
        };
        assert_eq!(needs_check(&superblock, at(0)), None);
    }

    proptest! {
        #[test]
        fn any_block_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 1024)) {
            let mut block: [u8; 1024] = bytes.try_into().unwrap();
            let _ = parse(&block);
            block[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
            block[0x60] = 0;
            let parsed = parse(&block);
            prop_assert!(parsed.is_some_and(|parsed| parsed.label.chars().count() <= 16));
        }
    }
}
