//! Backups: a restic repository, written and read by rustic_core.
//!
//! [`Location`] names a repository, [`Target`] adds what opens it, [`Repository`] is it opened.
//! [`snapshot`], [`check`] and [`restore`] work on it.

// So that the tests of the crate share their helpers with those beside it.
#[cfg(test)]
extern crate self as appliance_backup;

mod cause;
pub mod check;
pub mod error;
#[cfg(test)]
mod faults;
pub mod forget;
pub mod location;
mod mode;
pub mod names;
pub mod packs;
pub mod progress;
pub mod repository;
pub mod restore;
pub mod snapshot;
mod source;
mod storage;
pub mod target;

pub use error::{Error, Result};
pub use location::{Location, S3Location};
pub use repository::{Joined, OpenOptions, Repository};
pub use target::{Address, Credentials, Target};
