//! What the snapshot held against what is there after a recovery.

use std::collections::BTreeMap;

use serde::Serialize;

/// Something that was counted differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What was counted, for example `asset` or `album`.
    pub what: String,
    /// How many the snapshot held.
    pub expected: u64,
    /// How many are there.
    pub found: u64,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Counts that agree.
    pub agree: BTreeMap<String, u64>,
    /// Counts that do not.
    pub differ: Vec<Difference>,
}

impl Comparison {
    /// Whether everything that was expected is there.
    pub fn is_complete(&self) -> bool {
        self.differ.is_empty()
    }
}

/// Compares counts by name. What is found but was not expected is no difference: a
/// running Immich adds rows of its own.
pub fn compare(expected: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) -> Comparison {
    let mut comparison = Comparison::default();
    for (what, &expected) in expected {
        let found = found.get(what).copied().unwrap_or(0);
        if found == expected {
            comparison.agree.insert(what.clone(), expected);
        } else {
            comparison.differ.push(Difference {
                what: what.clone(),
                expected,
                found,
            });
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn the_same_counts_are_complete() {
        let comparison = compare(
            &counts(&[("asset", 50)]),
            &counts(&[("asset", 50), ("session", 2)]),
        );
        assert!(comparison.is_complete());
        assert_eq!(comparison.agree, counts(&[("asset", 50)]));
    }

    #[test]
    fn one_lost_photo_is_a_difference() {
        let comparison = compare(&counts(&[("asset", 50)]), &counts(&[("asset", 49)]));
        assert_eq!(
            comparison.differ,
            [Difference {
                what: "asset".into(),
                expected: 50,
                found: 49
            }]
        );
    }

    #[test]
    fn a_table_that_is_missing_altogether_is_a_difference() {
        assert!(!compare(&counts(&[("album", 1)]), &counts(&[])).is_complete());
    }
}
