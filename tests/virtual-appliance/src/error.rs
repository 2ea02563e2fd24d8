//! What can go wrong around a virtual machine, told with what was being done.

use std::{io, path::PathBuf, time::Duration};

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the driver or of a command in the machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, socket or process could not be worked with.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, and to which object.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A program of the host is not there.
    #[error("{program} is not installed on this machine; it is in the Debian package {package}")]
    Missing {
        /// The program's name.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The host is not what the image can be built on.
    #[error("the machine image cannot be built here: {0}")]
    Host(String),
    /// A program of the host ran and failed.
    #[error("{program} failed ({status}):\n{stderr}")]
    Program {
        /// The program's name.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// QEMU refused a command of its control protocol.
    #[error("{machine}: QEMU refused {command}: {reason}")]
    Qmp {
        /// The machine's name.
        machine: String,
        /// The QMP command.
        command: String,
        /// QEMU's words.
        reason: String,
    },
    /// Something in the machine took longer than its limit.
    #[error("{machine}: {what} took longer than {} s; the end of its console:\n{console}", limit.as_secs())]
    Late {
        /// The machine's name.
        machine: String,
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
        /// The last lines of the serial console.
        console: String,
    },
    /// The machine is off (its power was cut, it was shut down, or it never booted).
    #[error("{machine} is off; boot it first")]
    Off {
        /// The machine's name.
        machine: String,
    },
    /// QEMU ended by itself.
    #[error("{machine}: QEMU ended ({status}):\n{log}")]
    Ended {
        /// The machine's name.
        machine: String,
        /// How it ended.
        status: String,
        /// QEMU's own words.
        log: String,
    },
    /// The connection to the machine broke while a command ran.
    #[error("the connection to the machine was lost during `{command}`")]
    Lost {
        /// The command that ran.
        command: String,
    },
    /// A command in the machine did not end in time.
    #[error("`{command}` did not end within {} s; until then it said:\n{stdout}{stderr}", limit.as_secs())]
    Stuck {
        /// The command that ran.
        command: String,
        /// Its limit.
        limit: Duration,
        /// What it wrote so far.
        stdout: String,
        /// What it complained of so far.
        stderr: String,
    },
    /// A command in the machine failed where success was demanded.
    #[error("`{command}` ended with status {status}:\n{stdout}{stderr}")]
    Failed {
        /// The command that ran.
        command: String,
        /// Its exit status.
        status: i32,
        /// What it wrote.
        stdout: String,
        /// What it complained of.
        stderr: String,
    },
    /// An image or state that was to be started from is not there.
    #[error("there is no machine image at {}", .0.display())]
    NoImage(PathBuf),
}

/// Gives an [`io::Error`] the words of what was being done.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io {
            doing: what(),
            source,
        })
    }
}
