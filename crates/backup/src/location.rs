//! Where a repository is: a folder or an S3 bucket. Addresses hold no secrets.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// The region used when an address names none: Amazon's first, which other servers accept too.
const DEFAULT_REGION: &str = "us-east-1";

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
    /// Neither a path nor `s3:`.
    #[error("the repository's address must be an absolute path or begin with s3:")]
    UnknownKind,
    /// A path that is relative or climbs (`..`).
    #[error("the repository's path must be absolute and without \"..\"")]
    NotAbsolute,
    /// A control character, which no address needs.
    #[error("the repository's address holds a control character")]
    ControlCharacter,
    /// A server that is not `http://host` or `https://host`.
    #[error("the S3 server must be given as https://host or https://host:port")]
    BadEndpoint,
    /// A user name or password in the address.
    #[error("the repository's address must not hold a user name or password")]
    HoldsSecret,
    /// No bucket, or one whose name S3 does not allow.
    #[error(
        "the S3 bucket's name must be 3 to 63 lower-case letters, digits, dots, dashes or underscores"
    )]
    BadBucket,
    /// An empty, `.` or `..` part in the folder within the bucket, or a `?` or `#`.
    #[error("the folder within the S3 bucket has a part that is empty, \".\" or \"..\"")]
    BadPrefix,
    /// An option other than `region` and `endpoint`, or one that is given twice or empty.
    #[error("the options after ? must be region=… and endpoint=…, each at most once")]
    BadOption,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s.is_empty() {
            return Err(LocationError::Empty);
        }
        if s.chars().any(char::is_control) {
            return Err(LocationError::ControlCharacter);
        }
        if let Some(rest) = s.strip_prefix("s3:") {
            return S3Location::parse(rest).map(Self::S3);
        }
        match s.strip_prefix("local:") {
            Some(path) => local(path),
            None if s.starts_with('/') => local(s),
            None => Err(LocationError::UnknownKind),
        }
    }
}

fn local(path: &str) -> Result<Location, LocationError> {
    let path = Path::new(path);
    let climbs = path
        .components()
        .any(|part| matches!(part, Component::ParentDir));
    if !path.is_absolute() || climbs {
        return Err(LocationError::NotAbsolute);
    }
    // Rebuilding from components drops doubled and trailing slashes.
    Ok(Location::Local(path.components().collect()))
}

impl S3Location {
    /// Parses what follows `s3:`.
    fn parse(rest: &str) -> Result<Self, LocationError> {
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let options = Options::parse(query)?;
        let region = options.region.unwrap_or_else(|| DEFAULT_REGION.to_owned());

        let (endpoint, path) = if let Some(path) = place.strip_prefix("//") {
            let endpoint = match options.endpoint {
                Some(endpoint) => endpoint,
                None if region == DEFAULT_REGION => "https://s3.amazonaws.com".to_owned(),
                None => format!("https://s3.{region}.amazonaws.com"),
            };
            (endpoint, path)
        } else {
            if options.endpoint.is_some() {
                return Err(LocationError::BadOption);
            }
            let (scheme, rest) = place.split_once("://").ok_or(LocationError::BadEndpoint)?;
            let (authority, path) = rest.split_once('/').ok_or(LocationError::BadBucket)?;
            (endpoint(scheme, authority)?, path)
        };

        let path = path.strip_suffix('/').unwrap_or(path);
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        Ok(Self {
            endpoint,
            bucket: check_bucket(bucket)?.to_owned(),
            prefix: check_prefix(prefix)?.to_owned(),
            region,
        })
    }
}

#[derive(Default)]
struct Options {
    region: Option<String>,
    endpoint: Option<String>,
}

impl Options {
    fn parse(query: Option<&str>) -> Result<Self, LocationError> {
        let mut options = Self::default();
        for part in query.into_iter().flat_map(|query| query.split('&')) {
            let slot = match part.split_once('=') {
                Some(("region", region)) if is_region(region) => {
                    options.region.replace(region.to_owned())
                }
                Some(("endpoint", url)) => {
                    let (scheme, rest) = url.split_once("://").ok_or(LocationError::BadEndpoint)?;
                    let authority = rest.strip_suffix('/').unwrap_or(rest);
                    options.endpoint.replace(endpoint(scheme, authority)?)
                }
                _ => return Err(LocationError::BadOption),
            };
            if slot.is_some() {
                return Err(LocationError::BadOption);
            }
        }
        Ok(options)
    }
}

fn is_region(region: &str) -> bool {
    !region.is_empty()
        && region
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Puts a server's scheme and `host[:port]` together after looking at both.
fn endpoint(scheme: &str, authority: &str) -> Result<String, LocationError> {
    if !matches!(scheme, "http" | "https") {
        return Err(LocationError::BadEndpoint);
    }
    if authority.contains('@') {
        return Err(LocationError::HoldsSecret);
    }
    let (host, port) = match authority.strip_prefix('[') {
        // An IPv6 address in brackets.
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(LocationError::BadEndpoint)?;
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(LocationError::BadEndpoint);
            }
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => return Err(LocationError::BadEndpoint),
            }
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if !host.bytes().all(ok) {
                return Err(LocationError::BadEndpoint);
            }
            (host, port)
        }
    };
    let port_ok = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if host.is_empty() || !port_ok {
        return Err(LocationError::BadEndpoint);
    }
    Ok(format!("{scheme}://{authority}"))
}

