//! Dumps and restores with a real PostgreSQL, of a database that the stand-in filled.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod common;
mod dumps;
mod formats;
mod lists;
mod planted;
mod restores;
