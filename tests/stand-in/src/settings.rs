use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::migrations::MigrationBehaviour;
use crate::version::ImmichVersion;

/// How the server is configured; by Immich's own environment variables, see [`Settings::from_env`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The media folder.
    pub media: PathBuf,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 for any free one.
    pub port: u16,
    /// The database.
    pub database: DatabaseAddress,
    /// Redis; `None` to do without, as tests may where it is not installed.
    pub redis: Option<RedisAddress>,
    /// The folder of `pg_dump`; `None` to find it by the server's version or on the `PATH`.
    pub pg_bin: Option<PathBuf>,
    /// The configuration comes from a file, and cannot be changed by the API.
    pub config_file: bool,
    /// Which Immich to be.
    pub version: ImmichVersion,
    /// How a database of an older version is migrated.
    pub migration: MigrationBehaviour,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub enum DatabaseAddress {
    /// A connection string.
    Url(String),
    /// A host, or the folder of a Unix socket.
    Parts {
        /// A name, an address or an absolute path.
        host: String,
        /// The port, which also names the socket.
        port: u16,
        /// The role.
        user: String,
        /// Its password, where the server asks for one.
        password: Option<String>,
        /// The database.
        name: String,
    },
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub enum RedisAddress {
    /// A Unix socket.
    Socket(PathBuf),
    /// A host and a port.
    Host(String, u16),
}

/// An environment variable that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value:?} is not {expected}")]
pub struct SettingsError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

impl Settings {
    /// From `IMMICH_MEDIA_LOCATION`, `IMMICH_HOST`, `IMMICH_PORT`, `IMMICH_CONFIG_FILE`, `DB_URL` or
    /// `DB_HOSTNAME`, `DB_PORT`, `DB_USERNAME`, `DB_PASSWORD`, `DB_DATABASE_NAME`, and
    /// `REDIS_SOCKET` or `REDIS_HOSTNAME`, `REDIS_PORT`; the defaults are Immich's.
    ///
    /// Those of the stand-in's own: `IMMICH_STAND_IN_VERSION` (2.7.5 or 3.2.2), and for the
    /// migration of an older database `IMMICH_STAND_IN_MIGRATION_SECONDS` (each step),
    /// `IMMICH_STAND_IN_MIGRATION_FAILS_AT` and `IMMICH_STAND_IN_MIGRATION_HANGS_AT` (the beginning
    /// of a step's name, such as `3.1`).
    ///
    /// # Errors
    /// When a port, an address, a version or a number is none.
    pub fn from_env() -> Result<Self, SettingsError> {
        let text = |name, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let database = match variable("DB_URL") {
            Some(url) => DatabaseAddress::Url(url),
            None => DatabaseAddress::Parts {
                host: text("DB_HOSTNAME", "database"),
                port: parsed("DB_PORT", 5432, "a port")?,
                user: text("DB_USERNAME", "postgres"),
                password: variable("DB_PASSWORD"),
                name: text("DB_DATABASE_NAME", "immich"),
            },
        };
        let redis = match variable("REDIS_SOCKET") {
            Some(socket) => RedisAddress::Socket(socket.into()),
            None => RedisAddress::Host(
                text("REDIS_HOSTNAME", "redis"),
                parsed("REDIS_PORT", 6379, "a port")?,
            ),
        };
        Ok(Self {
            media: text("IMMICH_MEDIA_LOCATION", "/data").into(),
            host: host()?,
            port: parsed("IMMICH_PORT", 2283, "a port")?,
            database,
            redis: Some(redis),
            pg_bin: None,
            config_file: variable("IMMICH_CONFIG_FILE").is_some(),
            version: parsed(
                "IMMICH_STAND_IN_VERSION",
                ImmichVersion::default(),
                "2.7.5 or 3.2.2",
            )?,
            migration: MigrationBehaviour {
                step: Duration::from_secs(parsed(
                    "IMMICH_STAND_IN_MIGRATION_SECONDS",
                    0,
                    "a number of seconds",
                )?),
                fails_at: variable("IMMICH_STAND_IN_MIGRATION_FAILS_AT"),
                hangs_at: variable("IMMICH_STAND_IN_MIGRATION_HANGS_AT"),
            },
        })
    }
}

/// `IMMICH_HOST`, where `localhost` is allowed.
pub(crate) fn host() -> Result<IpAddr, SettingsError> {
    if variable("IMMICH_HOST").as_deref() == Some("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    parsed("IMMICH_HOST", Ipv4Addr::UNSPECIFIED.into(), "an address")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn parsed<T: std::str::FromStr>(
    name: &'static str,
    default: T,
    expected: &'static str,
) -> Result<T, SettingsError> {
    match variable(name) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| SettingsError {
            name,
            value,
            expected,
        }),
    }
}
