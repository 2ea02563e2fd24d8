use super::Findings;
use crate::Result;
use crate::health::NextStep;
use crate::memory::Age;

/// A backup older than this many hours is told of: the timer runs daily.
const OLD_HOURS: f64 = 50.0;
const BACK_UP: &str = "immich-appliance backup run";

pub(super) fn backup(findings: &mut Findings<'_>) -> Result<()> {
    let backup = findings.condition.backup.clone();
    if let Some(failed) = &backup.last_failed {
        findings.bad(
            format!("the last backup failed: {}", failed.reason),
            BACK_UP,
        );
    }
    match backup.age {
        None if backup.repository.is_some() && findings.condition.drive.is_mounted() => {
            findings.bad("the repository holds no backup of this drive yet", BACK_UP);
        }
        None => findings.bad("there is no backup yet", NextStep::SetUpBackup.text()),
        Some(Age::Unknown) => findings.bad(
            "the last good backup is dated in the future: the clock is or was wrong",
            BACK_UP,
        ),
        Some(Age::Hours(age)) if age > OLD_HOURS => {
            findings.bad(
                format!("the last good backup is {age:.0} hours old"),
                BACK_UP,
            );
        }
        Some(Age::Hours(age)) => {
            findings.good(format!("the last good backup is {age:.0} hours old"));
        }
    }
    Ok(())
}

pub(super) fn recovery(findings: &mut Findings<'_>) -> Result<()> {
    if let Some(step @ NextStep::FinishRecovery { .. }) = findings.condition.next_step() {
        findings.bad("a recovery onto this drive is not finished", step.text());
    }
    Ok(())
}
