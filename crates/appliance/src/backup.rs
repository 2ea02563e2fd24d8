//! The backup: the database first, then the files, into a repository that any restic reads.

pub mod browse;
pub mod check;
mod expected;
pub mod forget;
pub mod init;
mod placement;
pub(crate) mod repository;
pub mod restore;
pub mod run;

pub use repository::NamedRepository;

/// The label of the snapshots that are made here.
const LABEL: &str = "immich-appliance";
