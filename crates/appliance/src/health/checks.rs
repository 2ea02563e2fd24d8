//! What `doctor` looks for: a list of checks, each with its findings and the help for each.

mod backup;
mod data;
mod drive;
mod links;
mod names;
mod services;
mod tailnet;

use serde::Serialize;

use super::{Condition, look};
use crate::error::in_one_line;
use crate::{Appliance, Result};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It was not, and is now.
    Mended,
    /// It is worth knowing.
    Notice,
    /// It has to be seen to.
    Bad,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthFinding {
    /// What was looked at, in a word.
    pub what: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What helps.
    pub help: Option<String>,
}

/// One check. Adding one is a function, and a line in [`CHECKS`].
struct Check {
    /// What is looked at, in a word.
    id: &'static str,
    /// Whether there is anything to look at only while the drive is mounted.
    needs_drive: bool,
    look: fn(&mut Findings<'_>) -> Result<()>,
}

const CHECKS: &[Check] = &[
    Check::anytime("drive", drive::drive),
    Check::mounted("unplugging", drive::unplugging),
    Check::anytime("header", drive::header),
    Check::anytime("card", drive::card),
    Check::anytime("links", links::links),
    Check::anytime("units", services::units),
    Check::mounted("immich", services::immich),
    Check::mounted("recovery", backup::recovery),
    Check::mounted("folders", data::folders),
    Check::mounted("media", data::media),
    Check::mounted("originals", data::originals),
    Check::mounted("dumps", data::dumps),
    Check::mounted("space", data::space),
    Check::anytime("backup", backup::backup),
    Check::anytime("names", names::names),
    Check::anytime("remote", tailnet::tailnet),
];

impl Check {
    const fn anytime(id: &'static str, look: fn(&mut Findings<'_>) -> Result<()>) -> Self {
        Check {
            id,
            needs_drive: false,
            look,
        }
    }

    const fn mounted(id: &'static str, look: fn(&mut Findings<'_>) -> Result<()>) -> Self {
        Check {
            id,
            needs_drive: true,
            look,
        }
    }
}

/// What a check works with, and where it puts what it finds.
struct Findings<'a> {
    appliance: &'a Appliance,
    condition: &'a Condition,
    /// What can be mended without risk is.
    mend: bool,
    id: &'static str,
    found: Vec<HealthFinding>,
}

impl Findings<'_> {
    fn add(&mut self, verdict: Verdict, detail: impl Into<String>, help: Option<String>) {
        self.found.push(HealthFinding {
            what: self.id,
            verdict,
            detail: detail.into(),
            help,
        });
    }

    fn good(&mut self, detail: impl Into<String>) {
        self.add(Verdict::Good, detail, None);
    }

    fn mended(&mut self, detail: impl Into<String>) {
        self.add(Verdict::Mended, detail, None);
    }

    fn notice(&mut self, detail: impl Into<String>, help: impl Into<String>) {
        self.add(Verdict::Notice, detail, Some(help.into()));
    }

    fn bad(&mut self, detail: impl Into<String>, help: impl Into<String>) {
        self.add(Verdict::Bad, detail, Some(help.into()));
    }
}

/// Makes all checks; with `mend`, mends what can be mended without risk.
///
/// # Errors
/// When the box cannot be looked at at all. A check that fails is a finding.
pub fn examine(appliance: &Appliance, mend: bool) -> Result<Vec<HealthFinding>> {
    let _lock = mend.then(|| appliance.exclusively()).transpose()?;
    let condition = look(appliance)?;
    let mut findings = Findings {
        appliance,
        condition: &condition,
        mend,
        id: "",
        found: Vec::new(),
    };
    for check in CHECKS {
        if check.needs_drive && !condition.drive.is_mounted() {
            continue;
        }
        findings.id = check.id;
        if let Err(error) = (check.look)(&mut findings) {
            let help = error.meaning().help;
            findings.add(Verdict::Bad, in_one_line(&error), help);
        }
    }
    Ok(findings.found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_word_of_its_own() {
        let mut ids: Vec<_> = CHECKS.iter().map(|check| check.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CHECKS.len());
    }
}
