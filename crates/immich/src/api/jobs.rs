use serde::{Deserialize, Serialize};

use super::{Call, Client, Result};

/// A job that can be started by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Immich's own database dump into `backups/`, its retention included. A failure shows only in
    /// the notifications; success, as a new file.
    BackupDatabase,
}

/// A queue of Immich's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Queue {
    /// Thumbnails and previews.
    ThumbnailGeneration,
    /// Videos re-encoded for browsers.
    VideoConversion,
    /// Originals moved to where the storage template says.
    StorageTemplateMigration,
    /// EXIF data read.
    MetadataExtraction,
}

impl Queue {
    fn name(self) -> &'static str {
        match self {
            Self::ThumbnailGeneration => "thumbnailGeneration",
            Self::VideoConversion => "videoConversion",
            Self::StorageTemplateMigration => "storageTemplateMigration",
            Self::MetadataExtraction => "metadataExtraction",
        }
    }
}

/// What a queue is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueCommand {
    /// Queue its work: what is missing, or with `force` everything. Lost thumbnails are not seen
    /// as missing, so only `force` brings them back.
    Start,
    /// Stop taking up work.
    Pause,
    /// Take up work again.
    Resume,
}

/// A queue's state after a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueState {
    /// Jobs by state.
    pub job_counts: JobCounts,
}

/// Jobs of one queue by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Running.
    pub active: u64,
    /// Waiting for their turn.
    pub waiting: u64,
    /// Failed for good.
    pub failed: u64,
    /// Waiting for a later time.
    pub delayed: u64,
    /// Held back.
    pub paused: u64,
}

impl Client {
    /// Starts a job; the answer comes before the job is done. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; a time-out when Redis is down.
    pub fn start_job(&self, job: Job) -> Result<()> {
        #[derive(Serialize)]
        struct Start {
            name: Job,
        }
        self.order(
            &Call::post("start a job of Immich", "/api/jobs"),
            &Start { name: job },
        )
    }

    /// Commands a queue. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; a time-out when Redis is down.
    pub fn command_queue(
        &self,
        queue: Queue,
        command: QueueCommand,
        force: bool,
    ) -> Result<QueueState> {
        #[derive(Serialize)]
        struct Order {
            command: QueueCommand,
            force: bool,
        }
        self.send(
            &Call::put(
                "command a queue of Immich",
                format!("/api/jobs/{}", queue.name()),
            ),
            &Order { command, force },
        )
    }
}
