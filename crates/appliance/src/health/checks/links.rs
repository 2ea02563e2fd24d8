use super::Findings;
use crate::Result;
use crate::error::Context as _;

const HELP: &str = "sudo sysctl fs.protected_hardlinks=1 fs.protected_symlinks=1, and the same in \
     /etc/sysctl.d to keep it so";

/// Immich's user must not be able to make hard links to files that are not its own: owners and
/// modes in its folders are put in order as root.
pub(super) fn links(findings: &mut Findings<'_>) -> Result<()> {
    let mut open = Vec::new();
    for name in ["protected_hardlinks", "protected_symlinks"] {
        let path = format!("/proc/sys/fs/{name}");
        let value =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        if value.trim() == "0" {
            open.push(format!("fs.{name}"));
        }
    }
    if open.is_empty() {
        findings.good("the kernel lets nobody link to files of others");
    } else {
        findings.bad(
            format!(
                "the kernel lets everybody link to files of others ({} is 0)",
                open.join(" and ")
            ),
            HELP,
        );
    }
    Ok(())
}
