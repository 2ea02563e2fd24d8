//! Immich: its HTTP API, its media folder and its database.
//!
//! - [`api`]: the calls a control tool makes, blocking, each with its own time limit.
//! - [`readiness`]: waits until Immich truly works, which its ping does not tell.
//! - [`media`]: the folders and the `.immich` markers without which Immich refuses to start.
//! - [`dump`]: proves a database dump complete and counts its rows, reading it once.
//! - [`database`]: takes and restores dumps with PostgreSQL's own tools.

pub mod api;
pub mod database;
pub mod dump;
pub mod media;
pub mod readiness;
