//! How a command speaks to people and to programs: its report, alone, on standard output;
//! errors, talk and progress on standard error.

mod bar;
mod consent;
mod failure;

use std::io::Write as _;

use anyhow::Context as _;

pub use bar::bar;
pub use consent::{Unlike, same_name};
pub use failure::Failure;

/// Writes a line to standard error. Where nobody reads it any more, as after a broken SSH
/// connection, the work goes on: a macro of the standard library would panic.
pub fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes a report to standard output, its last line ended; an empty one not at all.
///
/// # Errors
/// If standard output does not take it, for example because a pipe was closed.
pub fn to_stdout(mut text: String) -> anyhow::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("cannot write the report to standard output")
}

/// A size in bytes for people, in decimal units as on a drive's label.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}
