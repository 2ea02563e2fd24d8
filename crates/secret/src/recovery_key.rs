use std::fmt;

use zeroize::Zeroizing;

use crate::Secret;
use crate::generate::{GenerateError, random_symbol};

/// Crockford's base 32: no I, L, O or U. What is taken for one of these is read as it was meant.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Four random characters and their check character.
const GROUP: usize = 5;
const GROUPS: usize = 7;
const SYMBOLS: usize = GROUP * GROUPS;

/// A recovery key: 140 random bits in seven groups of five letters and digits, as
/// `4T0PZ-…-9QK2D`.
///
/// The last character of each group checks the group and its place: one wrong character, two
/// swapped ones, or two swapped groups are always noticed, and the group is named. The key slot's
/// passphrase is the key exactly as shown, so that plain `cryptsetup` opens the drive with it
/// too; [`RecoveryKey::parse`] also takes it without dashes, in lower case, and with O for 0 and
/// I or L for 1.
#[derive(Clone)]
pub struct RecoveryKey(Zeroizing<[u8; SYMBOLS]>);

/// Why what was typed is not a recovery key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryKeyError {
    /// Too many or too few characters in all.
    #[error("a recovery key has {SYMBOLS} letters and digits, not {found}")]
    Length {
        /// How many there are, dashes and spaces left out.
        found: usize,
    },
    /// Seven groups, but one of another length.
    #[error("group {group} of the recovery key has {found} characters instead of {GROUP}")]
    GroupLength {
        /// The first such group, counted from 1.
        group: usize,
        /// How many characters it has.
        found: usize,
    },
    /// Groups whose characters do not fit their check character.
    #[error("the recovery key is mistyped in {}", listed(groups))]
    Mistyped {
        /// The groups, counted from 1, in order.
        groups: Vec<usize>,
    },
}

impl RecoveryKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn generate() -> Result<Self, GenerateError> {
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        for (index, group) in symbols.chunks_exact_mut(GROUP).enumerate() {
            if let [data @ .., check] = group {
                for symbol in data.iter_mut() {
                    *symbol = random_symbol()?;
                }
                *check = check_symbol(index, data);
            }
        }
        Ok(Self(symbols))
    }

    /// Reads one as a person types it.
    ///
    /// # Errors
    /// Says which group is mistyped, as far as that can be told.
    pub fn parse(typed: &str) -> Result<Self, RecoveryKeyError> {
        lengths(typed)?;
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        let mut mistyped = [false; GROUPS];
        let typed_characters = typed.chars().filter(|&c| !is_separator(c));
        for (at, (symbol, character)) in symbols.iter_mut().zip(typed_characters).enumerate() {
            match symbol_of(character) {
                Some(value) => *symbol = value,
                None => mistyped[at / GROUP] = true,
            }
        }
        for (index, group) in symbols.chunks_exact(GROUP).enumerate() {
            if let [data @ .., check] = group {
                mistyped[index] |= *check != check_symbol(index, data);
            }
        }
        let groups: Vec<_> = (1..=GROUPS).filter(|at| mistyped[at - 1]).collect();
        if groups.is_empty() {
            Ok(Self(symbols))
        } else {
            Err(RecoveryKeyError::Mistyped { groups })
        }
    }

    /// Whether someone who typed this most likely meant a recovery key, so that the error of
    /// [`RecoveryKey::parse`] helps more than "wrong passphrase".
    pub fn looks_like_one(typed: &str) -> bool {
        let characters = || typed.chars().filter(|&c| !is_separator(c));
        let count = characters().count();
        let fitting = characters().filter(|&c| symbol_of(c).is_some()).count();
        count.abs_diff(SYMBOLS) <= 2 && fitting + 2 >= count
    }

    /// The key in its one canonical form, seven groups with dashes: what is shown, and what the
    /// key slot takes as its passphrase.
    pub fn to_secret(&self) -> Secret {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + GROUPS));
        for (index, group) in self.0.chunks_exact(GROUP).enumerate() {
            if index > 0 {
                text.push('-');
            }
            text.extend(group.iter().map(|&symbol| char::from(letter(symbol))));
        }
        text.into()
    }

    /// Whether what a person typed back is this key.
    ///
    /// # Errors
    /// When it is no recovery key at all; see [`RecoveryKey::parse`].
    pub fn is_typed_as(&self, typed: &str) -> Result<bool, RecoveryKeyError> {
        Ok(Self::parse(typed)?.0 == self.0)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryKey(…)")
    }
}

