//! How a command speaks to people and to programs: its report, alone, on standard output;
//! errors, talk and progress on standard error.
//!
//! A command's `main` gathers its [`Report`] and ends with [`conclude`], which prints the report,
//! or the error with its [`Meaning`], and gives the [`Exit`]. On the way, a [`Ui`] asks and tells,
//! and its [`Bars`] show progress.

pub mod bars;
pub mod exit;
pub mod meaning;
#[cfg(feature = "reference")]
pub mod reference;
pub mod refused;
pub mod report;
pub mod ui;

use std::io::Write as _;

pub use bars::{Bar, Bars, Counted, OneBar};
pub use exit::Exit;
pub use meaning::{Meaning, conclude};
pub use refused::Refused;
pub use report::{Report, Said, Told, size, table, to_stdout};
pub use ui::Ui;

/// Writes a line to standard error. Where nobody reads it any more, as after a broken SSH
/// connection, the work goes on: a macro of the standard library would panic.
pub fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
