//! A stand-in for the Immich server, for the virtual appliance only: the real API, real PostgreSQL,
//! real files.
//!
//! It answers exactly the calls that the appliance's client makes, in the shapes of Immich 2.7.5
//! (the contract test holds every answer against the API's schema), and behaves as the real server
//! was seen to: ping answers with the database gone, folders and markers are checked at the start,
//! a fresh database over old media starts happily and empty. It makes no thumbnails: under `thumbs/`
//! it puts the beginning of the original, so that there is a file to lose and to make again.

mod auth;
mod backup;
mod database;
mod error;
mod exif;
mod machine_learning;
mod media;
mod redis;
mod routes;
mod server;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod thumbnail;

pub use machine_learning::serve as serve_machine_learning;
pub use server::{Server, StartError};
pub use settings::{DatabaseAddress, RedisAddress, Settings, SettingsError};

/// The version that it claims to be.
pub const VERSION: (u32, u32, u32) = (2, 7, 5);
