//! The appliance's whole life through the library: a drive created, Immich started, backed up,
//! locked, and recovered onto another drive of another box. Disks are files and folders, systemd
//! and Immich's database are in memory, and a script answers; the repository is a real one. It
//! takes neither root nor a virtual machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // in the helpers of the tests
#![allow(clippy::unimplemented)] // of a fake, what no test asks for

mod backups;
mod disks;
mod family;
mod faults;
mod interrupted;
mod manager;
mod photos;
mod refusals;
mod whole;
mod world;
