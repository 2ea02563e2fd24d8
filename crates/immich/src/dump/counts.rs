use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::syntax;

/// A table's full name. Shown and stored as SQL writes it, quoted only where it must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Table {
    /// The schema, for Immich's own tables `public`.
    pub schema: String,
    /// The table's own name.
    pub name: String,
}

impl Table {
    /// One of Immich's own tables.
    #[must_use]
    pub fn immich(name: &str) -> Self {
        Self {
            schema: "public".to_owned(),
            name: name.to_owned(),
        }
    }

    /// The name as it may stand in any statement, always quoted.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// An SQL identifier, quoted.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
            if name.is_empty() || digit_first || !name.chars().all(plain) {
                quote(name)
            } else {
                name.to_owned()
            }
        };
        write!(f, "{}.{}", part(&self.schema), part(&self.name))
    }
}

/// A text that is not a table's full name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a table's name with its schema")]
pub struct NotATable(String);

impl FromStr for Table {
    type Err = NotATable;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match syntax::table(text.as_bytes()) {
            Some((table, [])) => Ok(table),
            _ => Err(NotATable(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Table {
    type Error = NotATable;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Table> for String {
    fn from(table: Table) -> Self {
        table.to_string()
    }
}

/// Rows by table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(pub BTreeMap<Table, u64>);

/// A table whose rows are not as many as they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: Table,
    /// Rows that should be there; `None` for a table that should not.
    pub expected: Option<u64>,
    /// Rows that are there; `None` for a table that is not.
    pub found: Option<u64>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |rows: Option<u64>| rows.map_or_else(|| "none".to_owned(), |rows| rows.to_string());
        write!(
            f,
            "{}: {} instead of {}",
            self.table,
            number(self.found),
            number(self.expected)
        )
    }
}

impl Counts {
    /// Rows of one of Immich's own tables; 0 when it is not there.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(&Table::immich(name)).copied().unwrap_or(0)
    }

    /// Rows of a table that Immich renamed in 1.136.
    fn renamed(&self, new: &str, old: &str) -> u64 {
        self.of(new) + self.of(old)
    }

    /// Whether these are tables of Immich, old or new, at all.
    #[must_use]
    pub fn is_immich(&self) -> bool {
        let has = |name| self.0.contains_key(&Table::immich(name));
        (has("user") && has("asset")) || (has("users") && has("assets"))
    }

    /// Immich's users.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.renamed("user", "users")
    }

    /// Photos and videos, those in the trash included.
    #[must_use]
    pub fn assets(&self) -> u64 {
        self.renamed("asset", "assets")
    }

    /// Albums.
    #[must_use]
    pub fn albums(&self) -> u64 {
        self.renamed("album", "albums")
    }

    /// Assets in albums.
    #[must_use]
    pub fn album_assets(&self) -> u64 {
        self.renamed("album_asset", "albums_assets_assets")
    }

    /// Where `found` differs from these counts.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        let mut tables: Vec<_> = self.0.keys().chain(found.0.keys()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
            .into_iter()
            .filter_map(|table| {
                let (expected, found) = (self.0.get(table), found.0.get(table));
                (expected != found).then(|| Difference {
                    table: table.clone(),
                    expected: expected.copied(),
                    found: found.copied(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_difference_names_the_table_and_both_numbers() {
        let counts = |assets| Counts([(Table::immich("asset"), assets)].into());
        let differences = counts(50).differences(&counts(49));
        assert_eq!(differences[0].to_string(), "public.asset: 49 instead of 50");
        assert_eq!(counts(50).differences(&counts(50)), []);
        let none = counts(50).differences(&Counts::default());
        assert_eq!(none[0].to_string(), "public.asset: none instead of 50");
    }

    #[test]
    fn counts_are_stored_under_readable_names() {
        let counts = Counts([(Table::immich("user"), 2)].into());
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(json, r#"{"public.user":2}"#);
        assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), counts);
    }

    proptest! {
        #[test]
        fn any_table_is_read_back_as_it_was_written(schema in "\\PC{1,9}", name in "[\"a-zA-Z. ]{1,9}") {
            let table = Table { schema, name };
            prop_assert_eq!(table.to_string().parse::<Table>().unwrap(), table.clone());
            prop_assert_eq!(table.quoted().parse::<Table>().unwrap(), table);
        }
    }
}
