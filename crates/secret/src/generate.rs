use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::Secret;

/// Letters and digits that nobody takes for another: no 0 or o, no 1, i or l.
const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 35 characters of 31 kinds: 173 bits.
const GROUPS: usize = 7;
const GROUP: usize = 5;

/// The operating system gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct GenerateError(#[source] std::io::Error);

/// Makes a password for a backup repository: 173 random bits as seven groups of five lower-case
/// letters and digits that are not mistaken for one another, with dashes between. The dashes are
/// part of it.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn repository_password() -> Result<Secret, GenerateError> {
    let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
    for group in 0..GROUPS {
        if group > 0 {
            text.push('-');
        }
        for _ in 0..GROUP {
            text.push(random_character()?);
        }
    }
    Ok(text.into())
}

fn random_character() -> Result<char, GenerateError> {
    loop {
        // Five random bits; the one value beyond the alphabet is thrown again, so that each
        // character stays equally likely.
        if let Some(&character) = ALPHABET.get(usize::from(random_symbol()?)) {
            return Ok(character.into());
        }
    }
}

/// A number from 0 to 31, each equally likely, from the operating system.
pub(crate) fn random_symbol() -> Result<u8, GenerateError> {
    let mut byte = Zeroizing::new([0]);
    SysRng
        .try_fill_bytes(byte.as_mut())
        .map_err(|error| GenerateError(error.into()))?;
    Ok(byte[0] & 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_repository_password_is_seven_groups_without_ambiguous_characters() {
        let password = repository_password().unwrap();
        let groups: Vec<_> = password.expose_text().unwrap().split('-').collect();
        assert_eq!(groups.len(), 7);
        for group in groups {
            assert_eq!(group.len(), 5);
            assert!(group.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(!group.contains(['0', 'o', '1', 'i', 'l']));
        }
    }

    #[test]
    fn repository_passwords_have_at_least_160_bits() {
        let kinds: HashSet<_> = ALPHABET.iter().collect();
        assert_eq!(kinds.len(), ALPHABET.len());
        let bits = (GROUPS * GROUP) as f64 * (ALPHABET.len() as f64).log2();
        assert!(bits >= 160.0, "{bits}");
    }

    #[test]
    fn every_character_occurs_and_no_password_twice() {
        let passwords: Vec<_> = (0..100).map(|_| repository_password().unwrap()).collect();
        let texts: HashSet<_> = passwords.iter().map(Secret::expose_bytes).collect();
        assert_eq!(texts.len(), 100);
        let seen: HashSet<u8> = texts.iter().flat_map(|text| text.iter().copied()).collect();
        assert_eq!(seen.len(), ALPHABET.len() + 1);
    }
}
