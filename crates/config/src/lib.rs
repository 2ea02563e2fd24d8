//! The configuration: fragments, merged key by key into validated settings.
//!
//! Each key is described once, in `settings.rs`: its name, type, default, how its value is checked
//! and, as a doc comment, its meaning. The fragment that a file is read into, error texts and the
//! reference in the documentation all come from there. A key that nobody knows is an error, with
//! its file and line.

mod choice;
mod error;
mod fragment;
mod kind;
mod load;
mod settings;

pub use bytesize::ByteSize;
pub use choice::{Choice, CipherChoice, Encryption, Scope};
pub use error::{ConfigError, Place};
pub use fragment::KeyDoc;
pub use load::{CONFIG_FILE, CONFIG_FOLDER};
pub use settings::{
    BackupSettings, DatabaseSettings, DriveSettings, FirstBootSettings, ImmichSettings,
    RemoteSettings, ServicesSettings, Settings, StateSettings,
};
