//! Sums and signatures: `SHA256SUMS` as a release carries it, and `SHA256SUMS.minisig` over it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use minisign_verify::{PublicKey, Signature};

/// Name of the file of sums beside the images of a release.
pub const SUMS: &str = "SHA256SUMS";

/// Name of the signature over it.
pub const SIGNATURE: &str = "SHA256SUMS.minisig";

/// A SHA-256 sum.
pub type Sum = [u8; 32];

/// Why an image is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// A line is not a sum and a name.
    #[error("{SUMS} is damaged in line {line}")]
    Damaged {
        /// The line, from 1.
        line: usize,
    },
    /// The image is not in the list.
    #[error("{SUMS} does not list {name}")]
    NotListed {
        /// The image's name.
        name: String,
    },
    /// The sum is another one.
    #[error("{name} is not what was released: its checksum is {found}, but should be {expected}")]
    Differs {
        /// The image's name.
        name: String,
        /// The sum it has.
        found: String,
        /// The sum it should have.
        expected: String,
    },
    /// The key is not a minisign key.
    #[error("the public key is not a minisign key: {0}")]
    Key(String),
    /// The signature is not one, or is of another key, or the list was changed.
    #[error("the signature of {SUMS} is wrong: {0}")]
    Signature(String),
}

/// The sums of a release, by file name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums(BTreeMap<String, Sum>);

impl Sums {
    /// Reads what `sha256sum` writes.
    ///
    /// # Errors
    /// [`SumError::Damaged`].
    pub fn parse(text: &str) -> Result<Self, SumError> {
        let mut sums = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let damaged = || SumError::Damaged { line: number };
            let (digits, name) = line.split_once(' ').ok_or_else(damaged)?;
            // A blank or, for files read as they are, an asterisk.
            let name = name.strip_prefix([' ', '*']).ok_or_else(damaged)?;
            let fine = !name.is_empty() && !name.contains(['/', '\0']) && name != "..";
            if !fine {
                return Err(damaged());
            }
            sums.insert(name.to_owned(), from_digits(digits).ok_or_else(damaged)?);
        }
        Ok(Self(sums))
    }

    /// The names in the list.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The sum of a file.
    ///
    /// # Errors
    /// [`SumError::NotListed`].
    pub fn of(&self, name: &str) -> Result<Sum, SumError> {
        self.0
            .get(name)
            .copied()
            .ok_or_else(|| SumError::NotListed {
                name: name.to_owned(),
            })
    }
}

/// Compares a sum with the one it should be.
///
/// # Errors
/// [`SumError::Differs`].
pub fn compare(name: &str, found: &Sum, expected: &Sum) -> Result<(), SumError> {
    if found == expected {
        return Ok(());
    }
    Err(SumError::Differs {
        name: name.to_owned(),
        found: digits(found),
        expected: digits(expected),
    })
}

/// Checks a signature over the text of `SHA256SUMS`.
///
/// `key` is a minisign public key: the line in base64, or the whole file.
///
/// # Errors
/// [`SumError::Key`] or [`SumError::Signature`].
pub fn check_signature(key: &str, text: &[u8], signature: &str) -> Result<(), SumError> {
    let key = key.trim();
    let key = if key.contains('\n') {
        PublicKey::decode(key)
    } else {
        PublicKey::from_base64(key)
    };
    let key = key.map_err(|error| SumError::Key(error.to_string()))?;
    let wrong = |error: minisign_verify::Error| SumError::Signature(error.to_string());
    let signature = Signature::decode(signature).map_err(wrong)?;
    key.verify(text, &signature, false).map_err(wrong)
}

/// A sum in hexadecimal digits.
pub fn digits(sum: &Sum) -> String {
    let mut text = String::with_capacity(64);
    for byte in sum {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_digits(text: &str) -> Option<Sum> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut sum = [0; 32];
    for (place, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(sum)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_sha256sum_writes_is_read() {
        let digits = "00".repeat(31) + "0a";
        let sums = Sums::parse(&format!("{digits}  a.img\n{digits} *b c.img.zst\n")).unwrap();
        assert_eq!(sums.of("a.img").unwrap()[31], 10);
        assert_eq!(sums.names().collect::<Vec<_>>(), ["a.img", "b c.img.zst"]);
        let missing = sums.of("c").unwrap_err();
        assert_eq!(missing.to_string(), "SHA256SUMS does not list c");
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let digits = "00".repeat(32);
        for name in ["../x", "/etc/passwd", "..", ""] {
            let text = format!("{digits}  {name}\n");
            assert_eq!(
                Sums::parse(&text),
                Err(SumError::Damaged { line: 1 }),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_list_key_and_signature_is_answered(text in "\\PC{0,200}", more in "[ -~\n]{0,300}") {
            let _ = Sums::parse(&text);
            let _ = check_signature(&text, b"x", &more);
            let _ = check_signature(&more, b"x", &text);
        }
    }
}