/// Checks the number of characters, by group where the groups are told apart.
fn lengths(typed: &str) -> Result<(), RecoveryKeyError> {
    let groups = || {
        typed
            .split(is_separator)
            .map(|group| group.chars().count())
            .filter(|&length| length > 0)
    };
    let found = groups().sum();
    if found == SYMBOLS {
        return Ok(());
    }
    let odd = groups().enumerate().find(|&(_, length)| length != GROUP);
    match odd {
        Some((index, found)) if groups().count() == GROUPS => Err(RecoveryKeyError::GroupLength {
            group: index + 1,
            found,
        }),
        _ => Err(RecoveryKeyError::Length { found }),
    }
}

fn is_separator(character: char) -> bool {
    // Also the dashes that keyboards and word processors make of a hyphen.
    character.is_whitespace() || matches!(character, '-' | '_' | '.' | '‐'..='―' | '−')
}

fn symbol_of(character: char) -> Option<u8> {
    let meant = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        'U' => 'V',
        other => other,
    };
    let at = ALPHABET.iter().position(|&c| char::from(c) == meant)?;
    u8::try_from(at).ok()
}

fn letter(symbol: u8) -> u8 {
    ALPHABET[usize::from(symbol & 31)]
}

/// The check character over the field of 32 elements: each place has its own weight, so that a
/// wrong character and two swapped ones never cancel out, and each group its own constant, so
/// that swapped groups are noticed.
fn check_symbol(group: usize, data: &[u8]) -> u8 {
    let weighted = data
        .iter()
        .fold(0, |sum, &symbol| times_alpha(sum ^ symbol));
    // At most seven groups: the constant is a small field element and differs for each.
    weighted ^ (group as u8 & 31)
}

/// Multiplies by the generator α in GF(32), x⁵ + x² + 1.
fn times_alpha(symbol: u8) -> u8 {
    let doubled = symbol << 1;
    if doubled & 32 == 0 {
        doubled
    } else {
        doubled ^ 0b10_0101
    }
}

