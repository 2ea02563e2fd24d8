//! The settings file that travels on an image's FAT partition: read, checked, written, applied.
//!
//! A person's PC writes `appliance.toml` there before the box has ever run ([`Settings`],
//! [`password`]); the box takes it over once and erases what is secret in it.

pub mod apply;
pub mod console;
pub mod fields;
pub mod network;
pub mod password;
pub mod plan;

mod error;
mod render;
mod settings;
mod take_over;
mod validate;
mod wifi;

pub use error::{Problem, Problems};
pub use settings::{Settings, StaticAddress, Tailnet, Wifi};
pub use take_over::{Record, TakeOverError, last_record, take_over};
pub use wifi::pre_shared_key;

/// Name of the settings file on the FAT partition.
pub const FILE_NAME: &str = "appliance.toml";

/// Name of the file beside it that says why it was not taken over.
pub const ERROR_FILE_NAME: &str = "appliance-error.txt";

/// Name of the file beside it that says what was taken over, without what was secret.
pub const APPLIED_FILE_NAME: &str = "appliance-applied.txt";

/// Largest settings file that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
