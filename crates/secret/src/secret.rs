use std::fmt;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// A passphrase, password or key: wiped when dropped, never shown by `Debug`.
///
/// It holds bytes, as a key slot takes them; most secrets are text too, see
/// [`Secret::expose_text`].
#[derive(Clone, Default)]
pub struct Secret(SecretSlice<u8>);

/// A secret that must be text is not valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not text (not UTF-8)")]
pub struct NotText;

impl Secret {
    /// Copies the bytes into a secret; wiping the original is the caller's part.
    pub fn copy_from(bytes: &[u8]) -> Self {
        // An exact copy: turning a vector into a box could reallocate and leave its old memory.
        Self(Box::<[u8]>::from(bytes).into())
    }

    /// The bytes, for the one call that needs them.
    pub fn expose_bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The `secrecy` crate's own type, for libraries that take it.
    pub fn as_slice(&self) -> &SecretSlice<u8> {
        &self.0
    }

    /// The secret as text, for the one call that needs it.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn expose_text(&self) -> Result<&str, NotText> {
        std::str::from_utf8(self.expose_bytes()).map_err(|_| NotText)
    }

    /// A copy as the `secrecy` crate's string, for libraries that take one.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn to_secret_string(&self) -> Result<SecretString, NotText> {
        Ok(SecretString::from(Box::<str>::from(self.expose_text()?)))
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.expose_bytes().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.expose_bytes().is_empty()
    }

    /// Whether both hold the same bytes; the time taken tells only the lengths.
    pub fn matches(&self, other: &Self) -> bool {
        let (one, two) = (self.expose_bytes(), other.expose_bytes());
        one.len() == two.len()
            && one
                .iter()
                .zip(two)
                .fold(0, |differing, (a, b)| differing | (a ^ b))
                == 0
    }
}

impl From<String> for Secret {
    /// Takes the text and wipes the string it came in.
    fn from(mut text: String) -> Self {
        let secret = Self::copy_from(text.as_bytes());
        text.zeroize();
        secret
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self::copy_from(text.as_bytes())
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::copy_from(&bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_the_secret_nor_its_length() {
        let secret = Secret::from(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn only_the_same_bytes_match() {
        let secret = Secret::copy_from(b"correct horse");
        assert!(secret.matches(&secret.clone()));
        for other in ["", "correct hors", "correct horsf", "borrect horse"] {
            assert!(!secret.matches(&Secret::copy_from(other.as_bytes())));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_but_not_given_as_text() {
        let secret = Secret::copy_from(&[0xff, 0x00]);
        assert_eq!(secret.expose_bytes(), [0xff, 0x00]);
        assert_eq!(secret.expose_text(), Err(NotText));
        assert!(secret.to_secret_string().is_err());
    }
}
