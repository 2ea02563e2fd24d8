//! Backups: a restic repository, written and read by rustic_core.
//!
//! [`Location`] names a repository, [`Target`] adds what opens it, [`Repository`] is it opened.
//! [`snapshot`], [`check`] and [`restore`] work on it.

pub mod check;
pub mod error;
pub mod location;
pub mod progress;
pub mod repository;
pub mod restore;
pub mod snapshot;
pub mod target;

pub use error::{Error, Result};
pub use location::{Location, S3Location};
pub use repository::{Joined, OpenOptions, Repository};
pub use target::{Address, Credentials, Target};
