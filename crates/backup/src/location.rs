//! Where a repository is: a folder or an S3 bucket. Addresses hold no secrets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a repository.
///
/// Written as `/mnt/usb/repo` or `local:/mnt/usb/repo` for a folder, and for S3 as
/// `s3:https://host[:port]/bucket[/prefix][?region=R]` (any S3 server, addressed path-style) or
/// `s3://bucket[/prefix][?region=R][&endpoint=https://host]` (Amazon's, unless an endpoint is given).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A folder on this machine, by absolute path.
    Local(PathBuf),
    /// A folder in an S3 bucket.
    S3(S3Location),
}

/// A folder in an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Location {
    /// The server: `https://host[:port]`, without a path.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The folder in the bucket, without slashes at its ends; empty for the whole bucket.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
}

/// An address that cannot be understood. Its text never repeats the address, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// Nothing was given.
    #[error("the repository's address is empty")]
    Empty,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(_s: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
