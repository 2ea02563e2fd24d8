//! How costly deriving a key from a passphrase may be.

use std::path::Path;

use libcryptsetup_rs::consts::flags::CryptPbkdf;
use libcryptsetup_rs::consts::vals::{CryptKdf, EncryptionFormat};
use libcryptsetup_rs::{CryptDevice, CryptPbkdfType, LibcryptErr};
use procfs::{Current, Meminfo};

use super::{Keyslot, LuksError};

/// Most memory whatever the machine, so that a drive made on a PC opens on a small box.
const MOST_MEMORY_KIB: u64 = 512 << 10;

/// libcryptsetup takes no fewer.
const FEWEST_PASSES: u32 = 4;

const KEYSLOT_CIPHER: &str = "aes-xts-plain64";
const KEYSLOT_KEY_BYTES: usize = 64;

/// Limits for deriving a key from a passphrase with Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most memory, in KiB.
    pub memory_kib: u32,
    /// Threads, 1 to 4.
    pub parallel: u32,
    /// Time to aim for on this machine, in milliseconds.
    pub time_ms: u32,
    /// Passes over the memory, at least 4, where they are known; else as many as fit into the
    /// time, which is measured. That takes longer than a derivation.
    pub passes: Option<u32>,
}

impl Limits {
    /// For a machine with that much memory and that many CPUs: a quarter of the memory, at most
    /// 512 MiB, so that a drive made on a PC opens on a small box; two seconds.
    pub fn for_machine(memory_kib: u64, cpus: u32) -> Self {
        let memory = (memory_kib / 4).clamp(64, MOST_MEMORY_KIB);
        Self {
            memory_kib: u32::try_from(memory).unwrap_or(u32::MAX),
            parallel: cpus.clamp(1, 4),
            time_ms: 2000,
            passes: None,
        }
    }

    /// For this machine.
    ///
    /// # Errors
    /// When `/proc/meminfo` cannot be read.
    pub fn of_this_machine() -> Result<Self, LuksError> {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self::for_machine(
            meminfo()?.mem_total / 1024,
            u32::try_from(cpus).unwrap_or(u32::MAX),
        ))
    }

    /// What was measured for a keyslot made on this machine, for another one like it.
    #[must_use]
    pub fn as_measured_for(self, keyslot: &Keyslot) -> Self {
        if keyslot.kdf != "argon2id" {
            return self;
        }
        Self {
            memory_kib: keyslot.memory_kib,
            parallel: keyslot.parallel,
            passes: Some(keyslot.iterations),
            ..self
        }
    }

    /// Makes keyslots added through `handle`, which has a header loaded, obey. LUKS1 knows
    /// neither Argon2 nor a cipher of the keyslots' own and is left at its defaults.
    pub(super) fn apply(self, handle: &mut CryptDevice) -> Result<(), LibcryptErr> {
        if handle.format_handle().get_type()? != EncryptionFormat::Luks2 {
            return Ok(());
        }
        // Keyslots in AES whatever the cipher of the data: libcryptsetup does that one by itself,
        // so passphrases can be tried and changed on a machine whose kernel lacks the other.
        handle
            .keyslot_handle()
            .set_encryption(KEYSLOT_CIPHER, KEYSLOT_KEY_BYTES)?;
        handle.settings_handle().set_pbkdf_type(&self.pbkdf())
    }

    pub(super) fn pbkdf(self) -> CryptPbkdfType {
        // Else found by libcryptsetup's measurement within time and memory.
        let (time_ms, iterations, flags) = match self.passes {
            Some(passes) => (0, passes.max(FEWEST_PASSES), CryptPbkdf::NO_BENCHMARK),
            None => (self.time_ms, 0, CryptPbkdf::empty()),
        };
        CryptPbkdfType {
            type_: CryptKdf::Argon2Id,
            hash: Some("sha256".to_owned()),
            time_ms,
            iterations,
            max_memory_kb: self.memory_kib,
            parallel_threads: self.parallel.clamp(1, 4),
            flags,
        }
    }
}

/// Memory free for use on this machine, in KiB (`MemAvailable`).
///
/// # Errors
/// When `/proc/meminfo` cannot be read.
pub fn memory_available_kib() -> Result<u64, LuksError> {
    let memory = meminfo()?;
    Ok(memory.mem_available.unwrap_or(memory.mem_free) / 1024)
}

fn meminfo() -> Result<Meminfo, LuksError> {
    let path = Path::new("/proc/meminfo");
    Meminfo::current()
        .map_err(|error| LuksError::file("read", path)(std::io::Error::other(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_machine_makes_drives_that_a_small_one_opens() {
        let pc = Limits::for_machine(64 << 20, 16);
        assert_eq!((pc.memory_kib, pc.parallel), (512 << 10, 4));
    }

    #[test]
    fn a_small_machine_gives_a_quarter_of_its_memory() {
        let small = Limits::for_machine(1 << 20, 2);
        assert_eq!((small.memory_kib, small.parallel), (256 << 10, 2));
    }

    #[test]
    fn nonsense_facts_still_give_limits_that_work() {
        let odd = Limits::for_machine(0, 0);
        assert_eq!((odd.memory_kib, odd.parallel), (64, 1));
    }

    #[test]
    fn a_measurement_is_taken_over_and_one_of_another_kind_is_not() {
        let wanted = Limits::for_machine(1 << 20, 2);
        let mut keyslot = Keyslot {
            number: 0,
            kdf: "argon2id".to_owned(),
            memory_kib: 100_000,
            iterations: 7,
            parallel: 3,
        };
        let taken = wanted.as_measured_for(&keyslot);
        assert_eq!(
            (taken.memory_kib, taken.parallel, taken.passes),
            (100_000, 3, Some(7))
        );
        keyslot.kdf = "pbkdf2".to_owned();
        assert_eq!(wanted.as_measured_for(&keyslot), wanted);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(memory_available_kib().unwrap() > 0);
        assert!(Limits::of_this_machine().unwrap().memory_kib >= 64);
    }
}
