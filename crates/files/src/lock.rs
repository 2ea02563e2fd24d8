use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How often a waiting run looks whether the lock is free.
const POLL: Duration = Duration::from_millis(100);

/// An exclusive lock on a file, held until dropped or until the process ends, however it ends.
///
/// It is advisory (`flock`): it keeps out other holders of a `Lock`, no one else. Programs
/// started while it is held do not inherit it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it, and still did when the waiting time was over.
    #[error("another run is at work{}", process(*pid))]
    Held {
        /// The holder's process number, where it could be read.
        pid: Option<u32>,
    },
    /// The lock file could not be made, opened or locked.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock, making the file and its folder (mode 0755) where missing. `wait` bounds
    /// how long a lock that is held is waited for; `None` does not wait.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process keeps it; [`LockError::Io`] otherwise.
    pub fn acquire(path: &Path, wait: Option<Duration>) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            path: path.to_path_buf(),
            source,
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(folder)
                .map_err(failed)?;
        }
        // The file stays when the lock goes: removing it would let two runs lock two files.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(path)
            .map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {
                    let left = wait.unwrap_or_default().saturating_sub(begun.elapsed());
                    if left.is_zero() {
                        return Err(LockError::Held {
                            pid: holder(&mut file),
                        });
                    }
                    thread::sleep(left.min(POLL));
                }
            }
        }
        // Only for the message of a run kept out; the lock holds without it, also on a full disk.
        let _ = note_holder(&mut file);
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file unlocks it; emptied so that nobody reads an old number.
        let _ = self.file.set_len(0);
    }
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    file.rewind().ok()?;
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_kept_out_and_told_who_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/lock");
        let lock = Lock::acquire(&path, None).unwrap();
        let kept_out = Lock::acquire(&path, Some(Duration::from_millis(1))).unwrap_err();
        assert_eq!(
            kept_out.to_string(),
            format!("another run is at work (process {})", std::process::id())
        );
        drop(lock);
        Lock::acquire(&path, None).unwrap();
    }

    #[test]
    fn a_waiting_run_goes_on_when_the_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::acquire(&path, None).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Lock::acquire(&path, Some(Duration::from_secs(600))));
            drop(lock);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_number_left_by_a_run_that_crashed_does_not_keep_the_next_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, "999999999").unwrap();
        let lock = Lock::acquire(&path, None).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap().trim(),
            std::process::id().to_string()
        );
        drop(lock);
    }

    #[test]
    fn a_lock_that_cannot_be_made_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::acquire(folder.path(), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot lock {}", folder.path().display())
        );
    }
}
