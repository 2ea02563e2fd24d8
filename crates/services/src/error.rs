use std::io;
use std::time::Duration;

use crate::{JobResult, Verb};

/// What went wrong with a unit, or with systemd itself.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The system bus or systemd on it cannot be reached.
    #[error("cannot reach systemd over the system bus")]
    Connect(#[source] Box<zbus::Error>),
    /// The unit is not installed.
    #[error("cannot {verb} {unit}: there is no such unit on this machine")]
    NoSuchUnit {
        /// What was to be done.
        verb: Verb,
        /// The unit.
        unit: String,
    },
    /// systemd refused the request.
    #[error("cannot {verb} {unit}: systemd says: {reason}")]
    Refused {
        /// What was to be done.
        verb: Verb,
        /// The unit, or "systemd" for requests without one.
        unit: String,
        /// systemd's words.
        reason: String,
    },
    /// The job was done, but not well.
    #[error("cannot {verb} {unit}: {result}")]
    Job {
        /// What was to be done.
        verb: Verb,
        /// The unit.
        unit: String,
        /// How the job ended.
        result: JobResult,
    },
    /// The unit was not started because a condition of its own does not hold, most often that
    /// the drive is mounted.
    #[error(
        "{unit} did not start: a condition in its unit file does not hold (is the drive mounted?)"
    )]
    ConditionFailed {
        /// The unit.
        unit: String,
    },
    /// The job was not done in time. systemd goes on with it.
    #[error("cannot {verb} {unit}: not done after {} seconds", after.as_secs())]
    TimedOut {
        /// What was to be done.
        verb: Verb,
        /// The unit.
        unit: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection broke, or systemd answered what this program does not understand.
    #[error("cannot {verb} {unit}: no proper answer from systemd")]
    Bus {
        /// What was to be done.
        verb: Verb,
        /// The unit, or "systemd" for requests without one.
        unit: String,
        /// What the bus said.
        source: Box<zbus::Error>,
    },
    /// The log could not be read.
    #[error("cannot read the log of {unit}")]
    Log {
        /// The unit.
        unit: String,
        /// Why.
        source: io::Error,
    },
}

/// The result of something done with units.
pub type Result<T> = std::result::Result<T, ServiceError>;
