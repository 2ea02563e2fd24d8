//! `drive …`

pub mod benchmark;
pub mod create;
pub mod header;
pub mod info;
pub mod list;
pub mod passphrase;
