use std::str::FromStr;

/// Which Immich the stand-in is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ImmichVersion {
    /// The last of Immich 2, as a real server was seen to be.
    #[default]
    V2_7_5,
    /// Immich 3, as the types of its package say; a real one was not seen.
    V3_2_2,
}

impl ImmichVersion {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V2_7_5, Self::V3_2_2];

    /// Major, minor and patch.
    #[must_use]
    pub const fn numbers(self) -> (u32, u32, u32) {
        match self {
            Self::V2_7_5 => (2, 7, 5),
            Self::V3_2_2 => (3, 2, 2),
        }
    }

    /// The first of its numbers.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.numbers().0
    }

    pub(crate) fn is_3(self) -> bool {
        self >= Self::V3_2_2
    }
}

impl std::fmt::Display for ImmichVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (major, minor, patch) = self.numbers();
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// A version that the stand-in cannot be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("this stand-in is no Immich {0:?}")]
pub struct VersionError(String);

impl FromStr for ImmichVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wanted = text.strip_prefix('v').unwrap_or(text);
        Self::ALL
            .into_iter()
            .find(|version| version.to_string() == wanted)
            .ok_or_else(|| VersionError(text.to_owned()))
    }
}
