//! One file per command. Each takes the context and its arguments, and returns a report.

pub mod backup;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod drive;
pub mod first_boot;
pub mod generate;
pub mod lock;
pub mod recover;
pub mod remote;
pub mod restart;
pub mod setup;
pub mod start;
pub mod status;
pub mod stop;
pub mod unlock;
