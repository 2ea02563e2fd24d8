//! The virtual appliance: a QEMU machine with real dm-crypt, ext4, systemd,
//! PostgreSQL and Redis, in which the product is put through its life.
//!
//! ```no_run
//! use virtual_appliance::{Appliance, Disk};
//!
//! # fn main() -> virtual_appliance::Result<()> {
//! let mut appliance = Appliance::start("first-steps")?;
//! let disk = Disk::blank("PHOTOS", 1024)?;
//! appliance.plug(&disk)?;
//! let listed = appliance.sh("immich-appliance drive list")?;
//! assert!(listed.contains("PHOTOS"));
//! appliance.cut_power();
//! appliance.boot()?;
//! # Ok(())
//! # }
//! ```
//!
//! A scenario that a host cannot run begins with
//! `if !virtual_appliance::can_run() { return; }`. Logs of machines whose test
//! failed are in `failed/` under [`cache::folder`].

pub mod cache;
pub mod card;
pub mod demo;
pub mod home;
pub mod photos;

mod appliance;
mod cargo;
mod command;
mod disk;
mod error;
mod image;
mod machine;
mod probe;
mod process;
mod qemu;
mod qmp;
mod s3;
mod snapshot;
mod ssh;
mod transfer;
mod turn;

pub use appliance::Appliance;
pub use command::{Command, Output, Running};
pub use disk::{Disk, Fingerprint};
pub use error::{Error, Result};
pub use image::BaseImage;
pub use machine::Machine;
pub use probe::{Accelerator, can_run, missing};
pub use qemu::Firmware;
pub use s3::S3Server;
pub use snapshot::{Layer, Snapshot};
