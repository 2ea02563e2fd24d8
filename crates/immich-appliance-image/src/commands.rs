//! One file per command. Each takes how to talk and its arguments, and returns a report.

pub mod customise;
pub mod devices;
pub mod fetch;
pub mod flash;
pub mod generate;
pub mod verify;
