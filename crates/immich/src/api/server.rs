use serde::{Deserialize, Serialize};

use super::{Call, Client, Result, Why};

/// `GET /api/server/config`: public, and only answered when the database works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerConfig {
    /// Whether an admin exists. `false` over old media means that the database is a fresh one.
    pub is_initialized: bool,
    /// Whether the admin went through the first steps.
    pub is_onboarded: bool,
    /// Whether only the maintenance page is served.
    pub maintenance_mode: bool,
    /// The address that Immich puts into shared links; empty when not set.
    pub external_domain: String,
    /// Days until the trash is emptied.
    pub trash_days: u32,
}

/// Immich's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Breaking changes.
    pub major: u32,
    /// New features.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What Immich is built of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// With a leading `v`.
    pub version: String,
    /// Node's version.
    pub nodejs: Option<String>,
    /// FFmpeg's version.
    pub ffmpeg: Option<String>,
}

/// The file system of the media, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Storage {
    /// Its size.
    #[serde(rename = "diskSizeRaw")]
    pub size: u64,
    /// What is in use.
    #[serde(rename = "diskUseRaw")]
    pub used: u64,
    /// What is left.
    #[serde(rename = "diskAvailableRaw")]
    pub available: u64,
}

/// How much Immich holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Photos of all users.
    pub photos: u64,
    /// Videos of all users.
    pub videos: u64,
    /// Bytes of all users' originals.
    pub usage: u64,
    /// The same by user.
    pub usage_by_user: Vec<UserUsage>,
}

/// How much of it is one user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUsage {
    /// The user.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// Photos.
    pub photos: u64,
    /// Videos.
    pub videos: u64,
    /// Bytes of originals.
    pub usage: u64,
}

impl Client {
    /// Whether the process answers at all. It does so with the database, Redis and the media gone:
    /// use [`config`](Self::config) to learn whether Immich works.
    ///
    /// # Errors
    /// When nothing answers, or something that is not Immich.
    pub fn ping(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Pong {
            res: String,
        }
        let call = Call::get("ping Immich", "/api/server/ping");
        let pong: Pong = self.fetch(&call)?;
        if pong.res == "pong" {
            Ok(())
        } else {
            Err(call.failed(Why::Answer(format!("{:?} instead of pong", pong.res))))
        }
    }

    /// The public settings.
    ///
    /// # Errors
    /// As every call; status 500 when the database is down.
    pub fn config(&self) -> Result<ServerConfig> {
        self.fetch(&Call::get("read Immich's state", "/api/server/config"))
    }

    /// The version.
    ///
    /// # Errors
    /// As every call.
    pub fn version(&self) -> Result<Version> {
        self.fetch(&Call::get("read Immich's version", "/api/server/version"))
    }

    /// What Immich is built of. Needs any user's credential.
    ///
    /// # Errors
    /// As every call.
    pub fn about(&self) -> Result<About> {
        self.fetch(&Call::get("read Immich's parts", "/api/server/about"))
    }

    /// The media's file system. Needs any user's credential.
    ///
    /// # Errors
    /// As every call; status 500 when the media folder is gone.
    pub fn storage(&self) -> Result<Storage> {
        self.fetch(&Call::get("read Immich's disk use", "/api/server/storage"))
    }

    /// How much Immich holds. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call.
    pub fn statistics(&self) -> Result<Statistics> {
        self.fetch(&Call::get(
            "read Immich's statistics",
            "/api/server/statistics",
        ))
    }
}
