//! Checking and mending: e2fsck.

use std::ffi::OsStr;
use std::path::Path;

use serde::Serialize;

use super::{FilesystemError, refuse_in_use, tool};

/// How far a check may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Only what is safe without asking (`e2fsck -p`).
    Preen,
    /// Everything, answering yes (`e2fsck -y`). Needs the person's consent.
    Everything,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No errors.
    Clean,
    /// Errors were mended.
    Fixed,
    /// Errors were mended in a mounted file system: reboot.
    NeedsReboot,
    /// Errors are left: a person must decide on [`Repair::Everything`].
    Unfixed,
}

/// A finished check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it came to.
    pub outcome: Outcome,
    /// What e2fsck said.
    pub output: String,
}

/// Checks and mends an unmounted file system.
///
/// # Errors
/// When e2fsck could not do its work; errors found in the file system are an [`Outcome`].
pub fn check(device: &Path, repair: Repair) -> Result<Check, FilesystemError> {
    const TOOL: &str = "e2fsck";
    refuse_in_use(device)?;
    let how = match repair {
        Repair::Preen => "-p",
        Repair::Everything => "-y",
    };
    let output = tool::run(TOOL, [OsStr::new(how), device.as_os_str()])?;
    match output.status.code().and_then(outcome) {
        Some(outcome) => Ok(Check {
            outcome,
            output: tool::said(&output),
        }),
        None => Err(tool::failed(TOOL, device, &output)),
    }
}

/// e2fsck's exit code is a set of bits; `None` when it could not do its work.
fn outcome(code: i32) -> Option<Outcome> {
    const FIXED: i32 = 1;
    const REBOOT: i32 = 2;
    const UNFIXED: i32 = 4;
    match code {
        0 => Some(Outcome::Clean),
        code if code & !(FIXED | REBOOT | UNFIXED) != 0 => None,
        code if code & UNFIXED != 0 => Some(Outcome::Unfixed),
        code if code & REBOOT != 0 => Some(Outcome::NeedsReboot),
        _ => Some(Outcome::Fixed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_bit_of_the_exit_code_counts() {
        assert_eq!(outcome(0), Some(Outcome::Clean));
        assert_eq!(outcome(1), Some(Outcome::Fixed));
        assert_eq!(outcome(3), Some(Outcome::NeedsReboot));
        assert_eq!(outcome(5), Some(Outcome::Unfixed));
    }

    #[test]
    fn a_check_that_did_not_run_is_never_taken_for_a_good_one() {
        for code in [8, 9, 12, 16, 32, 128, -1] {
            assert_eq!(outcome(code), None, "{code}");
        }
    }
}
