use std::cmp::Ordering;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Immich's version. A pre-release comes before the release that it prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
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

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version such as 2.7.5")]
pub struct VersionError(String);

impl Version {
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

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.prerelease {
            Some(number) => write!(f, "-rc.{number}"),
            None => Ok(()),
        }
    }
}

/// With or without a leading `v`, as `version_history` and the names of dumps have it.
impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.to_owned());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let (release, prerelease) = match plain.split_once('-') {
            Some((release, suffix)) => (release, Some(suffix)),
            None => (plain, None),
        };
        let mut parts = release.split('.').map(number);
        let mut next = || parts.next().flatten().ok_or_else(wrong);
        let (major, minor, patch) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(wrong());
        }
        // How Immich spells the suffix is not known: its number counts, whatever stands before.
        let prerelease = match prerelease {
            Some(suffix) => {
                let digits = suffix.trim_start_matches(|c: char| !c.is_ascii_digit());
                Some(number(digits).ok_or_else(wrong)?)
            }
            None => None,
        };
        Ok(Self {
            major,
            minor,
            patch,
            prerelease,
        })
    }
}

/// Digits only: `u32`'s own parser takes a sign, too.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_written() {
        for text in ["2.7.5", "3.2.2", "0.0.0", "3.3.0-rc.2"] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version.to_string(), text);
        }
        assert_eq!("v2.7.5".parse(), Ok(Version::new(2, 7, 5)));
        for text in [
            "", "v", "2.7", "2.7.5.1", "2.7.x", "2.7.+5", "2.7.5-rc", "vv2.7.5",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pre_release_comes_before_its_release_and_after_the_one_before() {
        let sorted = [
            "2.7.5",
            "2.10.0",
            "3.0.0-rc.1",
            "3.0.0-rc.10",
            "3.0.0",
            "3.0.1",
        ];
        let versions: Vec<Version> = sorted.iter().map(|text| text.parse().unwrap()).collect();
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
            let read: Version = serde_json::from_str(answer).unwrap();
            assert_eq!(read.to_string(), version);
        }
    }
}
