//! What the box remembers outside the drive: which drive is its own, and its last good backup.
//!
//! It is one small file, read by people too, and nothing in it is secret. It can be lost without
//! loss: the next unlock and the next backup fill it again.

mod model;
mod store;

pub use model::{FailedBackup, GoodBackup, RememberedDrive, State};
pub use store::{Error, FILE_NAME, Store};
