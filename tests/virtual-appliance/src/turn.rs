//! How many machines may run at once on this host.
//!
//! A test that uses several machines holds one turn for all of them, so two
//! such tests cannot wait for each other.

use std::{
    cell::RefCell,
    fs::{self, File, TryLockError},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cache,
    error::{Doing, Result},
};

/// The memory that a test needs: that of a machine, with room.
const KIBIBYTES: usize = 2 << 20;

/// The right to run machines, given back when the last holder lets it go.
#[derive(Debug)]
pub(crate) struct Turn {
    _lock: File,
}

thread_local! {
    static HELD: RefCell<Weak<Turn>> = const { RefCell::new(Weak::new()) };
}

/// Waits for this thread's turn; it has it already if it holds a machine.
pub(crate) fn take() -> Result<Arc<Turn>> {
    if let Some(turn) = HELD.with_borrow(Weak::upgrade) {
        return Ok(turn);
    }
    let shelf = cache::subfolder("turns")?;
    let since = Instant::now();
    let mut told = false;
    loop {
        for number in 0..turns() {
            let path = shelf.join(number.to_string());
            let doing = || format!("locking {}", path.display());
            let lock = File::create(&path).doing(doing)?;
            match lock.try_lock() {
                Ok(()) => {
                    let turn = Arc::new(Turn { _lock: lock });
                    HELD.set(Arc::downgrade(&turn));
                    return Ok(turn);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(source).doing(doing),
            }
        }
        if !told && since.elapsed() > Duration::from_secs(5) {
            told = true;
            eprintln!("Waiting until another virtual machine ends.");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn turns() -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    fitting(processors, total_kibibytes(&memory).unwrap_or(KIBIBYTES))
}

fn fitting(processors: usize, kibibytes: usize) -> usize {
    // A machine has one processor, and waits now and then: one more keeps the host's busy.
    (processors + 1).min(kibibytes / KIBIBYTES).max(1)
}

fn total_kibibytes(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_host_runs_one_test_at_a_time() {
        assert_eq!(fitting(0, 1 << 20), 1);
        assert_eq!(fitting(1, 3 << 20), 1);
        assert_eq!(fitting(2, 3 << 20), 1);
        assert_eq!(fitting(16, 3 << 20), 1);
    }

    #[test]
    fn each_processor_runs_a_test_and_one_waits() {
        assert_eq!(fitting(2, 4 << 20), 2);
        assert_eq!(fitting(2, 8 << 20), 3);
        assert_eq!(fitting(4, 16 << 20), 5);
    }

    #[test]
    fn memory_sets_the_limit_of_a_large_host() {
        assert_eq!(fitting(8, 8 << 20), 4);
        assert_eq!(fitting(64, 16 << 20), 8);
    }

    #[test]
    fn the_hosts_memory_is_read() {
        assert_eq!(
            total_kibibytes("MemTotal:       24000000 kB\n"),
            Some(24_000_000)
        );
        assert_eq!(total_kibibytes("MemFree: 1 kB\n"), None);
    }
}
