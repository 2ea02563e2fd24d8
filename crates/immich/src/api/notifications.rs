use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, Client, Result};

/// Something that Immich wants a user to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The notification.
    pub id: Uuid,
    /// How grave it is.
    pub level: NotificationLevel,
    /// What it is about, such as `JobFailed`: the only trace of a failed database backup.
    #[serde(rename = "type")]
    pub kind: String,
    /// In a few words.
    pub title: String,
    /// In more words.
    pub description: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when the user knows.
    pub read_at: Option<Timestamp>,
}

/// How grave a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NotificationLevel {
    /// Good news.
    Success,
    /// Something failed.
    Error,
    /// Something may fail.
    Warning,
    /// Everything else, later kinds included.
    #[serde(other)]
    Info,
}

impl Client {
    /// The credential's own notifications, unread ones only if so wanted.
    ///
    /// # Errors
    /// As every call.
    pub fn notifications(&self, only_unread: bool) -> Result<Vec<Notification>> {
        let path = if only_unread {
            "/api/notifications?unread=true"
        } else {
            "/api/notifications"
        };
        self.fetch(&Call::get("read Immich's notifications", path))
    }
}
