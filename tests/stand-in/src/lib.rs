//! A stand-in for the Immich server, for the virtual appliance only: the real API, real PostgreSQL,
//! real files.
//!
//! It answers the calls that the appliance's client makes, in the shapes of Immich 2.7.5 or of 3.2.2
//! as it is told at the start (the contract test holds every answer against each version's own
//! description), and behaves as the real 2.7.5 was seen to; a real 3.x was not seen: ping answers with the database gone, folders and markers are checked at the start,
//! a fresh database over old media starts happily and empty. It makes no thumbnails: under `thumbs/`
//! it puts the beginning of the original, so that there is a file to lose and to make again.

mod admin;
mod auth;
mod backup;
mod database;
mod error;
mod exif;
mod integrity;
mod machine_learning;
mod maintenance;
mod media;
mod migrations;
mod redis;
mod routes;
mod server;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod thumbnail;
mod version;

pub use admin::AdminCommand;
pub use machine_learning::serve as serve_machine_learning;
pub use migrations::MigrationBehaviour;
pub use server::{Server, StartError};
pub use settings::{DatabaseAddress, RedisAddress, Settings, SettingsError};
pub use version::{ImmichVersion, VersionError};
