//! Versions of PostgreSQL and of Immich, as their own tools write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A PostgreSQL version as its tools print it, for example `15.20 (Debian 15.20-0+deb12u1)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PgVersion(pub String);

impl PgVersion {
    /// The number alone, for example `15.20`.
    #[must_use]
    pub fn number(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// The major version, for example 15; `None` when the text is not a version.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.part(0)
    }

    /// The minor version, for example 20; 0 for a beta.
    #[must_use]
    pub fn minor(&self) -> u32 {
        self.part(1).unwrap_or(0)
    }

    fn part(&self, index: usize) -> Option<u32> {
        let part = self.number().split('.').nth(index)?;
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..digits].parse().ok()
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// A release of Immich, for example `2.7.5` or `3.0.0-rc.1`. A pre-release comes before its
/// release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImmichVersion(semver::Version);

/// A text that is not a version of Immich.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a version of Immich")]
pub struct NotAnImmichVersion(String);

impl ImmichVersion {
    /// A release.
    #[must_use]
    pub fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// The major version, for example 2.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// The minor version, for example 7.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.0.minor
    }
}

impl PartialOrd for ImmichVersion {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ImmichVersion {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Build metadata says nothing about the database.
        self.0.cmp_precedence(&other.0)
    }
}

impl fmt::Display for ImmichVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ImmichVersion {
    type Err = NotAnImmichVersion;

    /// With or without a leading `v`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
            .map(Self)
            .map_err(|_| NotAnImmichVersion(text.to_owned()))
    }
}

impl TryFrom<String> for ImmichVersion {
    type Error = NotAnImmichVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImmichVersion> for String {
    fn from(version: ImmichVersion) -> Self {
        version.to_string()
    }
}

/// What the next start of Immich would do to its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Crossing {
    /// Immich has never run on it; the first start makes its tables.
    Fresh,
    /// The database is at the installed version.
    Same,
    /// The start migrates the database forward. Immich cannot undo that.
    Forward {
        /// The version that the database is at.
        from: ImmichVersion,
        /// The installed one.
        to: ImmichVersion,
    },
    /// The database is at a newer version than the installed one: it must not be started.
    Downgrade {
        /// The version that the database is at.
        from: ImmichVersion,
        /// The installed one.
        to: ImmichVersion,
    },
    /// Immich has run on it, but it does not tell its version, as before Immich 1.116. The start
    /// migrates it forward.
    Untold {
        /// The installed version.
        to: ImmichVersion,
    },
}

impl Crossing {
    /// Tells it from the version that a database (or a dump) is at and the installed one.
    /// `has_tables`: Immich has run on the database.
    #[must_use]
    pub fn of(
        database: Option<&ImmichVersion>,
        has_tables: bool,
        installed: &ImmichVersion,
    ) -> Self {
        let to = installed.clone();
        match database {
            None if has_tables => Self::Untold { to },
            None => Self::Fresh,
            Some(from) => match from.cmp(installed) {
                std::cmp::Ordering::Less => Self::Forward {
                    from: from.clone(),
                    to,
                },
                std::cmp::Ordering::Equal => Self::Same,
                std::cmp::Ordering::Greater => Self::Downgrade {
                    from: from.clone(),
                    to,
                },
            },
        }
    }

    /// Whether the start changes the database for good, so that a dump from before is wanted.
    #[must_use]
    pub fn migrates(&self) -> bool {
        matches!(self, Self::Forward { .. } | Self::Untold { .. })
    }

    /// Whether Immich must not be started on it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Downgrade { .. })
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("Immich has not run on this database yet"),
            Self::Same => f.write_str("the database is at the installed version of Immich"),
            Self::Forward { from, to } => write!(
                f,
                "the start takes the database from Immich {from} to {to}, which cannot be undone"
            ),
            Self::Downgrade { from, to } => write!(
                f,
                "the database is at Immich {from}, newer than the installed {to}, which cannot \
                 open it"
            ),
            Self::Untold { to } => write!(
                f,
                "the start takes the database from an unknown, old version of Immich to {to}, \
                 which cannot be undone"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn immich(text: &str) -> ImmichVersion {
        text.parse().unwrap()
    }

    #[test]
    fn a_postgresql_version_is_taken_apart() {
        for (text, number, major, minor) in [
            ("15.20 (Debian 15.20-0+deb12u1)", "15.20", Some(15), 20),
            ("17.6", "17.6", Some(17), 6),
            ("18beta1", "18beta1", Some(18), 0),
            ("unknown", "unknown", None, 0),
            ("", "", None, 0),
        ] {
            let version = PgVersion(text.to_owned());
            assert_eq!(version.number(), number);
            assert_eq!(version.major(), major);
            assert_eq!(version.minor(), minor);
        }
    }

    #[test]
    fn versions_of_immich_are_ordered_by_number_and_not_by_text() {
        assert!(immich("2.7.5") < immich("2.10.0"));
        assert!(immich("v2.7.5") < immich("3.0.0-rc.1"));
        assert!(immich("3.0.0-rc.1") < immich("3.0.0"));
        assert_eq!(immich(" v2.7.5\n"), ImmichVersion::new(2, 7, 5));
        assert_eq!(immich("3.0.0-rc.1").to_string(), "3.0.0-rc.1");
        for text in ["", "2.7", "main", "2.7.5; DROP TABLE asset"] {
            assert!(text.parse::<ImmichVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_start_that_migrates_is_told_from_one_that_must_not_be() {
        let (old, new) = (immich("2.7.5"), immich("3.2.2"));
        let forward = Crossing::of(Some(&old), true, &new);
        assert!(forward.migrates() && !forward.is_refused());
        assert!(forward.to_string().contains("from Immich 2.7.5 to 3.2.2"));
        let back = Crossing::of(Some(&new), true, &old);
        assert!(back.is_refused() && !back.migrates());
        // Not even between patch releases.
        assert!(Crossing::of(Some(&immich("2.7.6")), true, &old).is_refused());
        assert_eq!(Crossing::of(Some(&old), true, &old), Crossing::Same);
        assert_eq!(Crossing::of(None, false, &old), Crossing::Fresh);
        assert!(Crossing::of(None, true, &old).migrates());
    }
}
