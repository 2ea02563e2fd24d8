use serde::{Deserialize, Serialize};

use super::{Call, Client, Result, ServerVersion};

/// A job that can be started by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Immich's own database dump into `backups/`, its retention included. A failure shows only in
    /// the notifications; success, as a new file.
    BackupDatabase,
    /// Looks for files that the database knows and the disk does not have. Immich 3 only.
    IntegrityMissingFiles,
    /// Looks for files that the disk has and the database does not know. Immich 3 only.
    IntegrityUntrackedFiles,
    /// Holds files against the checksums that they were uploaded with. Immich 3 only.
    IntegrityChecksumMismatch,
}

impl Job {
    const fn since(self) -> ServerVersion {
        match self {
            Self::BackupDatabase => ServerVersion::new(0, 0, 0),
            Self::IntegrityMissingFiles
            | Self::IntegrityUntrackedFiles
            | Self::IntegrityChecksumMismatch => ServerVersion::new(3, 0, 0),
        }
    }
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
    /// Files held against the database. Immich 3 only.
    IntegrityCheck,
}

impl Queue {
    fn name(self) -> &'static str {
        match self {
            Self::ThumbnailGeneration => "thumbnailGeneration",
            Self::VideoConversion => "videoConversion",
            Self::StorageTemplateMigration => "storageTemplateMigration",
            Self::MetadataExtraction => "metadataExtraction",
            Self::IntegrityCheck => "integrityCheck",
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

impl JobCounts {
    /// Whether nothing is left to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.active + self.waiting + self.delayed + self.paused == 0
    }
}

/// How a queue stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueInfo {
    /// Whether it takes up no work.
    pub is_paused: bool,
    /// Its jobs by state.
    #[serde(rename = "statistics")]
    pub job_counts: JobCounts,
}

impl Client {
    /// Starts a job; the answer comes before the job is done. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; a time-out when Redis is down; [`Why::NotOffered`](super::Why::NotOffered)
    /// where the job came with a later version.
    pub fn start_job(&self, job: Job) -> Result<()> {
        #[derive(Serialize)]
        struct Start {
            name: Job,
        }
        let call = Call::post("start a job of Immich", "/api/jobs");
        if job.since().major > 0 {
            self.offered(&call, job.since())?;
        }
        self.order(&call, &Start { name: job })
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

    /// How a queue stands. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; a time-out when Redis is down.
    pub fn queue(&self, queue: Queue) -> Result<QueueInfo> {
        self.fetch(&Call::get(
            "look at a queue of Immich",
            format!("/api/queues/{}", queue.name()),
        ))
    }

    /// Has all thumbnails, previews and videos for browsers made anew, as after a recovery from a
    /// backup that left them out. The answer comes before the work is done, which may take days;
    /// [`queue`](Self::queue) tells how far it is. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; a time-out when Redis is down.
    pub fn make_derived_files_anew(&self) -> Result<()> {
        for queue in [Queue::ThumbnailGeneration, Queue::VideoConversion] {
            // Without force Immich goes by its database, which says that they are all there.
            self.command_queue(queue, QueueCommand::Start, true)?;
        }
        Ok(())
    }
}
