//! Files that survive a power cut: written to a temporary name, synced, renamed, the folder synced.
//!
//! Also the [`Lock`] that keeps two runs of the tool from interleaving, and [`Beneath`], for work in
//! folders whose contents somebody else can change.

mod beneath;
mod document;
mod error;
mod give;
mod lock;
mod owner;
mod write;

pub use beneath::{Beneath, Held};
pub use document::{Document, DocumentError};
pub use error::{FileError, Result};
pub use give::give_to;
pub use lock::{Lock, LockError};
pub use owner::{Owner, OwnerError};
pub use write::{create_dir_durably, remove_durably, sync_dir, write_durably, write_durably_owned};
