//! LUKS headers, keyslots and mappings, through libcryptsetup.
//!
//! Every function works on a device or an image file alike, except [`activate`]. Passphrases go
//! straight to libcryptsetup, which wipes its own copies.

mod activation;
mod error;
mod format;
mod header;
mod info;
mod keyslots;
mod limits;

pub use activation::{Removal, activate, deactivate, is_active};
pub use error::LuksError;
pub(crate) use format::exclusive;
pub use format::{Format, format, mark_finished};
pub use header::{Overwrite, header_backup, header_restore};
pub use info::{Info, Keyslot, info};
pub use keyslots::{Opened, add_key, change_key, keyslot_of_another, open, remove_keyslot};
pub use limits::{Limits, memory_available_kib};