fn check_bucket(bucket: &str) -> Result<&str, LocationError> {
    let ok =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let dots_only = bucket.bytes().all(|b| b == b'.');
    if (3..=63).contains(&bucket.len()) && bucket.bytes().all(ok) && !dots_only {
        Ok(bucket)
    } else {
        Err(LocationError::BadBucket)
    }
}

fn check_prefix(prefix: &str) -> Result<&str, LocationError> {
    let bad = |part: &str| matches!(part, "" | "." | "..");
    if !prefix.is_empty() && (prefix.split('/').any(bad) || prefix.contains('#')) {
        return Err(LocationError::BadPrefix);
    }
    Ok(prefix)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::S3(s3) => write!(f, "{s3}"),
        }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3:{}/{}", self.endpoint, self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        if self.region != DEFAULT_REGION {
            write!(f, "?region={}", self.region)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s3(address: &str) -> S3Location {
        match address.parse() {
            Ok(Location::S3(location)) => location,
            other => panic!("{address} is {other:?}"),
        }
    }

    fn refusal(address: &str) -> LocationError {
        address.parse::<Location>().unwrap_err()
    }

    #[test]
    fn a_folder_is_an_absolute_path() {
        let folder = Location::Local("/mnt/usb/repo".into());
        for address in ["/mnt/usb/repo", "local:/mnt/usb/repo", "//mnt/usb//repo/"] {
            assert_eq!(address.parse(), Ok(folder.clone()), "{address}");
        }
        assert_eq!(folder.to_string(), "/mnt/usb/repo");
        assert_eq!(refusal("local:repo"), LocationError::NotAbsolute);
        assert_eq!(refusal("/mnt/../etc"), LocationError::NotAbsolute);
        assert_eq!(refusal("repo"), LocationError::UnknownKind);
        assert_eq!(refusal("sftp:host:/repo"), LocationError::UnknownKind);
    }

    #[test]
    fn an_s3_address_names_server_bucket_and_folder() {
        let location = s3("s3:http://192.168.1.5:9000/photos/box/one?region=garage");
        assert_eq!(location.endpoint, "http://192.168.1.5:9000");
        assert_eq!(location.bucket, "photos");
        assert_eq!(location.prefix, "box/one");
        assert_eq!(location.region, "garage");
        assert_eq!(
            location.to_string(),
            "s3:http://192.168.1.5:9000/photos/box/one?region=garage"
        );
        assert_eq!(s3("s3:https://[fd00::1]:9000/photos").prefix, "");
    }

    #[test]
    fn amazon_needs_only_bucket_and_region() {
        let location = s3("s3://photos/box?region=eu-central-1");
        assert_eq!(location.endpoint, "https://s3.eu-central-1.amazonaws.com");
        assert_eq!(s3("s3://photos").endpoint, "https://s3.amazonaws.com");
        let other = s3("s3://photos?endpoint=https://s3.example.org/&region=x");
        assert_eq!(other.endpoint, "https://s3.example.org");
    }

    #[test]
    fn a_secret_in_an_address_is_refused_and_not_repeated() {
        let error = refusal("s3:https://KEY:hunter2@host/photos");
        assert_eq!(error, LocationError::HoldsSecret);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn nonsense_is_refused_by_its_part() {
        assert_eq!(refusal(""), LocationError::Empty);
        assert_eq!(refusal("s3:https://host"), LocationError::BadBucket);
        assert_eq!(refusal("s3:https://host/A"), LocationError::BadBucket);
        assert_eq!(refusal("s3:ftp://host/photos"), LocationError::BadEndpoint);
        assert_eq!(
            refusal("s3:https://host:0/photos"),
            LocationError::BadEndpoint
        );
        assert_eq!(
            refusal("s3:https://[::1/photos"),
            LocationError::BadEndpoint
        );
        assert_eq!(refusal("s3:https:///photos"), LocationError::BadEndpoint);
        assert_eq!(refusal("s3://photos/../x"), LocationError::BadPrefix);
        assert_eq!(refusal("s3://photos?zone=1"), LocationError::BadOption);
        assert_eq!(
            refusal("s3://photos?region=a&region=b"),
            LocationError::BadOption
        );
        assert_eq!(refusal("/mnt/a\nb"), LocationError::ControlCharacter);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(address in ".{0,80}") {
            let _ = address.parse::<Location>();
        }

        #[test]
        fn s3_shaped_text_never_panics(address in "s3:(//|https?://)?[a-z@:/?=&.\\[\\]#-]{0,60}") {
            let _ = address.parse::<Location>();
        }

        #[test]
        fn what_is_shown_parses_to_the_same(
            scheme in "https?",
            host in "[a-z0-9-]{1,12}(\\.[a-z]{2,5})?",
            port in proptest::option::of(1u16..),
            bucket in "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            prefix in proptest::collection::vec("[A-Za-z0-9 _äé-]{1,10}", 0..4),
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
        ) {
            let endpoint = match port {
                Some(port) => format!("{scheme}://{host}:{port}"),
                None => format!("{scheme}://{host}"),
            };
            let location = Location::S3(S3Location { endpoint, bucket, prefix: prefix.join("/"), region });
            prop_assert_eq!(location.to_string().parse(), Ok(location));
        }

        #[test]
        fn a_shown_path_parses_to_the_same(parts in proptest::collection::vec("[^/\\p{Cc}]{1,12}", 1..5)) {
            prop_assume!(!parts.iter().any(|part| part == ".." || part == "."));
            let location = Location::Local(format!("/{}", parts.join("/")).into());
            prop_assert_eq!(location.to_string().parse(), Ok(location));
        }
    }
}
