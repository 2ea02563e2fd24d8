//! Which cipher suits this machine, by measurement.

mod benchmark;

use serde::Serialize;

/// A cipher that drives are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cipher {
    /// `aes-xts-plain64` with a 512-bit key: for CPUs with AES instructions.
    AesXts,
    /// `xchacha12,aes-adiantum-plain64` with a 256-bit key: for CPUs without.
    Adiantum,
}

impl Cipher {
    /// As the device mapper writes it.
    pub fn specification(self) -> &'static str {
        match self {
            Self::AesXts => "aes-xts-plain64",
            Self::Adiantum => "xchacha12,aes-adiantum-plain64",
        }
    }

    /// Cipher and mode, apart, as libcryptsetup takes them.
    pub(crate) fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::AesXts => ("aes", "xts-plain64"),
            Self::Adiantum => ("xchacha12,aes", "adiantum-plain64"),
        }
    }

    /// Length of the volume key in bits.
    pub fn key_bits(self) -> u32 {
        match self {
            Self::AesXts => 512,
            Self::Adiantum => 256,
        }
    }
}

impl std::fmt::Display for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.specification())
    }
}

/// What came out of measuring one cipher.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Speed {
    /// Measured, in MiB per second, one thread.
    Measured {
        /// Writing.
        encrypt: f64,
        /// Reading.
        decrypt: f64,
    },
    /// The kernel lacks this cipher.
    Lacking,
    /// The kernel offers no way to measure.
    NotMeasurable {
        /// Why.
        why: String,
    },
}

/// Why a cipher was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The CPU has AES instructions.
    AesInstructions,
    /// The CPU has none.
    NoAesInstructions,
    /// Without AES instructions, yet AES measured faster (an accelerator).
    MeasuredFaster,
    /// The kernel lacks the other one.
    OtherLacking,
}

/// The measurement with its conclusion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The CPU has AES instructions.
    pub aes_instructions: bool,
    /// Speed of [`Cipher::AesXts`].
    pub aes_xts: Speed,
    /// Speed of [`Cipher::Adiantum`].
    pub adiantum: Speed,
    /// The cipher for drives made on this machine.
    pub choice: Cipher,
    /// Why.
    pub reason: Reason,
}

/// Measures both ciphers on this machine (about two seconds) and chooses.
pub fn measure() -> Report {
    let aes_instructions = aes_instructions();
    let aes_xts = benchmark::speed(Cipher::AesXts);
    let adiantum = benchmark::speed(Cipher::Adiantum);
    let (choice, reason) = choose(aes_instructions, &aes_xts, &adiantum);
    Report {
        aes_instructions,
        aes_xts,
        adiantum,
        choice,
        reason,
    }
}

/// Chooses as [`measure`] does, and measures no more than it takes for that.
pub fn choice() -> Cipher {
    let aes_instructions = aes_instructions();
    let aes_xts = benchmark::speed(Cipher::AesXts);
    if clear_already(aes_instructions, &aes_xts) {
        return Cipher::AesXts;
    }
    choose(
        aes_instructions,
        &aes_xts,
        &benchmark::speed(Cipher::Adiantum),
    )
    .0
}

/// Whether AES is chosen however fast the other one is.
fn clear_already(aes_instructions: bool, aes_xts: &Speed) -> bool {
    aes_instructions && *aes_xts != Speed::Lacking
}

