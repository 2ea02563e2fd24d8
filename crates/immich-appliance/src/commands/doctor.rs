//! `doctor`: looks for what is wrong and says what helps.

use appliance::health::checks::{HealthFinding, Verdict, examine};
use appliance_terminal::{Exit, Report, Told};
use serde::Serialize;

use crate::cli::Doctor;
use crate::run::Run;

#[derive(Debug, Serialize)]
struct Findings {
    findings: Vec<HealthFinding>,
}

/// Looks for what is wrong.
pub fn run(run: &Run, arguments: &Doctor) -> anyhow::Result<Box<dyn Report>> {
    let findings = examine(&run.appliance(), arguments.mend)?;
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    let told = Told::new(Findings { findings }, text);
    Ok(Box::new(told.with_exit(if bad {
        Exit::Failed
    } else {
        Exit::Done
    })))
}

fn text(findings: &Findings) -> String {
    let mut lines = Vec::new();
    for finding in &findings.findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok",
            Verdict::Mended => "repaired",
            Verdict::Notice => "note",
            Verdict::Bad => "BAD",
        };
        lines.push(format!("{mark:10}{:10}{}", finding.what, finding.detail));
        if let Some(help) = &finding.help {
            lines.push(format!("{:20}help: {help}", ""));
        }
    }
    lines.join("\n")
}