fn listed(groups: &[usize]) -> String {
    let numbers: Vec<_> = groups.iter().map(ToString::to_string).collect();
    match &numbers[..] {
        [one] => format!("group {one}"),
        [all @ .., last] => format!("groups {} and {last}", all.join(", ")),
        [] => String::from("no group"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = String> {
        Just(()).prop_map(|()| {
            let key = RecoveryKey::generate().unwrap();
            key.to_secret().expose_text().unwrap().to_owned()
        })
    }

    fn groups_of(error: RecoveryKeyError) -> Vec<usize> {
        match error {
            RecoveryKeyError::Mistyped { groups } => groups,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_key_has_seven_groups_of_five_and_at_least_128_bits() {
        let key = RecoveryKey::generate().unwrap().to_secret();
        let groups: Vec<_> = key.expose_text().unwrap().split('-').collect();
        assert_eq!(groups.len(), 7);
        assert!(groups.iter().all(|group| group.len() == 5));
        const { assert!((GROUP - 1) * GROUPS * 5 >= 128) };
    }

    #[test]
    fn the_form_of_a_key_never_changes() {
        // Keys are on paper: what is valid now has to stay valid.
        let paper = "00000-00001-00002-00003-00004-00005-00006";
        let key = RecoveryKey::parse(paper).unwrap();
        assert_eq!(key.to_secret().expose_text().unwrap(), paper);
        RecoveryKey::parse("ZZZZD-12345-ABCDE-89XYQ-7K2MJ-QRSTK-VWX0A").unwrap();
    }

    #[test]
    fn a_key_is_not_shown_by_debug() {
        let key = RecoveryKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "RecoveryKey(…)");
    }

    #[test]
    fn a_missing_character_is_named_with_its_group() {
        let error = RecoveryKey::parse("00000-00001-0002-00003-00004-00005-00006").unwrap_err();
        assert_eq!(
            error.to_string(),
            "group 3 of the recovery key has 4 characters instead of 5"
        );
        let error = RecoveryKey::parse("000000000100020000300004000050000").unwrap_err();
        assert_eq!(error, RecoveryKeyError::Length { found: 33 });
    }

    #[test]
    fn mistyped_groups_are_listed_as_a_person_says_them() {
        for (typed, said) in [
            ("00000-00001-00003-00003-00004-00005-00006", "group 3"),
            (
                "00000-0000!-00003-00003-00004-00005-00006",
                "groups 2 and 3",
            ),
            (
                "00001-0000!-00003-00003-00004-00005-00006",
                "groups 1, 2 and 3",
            ),
        ] {
            let error = RecoveryKey::parse(typed).unwrap_err().to_string();
            assert_eq!(error, format!("the recovery key is mistyped in {said}"));
        }
    }

    #[test]
    fn an_ordinary_passphrase_does_not_look_like_a_key() {
        for typed in ["", "correct horse battery staple", "äöü", "00000-00001"] {
            assert!(!RecoveryKey::looks_like_one(typed), "{typed}");
        }
        assert!(RecoveryKey::looks_like_one(
            "00000 00001 0002 00003 00004 00005 0000!"
        ));
    }

    proptest! {
        #[test]
        fn a_key_is_read_back_however_it_is_typed(
            shown in key(),
            lower in any::<bool>(),
            separator in prop::sample::select(vec!["-", " ", "", " - ", "–"]),
        ) {
            let typed = shown.replace('-', separator).replace('0', "O").replace('1', "l");
            let typed = if lower { typed.to_lowercase() } else { typed };
            let read = RecoveryKey::parse(&typed).unwrap();
            prop_assert!(read.to_secret().matches(&shown.clone().into()));
            prop_assert!(RecoveryKey::looks_like_one(&typed));
            prop_assert!(read.is_typed_as(&shown).unwrap());
        }

        #[test]
        fn every_single_wrong_character_is_noticed_and_its_group_named(
            shown in key(), at in 0..SYMBOLS, other in 0..32u8,
        ) {
            let mut typed = shown.replace('-', "").into_bytes();
            prop_assume!(typed[at] != letter(other));
            typed[at] = letter(other);
            let error = RecoveryKey::parse(&String::from_utf8(typed).unwrap()).unwrap_err();
            prop_assert_eq!(groups_of(error), [at / GROUP + 1]);
        }

        #[test]
        fn every_swap_of_two_characters_is_noticed(
            shown in key(), one in 0..SYMBOLS, two in 0..SYMBOLS,
        ) {
            let mut typed = shown.replace('-', "").into_bytes();
            prop_assume!(typed[one] != typed[two]);
            typed.swap(one, two);
            let error = RecoveryKey::parse(&String::from_utf8(typed).unwrap()).unwrap_err();
            let groups = groups_of(error);
            prop_assert!(groups.contains(&(one / GROUP + 1)));
            prop_assert!(groups.contains(&(two / GROUP + 1)));
        }

        #[test]
        fn two_swapped_groups_are_noticed(shown in key(), one in 0..GROUPS, two in 0..GROUPS) {
            prop_assume!(one != two);
            let mut groups: Vec<_> = shown.split('-').collect();
            groups.swap(one, two);
            let error = RecoveryKey::parse(&groups.join("-")).unwrap_err();
            prop_assert_eq!(groups_of(error).len(), 2);
        }

        #[test]
        fn whatever_is_typed_is_read_or_refused(typed in any::<String>()) {
            let _ = RecoveryKey::looks_like_one(&typed);
            prop_assert!(RecoveryKey::parse(&typed).is_err());
        }
    }
}
