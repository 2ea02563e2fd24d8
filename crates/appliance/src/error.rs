//! What can go wrong, what it means to a person, and the way out.

mod meaning;

use std::io;

use appliance_backup::location::LocationError;
use appliance_backup::restore::DestinationRefusal;
use appliance_drive::filesystem::FilesystemError;
use appliance_drive::find::FindError;
use appliance_drive::holders::HoldersError;
use appliance_drive::inspect::{ConsentError, InspectError, Refusal};
use appliance_drive::layout::LayoutError;
use appliance_drive::luks::LuksError;
use appliance_drive::mount::MountError;
use appliance_drive::state::StateError;
use appliance_drive::usage::UsageError;
use appliance_files::{DocumentError, LockError, OwnerError};
use appliance_first_boot::TakeOverError;
use appliance_immich::database::{DatabaseError, ToolError};
use appliance_immich::dump::DumpError;
use appliance_immich::media::MediaError;
use appliance_immich::readiness::NotReady;
use appliance_secret::{ChoiceError, GenerateError, NotText, ObtainError};

pub use meaning::{FailureClass, Meaning};

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not succeed. [`Error::meaning`] says how to go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something the appliance would not do.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What was being done when it failed.
    #[error("{doing}")]
    While {
        /// What was being done, or what did not come of it.
        doing: String,
        /// Why.
        source: Box<Error>,
    },
    /// Something that must be there is not.
    #[error("{0}")]
    Missing(String),
    /// No drive can be used.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The drive's state cannot be told.
    #[error(transparent)]
    DriveState(#[from] StateError),
    /// A block device cannot be looked at.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A block device must not be touched.
    #[error(transparent)]
    Untouchable(#[from] Refusal),
    /// A device is not, or no longer, what was consented to.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// LUKS.
    #[error(transparent)]
    Luks(#[from] LuksError),
    /// The file system on the drive.
    #[error(transparent)]
    Filesystem(#[from] FilesystemError),
    /// Mounting and unmounting.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Who holds files cannot be told.
    #[error(transparent)]
    Holders(#[from] HoldersError),
    /// The folders on the drive.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Free space cannot be told.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// Another run is at work, or its lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A user or group is missing.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] appliance_files::FileError),
    /// One of the appliance's own small files.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// systemd.
    #[error(transparent)]
    Services(#[from] appliance_services::ServiceError),
    /// Immich does not answer as it should.
    #[error(transparent)]
    Immich(#[from] appliance_immich::api::ApiError),
    /// Immich does not become ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// Immich's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A database dump.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// Nothing is restored there.
    #[error(transparent)]
    Destination(#[from] DestinationRefusal),
    /// PostgreSQL's tools.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Immich's folders.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The backup.
    #[error(transparent)]
    Backup(#[from] appliance_backup::Error),
    /// A repository's address.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The tailnet.
    #[error(transparent)]
    Tailnet(#[from] appliance_tailnet::TailnetError),
    /// Where a secret comes from cannot be told.
    #[error(transparent)]
    SecretSource(#[from] ChoiceError),
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] ObtainError),
    /// A secret could not be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A secret that must be text is none.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The settings on the card.
    #[error(transparent)]
    FirstBoot(#[from] TakeOverError),
    /// The operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// The same failure, with what was being done around it.
    #[must_use]
    pub fn during(self, doing: impl Into<String>) -> Self {
        Error::While {
            doing: doing.into(),
            source: Box::new(self),
        }
    }
}

/// Something the appliance would not do, with the way out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    message: String,
    /// How the operation ended.
    pub class: FailureClass,
    /// What to do.
    pub help: String,
}

impl Refused {
    /// A refusal with the way out.
    pub fn new(class: FailureClass, message: impl Into<String>, help: impl Into<String>) -> Self {
        Refused {
            message: message.into(),
            class,
            help: help.into(),
        }
    }

    /// The drive must be unlocked first.
    pub fn drive_locked(doing: &str) -> Self {
        Refused::new(
            FailureClass::DriveLocked,
            format!("cannot {doing}: the drive is not unlocked"),
            "immich-appliance unlock --start",
        )
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// As a fixed text.
    ///
    /// # Errors
    /// The same failure, with the text around it.
    fn context(self, doing: impl Into<String>) -> Result<T>;
    /// As a text that is only made when it is needed.
    ///
    /// # Errors
    /// The same failure, with the text around it.
    fn with_context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.with_context(|| doing.into())
    }

    fn with_context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.into().during(doing()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Error::Missing(doing.into()))
    }

    fn with_context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.ok_or_else(|| Error::Missing(doing()))
    }
}

/// An error with all its causes in one line, as [`std::error::Error`] tells them.
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}
