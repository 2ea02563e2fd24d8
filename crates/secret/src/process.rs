//! What the kernel may do with the memory of this process.

use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Keeps the memory of this process, and with it every key, from being written into a core dump
/// or read by another process of the same user. Programs that it starts leave no core dumps
/// either. Call it first of all in `main`.
///
/// # Errors
/// When the kernel refuses, which it has no reason to.
pub fn protect_process() -> io::Result<()> {
    // systemd-coredump is handed a dump by a pipe, whatever the limit: so both.
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

/// Keeps the memory of this process, present and future, out of swap space. For operations that
/// handle a passphrase or a volume key and end soon; not for a backup, whose index and buffers may
/// be larger than what the machine can spare. Pages are locked as they are first used, so that
/// nothing is taken for them before.
///
/// # Errors
/// `EPERM` or `ENOMEM` for a user who may not lock memory: go on without.
pub fn lock_memory() -> io::Result<()> {
    let on_fault = MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT);
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    Ok(mlockall(all | on_fault)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::getrlimit;

    #[test]
    fn a_protected_process_leaves_no_core_dump() {
        protect_process().unwrap();
        assert!(!prctl::get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        // Its own files under /proc are still its own.
        assert!(std::fs::read_dir("/proc/self/fd").is_ok());
    }

    #[test]
    fn locked_memory_is_counted_by_the_kernel() {
        if let Err(error) = lock_memory() {
            println!("SKIPPED: this user may not lock memory: {error}");
            return;
        }
        let kept = vec![7_u8; 1 << 20];
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let locked = status
            .lines()
            .find_map(|line| line.strip_prefix("VmLck:"))
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|number| number.trim().parse::<usize>().ok());
        assert!(locked.is_some_and(|kib| kib >= 1024), "{locked:?}");
        drop(kept);
    }
}
