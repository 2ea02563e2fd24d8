//! The configuration: fragments, merged key by key into validated settings.
//!
//! Each key is described once, in `options.rs`: its name, type, meaning, how its value is checked
//! and how it is shown. Reading, error texts and the reference in the documentation all come from
//! there. A key that nobody knows is an error, with its file and line.

mod error;
mod load;
mod options;
mod settings;
mod value;

pub use bytesize::ByteSize;
pub use error::{Error, Place};
pub use load::{CONFIG_FILE, CONFIG_FOLDER};
pub use options::OptionDoc;
pub use settings::{
    Backup, Database, Drive, Encryption, FirstBoot, Immich, Remote, Scope, Services, Settings,
    State,
};
