use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Call, Client, Result, ServerVersion, Why};

/// `GET /api/server/config`: public, and only answered when the database works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerConfig {
    /// Whether an admin exists. `false` over old media means that the database is a fresh one.
    pub is_initialized: bool,
    /// Whether the admin went through the first steps.
    pub is_onboarded: bool,
    /// The address that Immich puts into shared links; empty when not set.
    pub external_domain: String,
    /// Days until the trash is emptied.
    pub trash_days: u32,
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
    /// The public settings. This call, unlike `/server/ping`, fails while the database is away:
    /// it tells whether Immich works.
    ///
    /// # Errors
    /// As every call; status 500 when the database is down, and [`Why::Maintenance`] in
    /// maintenance mode, where Immich answers with nothing but that.
    pub fn config(&self) -> Result<ServerConfig> {
        let call = Call::get("read Immich's state", "/api/server/config");
        let answer: Value = self.fetch(&call)?;
        if answer["maintenanceMode"] == true {
            return Err(call.failed(Why::Maintenance));
        }
        serde_json::from_value(answer).map_err(|error| call.failed(Why::Answer(error.to_string())))
    }

    /// The version.
    ///
    /// # Errors
    /// As every call.
    pub fn version(&self) -> Result<ServerVersion> {
        self.fetch(&Call::get("read Immich's version", "/api/server/version"))
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
