use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Immich's version, as the server tells it. A pre-release comes before the release that it
/// prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerVersion {
    /// Breaking changes.
    pub major: u32,
    /// New features.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
    /// The number of a pre-release; `None` for a release, and always on Immich 2.
    #[serde(default)]
    pub prerelease: Option<u32>,
}

impl ServerVersion {
    /// A release.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
            prerelease: None,
        }
    }

    fn key(&self) -> (u32, u32, u32, u32) {
        let prerelease = self.prerelease.unwrap_or(u32::MAX);
        (self.major, self.minor, self.patch, prerelease)
    }
}

impl PartialOrd for ServerVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ServerVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl std::fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.prerelease {
            Some(number) => write!(f, "-rc.{number}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pre_release_comes_before_its_release_and_after_the_one_before() {
        let candidate = |number| ServerVersion {
            prerelease: Some(number),
            ..ServerVersion::new(3, 0, 0)
        };
        let versions = [
            ServerVersion::new(2, 7, 5),
            ServerVersion::new(2, 10, 0),
            candidate(1),
            candidate(10),
            ServerVersion::new(3, 0, 0),
            ServerVersion::new(3, 0, 1),
        ];
        assert!(versions.is_sorted());
    }

    #[test]
    fn both_forms_of_the_servers_answer_are_read() {
        for (answer, version) in [
            (r#"{"major":2,"minor":7,"patch":5}"#, "2.7.5"),
            (
                r#"{"major":3,"minor":2,"patch":2,"prerelease":null}"#,
                "3.2.2",
            ),
            (
                r#"{"major":3,"minor":3,"patch":0,"prerelease":1,"new":[]}"#,
                "3.3.0-rc.1",
            ),
        ] {
            let read: ServerVersion = serde_json::from_str(answer).unwrap();
            assert_eq!(read.to_string(), version);
        }
    }
}
