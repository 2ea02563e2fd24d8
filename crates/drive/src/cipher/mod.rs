//! Which cipher suits this machine, by measurement.

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
    todo!()
}

/// The choice over facts.
pub fn choose(aes_instructions: bool, aes_xts: &Speed, adiantum: &Speed) -> (Cipher, Reason) {
    let _ = (aes_instructions, aes_xts, adiantum);
    todo!()
}
