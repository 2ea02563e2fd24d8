//! The last lines of a unit's log, for error texts.
//!
//! `journalctl` reads them: the journal's files have no stable reader but systemd's own library,
//! and that would have to be linked.

use std::io;
use std::process::{Command, Stdio};

use crate::{Result, ServiceError, UnitStatus};

/// The last lines that a unit logged, oldest first: of its current or last run where systemd
/// knows one, else since the machine started.
///
/// # Errors
/// When `journalctl` cannot be run or fails.
pub fn last_lines(unit: &UnitStatus, count: u32) -> Result<Vec<String>> {
    let failed = |source| ServiceError::Log {
        unit: unit.state.name.clone(),
        source,
    };
    let output = command(unit, count).output().map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = format!("journalctl ended with {}: {}", output.status, said.trim());
        return Err(failed(io::Error::other(said)));
    }
    Ok(lines(&output.stdout))
}

fn command(unit: &UnitStatus, count: u32) -> Command {
    let mut command = Command::new("journalctl");
    command
        .args(["--quiet", "--no-pager", "--output=cat", "--boot"])
        .arg(format!("--lines={count}"))
        .stdin(Stdio::null());
    match &unit.invocation {
        Some(invocation) => command.arg(format!("_SYSTEMD_INVOCATION_ID={invocation}")),
        None => command.arg(format!("--unit={}", unit.state.name)),
    };
    command
}

/// What was logged may be anything; only text that cannot move a terminal's cursor is kept.
fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output)
        .lines()
        .map(|line| {
            line.chars()
                .filter(|c| !c.is_control() || *c == '\t')
                .collect::<String>()
        })
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manager;
    use crate::fake::FakeManager;

    #[test]
    fn lines_are_text_without_control_characters() {
        assert_eq!(
            lines(b"one\n\n\x1b[31mtwo\x1b[0m \r\n\xffthree\n"),
            ["one", "[31mtwo[0m", "\u{fffd}three"]
        );
    }

    #[test]
    fn only_the_last_run_is_asked_for_where_it_is_known() {
        let mut unit = FakeManager::of(["a.service"]).unit("a.service").unwrap();
        let said = |unit: &UnitStatus| format!("{:?}", command(unit, 5));
        assert!(said(&unit).contains("--unit=a.service"));
        unit.invocation = Some("00ff".into());
        assert!(said(&unit).contains("_SYSTEMD_INVOCATION_ID=00ff"));
        assert!(!said(&unit).contains("--unit"));
    }
}
