//! The administrator's password: only its hash travels.

use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};
use sha_crypt::password_hash::PasswordHasher;
use sha_crypt::{Algorithm, Params, ShaCrypt};

/// Rounds of SHA-512: about a third of a second on a Raspberry Pi 4, at every sign-in.
const ROUNDS: u32 = 200_000;

/// Shortest password that is taken, in characters.
pub const MIN_CHARS: usize = 10;

/// Longest, in bytes: what the crypt function takes.
const MAX_BYTES: usize = 511;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short to withstand guessing on the home network.
    #[error("the password has fewer than {MIN_CHARS} characters")]
    TooShort,
    /// Longer than the system's hash function takes.
    #[error("the password is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Holds what cannot be typed at a prompt.
    #[error("the password holds a control character")]
    ControlCharacter,
    /// No random salt, or hashing failed.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

/// Hashes a password as `/etc/shadow` holds it: SHA-512 crypt with a random salt. Any Unicode
/// text will do; its bytes are taken as UTF-8.
///
/// # Errors
/// [`PasswordError`] for what would not protect, or could not be typed.
pub fn hash(password: &SecretString) -> Result<SecretString, PasswordError> {
    let text = password.expose_secret();
    if text.chars().count() < MIN_CHARS {
        return Err(PasswordError::TooShort);
    }
    if text.len() > MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(PasswordError::ControlCharacter);
    }
    let failed = |error: &dyn std::fmt::Display| PasswordError::Failed(error.to_string());
    let params = Params::new(ROUNDS).map_err(|error| failed(&error))?;
    let hasher = ShaCrypt::new(Algorithm::Sha512Crypt, params);
    // Twelve bytes are sixteen characters, the most that libcrypt keeps: it would cut a longer salt,
    // and the hash it then makes at a sign-in would differ from this one.
    let mut salt = [0_u8; 12];
    SysRng
        .try_fill_bytes(&mut salt)
        .map_err(|error| failed(&error))?;
    let hash = hasher
        .hash_password_with_salt(text.as_bytes(), &salt)
        .map_err(|error| failed(&error))?;
    Ok(SecretString::from(hash.to_string()))
}

/// Whether a text is a hash of a kind that protects; the reason if not.
pub(crate) fn check(hash: &str) -> Result<(), String> {
    let plain = || {
        "must be a hash that begins with $y$ or $6$, never the password itself: \
         immich-appliance-image customise makes one"
            .to_owned()
    };
    let fields: Vec<&str> = hash.split('$').collect();
    let base64 = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
    };
    // The field before the first $ is empty.
    let (salt, sum, length) = match fields.as_slice() {
        ["", "6", rounds, salt, sum] => {
            let number = rounds.strip_prefix("rounds=").and_then(|n| n.parse().ok());
            if !number.is_some_and(|n: u32| (1000..=999_999_999).contains(&n)) {
                return Err("has a wrong number of rounds".into());
            }
            (salt, sum, 86)
        }
        ["", "6", salt, sum] => (salt, sum, 86),
        ["", "y", parameters, salt, sum] => {
            if parameters.is_empty() || !base64(parameters) {
                return Err("has wrong parameters".into());
            }
            (salt, sum, 43)
        }
        ["", "1" | "5" | "2a" | "2b" | "2y", ..] => {
            return Err(
                "must be a yescrypt ($y$) or SHA-512 ($6$) hash; this kind is weaker".into(),
            );
        }
        _ => return Err(plain()),
    };
    if sum.len() != length || !base64(sum) || !base64(salt) || salt.is_empty() || salt.len() > 86 {
        return Err("is not a whole hash: it was cut or changed".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// What libcrypt makes of a password with a hash's own salt.
    fn libcrypt(password: &str, hash: &str) -> Option<String> {
        let output = Command::new("perl")
            .args(["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash])
            .output()
            .ok()?;
        (output.status.success() && !output.stdout.is_empty())
            .then(|| String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn the_systems_own_crypt_takes_the_hash_of_any_unicode_password() {
        for password in [
            "correct horse",
            "Schlüssel-für-🏠",
            "пароль длинный",
            "a\"'\\ $b$c d",
        ] {
            let hash = hash(&secret(password)).unwrap();
            let hash = hash.expose_secret();
            assert_eq!(check(hash), Ok(()));
            let Some(made) = libcrypt(password, hash) else {
                println!("SKIPPED: perl's crypt is not here to compare with");
                return;
            };
            assert_eq!(&made, hash, "{password}");
        }
    }

    #[test]
    fn the_same_password_never_hashes_alike_twice() {
        let one = hash(&secret("the same words")).unwrap();
        let two = hash(&secret("the same words")).unwrap();
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[test]
    fn a_password_that_does_not_protect_is_refused() {
        assert_eq!(hash(&secret("short")).unwrap_err(), PasswordError::TooShort);
        assert_eq!(
            hash(&secret("line\nbreak here")).unwrap_err(),
            PasswordError::ControlCharacter
        );
        assert_eq!(
            hash(&secret(&"x".repeat(512))).unwrap_err(),
            PasswordError::TooLong
        );
    }

    #[test]
    fn hashes_of_both_kinds_are_taken_and_cut_ones_are_not() {
        let yescrypt = "$y$j9T$GxdCtjdj17kYGXiS6jcMq/$2Pd1yXyPTiGPtwGf/jKaJT5WYaHpJhFb1n7QGr7yPw6";
        assert_eq!(yescrypt.rsplit('$').next().unwrap().len(), 43);
        assert_eq!(check(yescrypt), Ok(()));
        assert!(check(&yescrypt[..yescrypt.len() - 1]).is_err());
        assert!(check("hunter2hunter2").is_err());
        assert!(check("$1$salt$hash").is_err());
    }
}
