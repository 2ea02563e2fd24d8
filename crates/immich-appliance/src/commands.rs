//! One file for a command or a few that belong together. Each turns its arguments into the
//! options of one operation of the library, and what that returns into a report.

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
pub mod setup;
pub mod start;
pub mod status;
pub mod unlock;
