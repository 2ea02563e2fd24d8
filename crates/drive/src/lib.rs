//! The drive: block devices, LUKS, file system, mount and folder layout.
//!
//! Facts first, deeds second: [`inspect`] says what is attached, [`find`] which of it is the
//! appliance's drive and [`state`] how far along it is. Those decide over plain values and are
//! tested without any disk. [`luks`], [`filesystem`], [`mount`] and [`layout`] change the world,
//! one step each; every step can be repeated after a power cut.
//!
//! Nothing here asks for consent: callers do, with the facts from here.

pub mod cipher;
pub mod filesystem;
pub mod find;
pub mod holders;
pub mod inspect;
pub mod layout;
pub mod luks;
pub mod mount;
pub mod obstacle;
pub mod state;
pub mod usage;

mod cryptsetup;

pub use appliance_blockdev::System;

/// Name under which the opened drive appears in `/dev/mapper`.
pub const MAPPER: &str = "immich_drive";

/// Label of the LUKS header and of the file system.
pub const LABEL: &str = "immich_drive";

/// Subsystem field of a LUKS header whose creation was not finished.
pub const UNFINISHED: &str = "immich-appliance:unfinished";

/// Subsystem field of a LUKS header of a finished appliance drive.
pub const FINISHED: &str = "immich-appliance";
