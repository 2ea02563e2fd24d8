//! One file per command. Each takes how to ui and its arguments, and returns a report.

pub mod customise;
pub mod devices;
pub mod fetch;
pub mod flash;
pub mod generate;
pub mod verify;