fn aes_instructions() -> bool {
    aes_in_cpuinfo(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

/// The choice over facts: AES where the CPU has instructions for it, else Adiantum; except when
/// measuring proves that the kernel lacks the one, or that AES is no slower all the same.
pub fn choose(aes_instructions: bool, aes_xts: &Speed, adiantum: &Speed) -> (Cipher, Reason) {
    match (aes_xts, adiantum) {
        (Speed::Lacking, Speed::Measured { .. }) => (Cipher::Adiantum, Reason::OtherLacking),
        (Speed::Measured { .. }, Speed::Lacking) if !aes_instructions => {
            (Cipher::AesXts, Reason::OtherLacking)
        }
        _ if aes_instructions => (Cipher::AesXts, Reason::AesInstructions),
        (
            Speed::Measured {
                encrypt: aes_writes,
                decrypt: aes_reads,
            },
            Speed::Measured { encrypt, decrypt },
        ) if aes_writes >= encrypt && aes_reads >= decrypt => {
            (Cipher::AesXts, Reason::MeasuredFaster)
        }
        _ => (Cipher::Adiantum, Reason::NoAesInstructions),
    }
}

/// Does `/proc/cpuinfo` list AES instructions? x86 says `flags`, ARM `Features`.
fn aes_in_cpuinfo(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| matches!(key.trim(), "flags" | "Features"))
        .any(|(_, features)| features.split_whitespace().any(|feature| feature == "aes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(speed: f64) -> Speed {
        Speed::Measured {
            encrypt: speed,
            decrypt: speed,
        }
    }

    fn unknown() -> Speed {
        Speed::NotMeasurable {
            why: "no AF_ALG".into(),
        }
    }

    #[test]
    fn aes_instructions_mean_aes() {
        let aes = (Cipher::AesXts, Reason::AesInstructions);
        assert_eq!(choose(true, &measured(2000.0), &measured(400.0)), aes);
        assert_eq!(choose(true, &unknown(), &unknown()), aes);
        assert_eq!(choose(true, &measured(2000.0), &Speed::Lacking), aes);
    }

    #[test]
    fn the_other_cipher_is_left_unmeasured_only_where_it_makes_no_difference() {
        let speeds = [measured(2000.0), measured(69.0), Speed::Lacking, unknown()];
        for aes_instructions in [true, false] {
            for aes_xts in &speeds {
                let all = speeds.iter();
                let always = all
                    .clone()
                    .all(|other| choose(aes_instructions, aes_xts, other).0 == Cipher::AesXts);
                assert_eq!(
                    clear_already(aes_instructions, aes_xts),
                    always,
                    "{aes_instructions} {aes_xts:?}"
                );
            }
        }
    }

    #[test]
    fn no_aes_instructions_mean_adiantum() {
        let adiantum = (Cipher::Adiantum, Reason::NoAesInstructions);
        // A Raspberry Pi 4.
        assert_eq!(choose(false, &measured(69.0), &measured(106.0)), adiantum);
        assert_eq!(choose(false, &unknown(), &unknown()), adiantum);
    }

    #[test]
    fn a_cipher_that_the_kernel_lacks_is_not_chosen() {
        assert_eq!(
            choose(false, &measured(69.0), &Speed::Lacking),
            (Cipher::AesXts, Reason::OtherLacking)
        );
        assert_eq!(
            choose(true, &Speed::Lacking, &measured(106.0)),
            (Cipher::Adiantum, Reason::OtherLacking)
        );
    }

    #[test]
    fn an_accelerator_that_makes_aes_faster_is_used() {
        assert_eq!(
            choose(false, &measured(300.0), &measured(106.0)),
            (Cipher::AesXts, Reason::MeasuredFaster)
        );
    }

    #[test]
    fn aes_instructions_are_read_from_cpuinfo() {
        assert!(aes_in_cpuinfo(
            "processor\t: 0\nflags\t\t: fpu sse2 aes avx\n"
        ));
        assert!(aes_in_cpuinfo("Features\t: fp asimd aes pmull sha1\n"));
        // A Raspberry Pi 4; and names that only contain the letters.
        assert!(!aes_in_cpuinfo(
            "Features\t: fp asimd evtstrm crc32 cpuid\n"
        ));
        assert!(!aes_in_cpuinfo("flags\t: vaes\nmodel name\t: aes\n"));
    }

    #[test]
    fn measuring_always_comes_to_a_choice() {
        let report = measure();
        let (choice, reason) = choose(report.aes_instructions, &report.aes_xts, &report.adiantum);
        assert_eq!((report.choice, report.reason), (choice, reason));
        if !matches!(report.aes_xts, Speed::Measured { .. }) {
            eprintln!("not measured here: {:?}", report.aes_xts);
        }
    }
}
