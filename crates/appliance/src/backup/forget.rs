//! Forgetting old snapshots by a declared policy. What it removes can be looked at first.

use appliance_backup::forget::{self, ForgetPlan, Retention};
use jiff::Zoned;

use super::{LABEL, repository};
use crate::dialogue::Consent;
use crate::error::Context as _;
use crate::{Appliance, Result};

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub struct ForgetOptions {
    /// The policy.
    pub keep: Retention,
    /// Only say what would be removed.
    pub dry_run: bool,
}

/// Removes the snapshots of this box that the policy does not keep. Those of other machines are
/// never touched. Their data is freed by a later prune.
///
/// # Errors
/// When the repository cannot be opened, read or written to, or without consent.
pub fn forget(appliance: &Appliance, options: &ForgetOptions) -> Result<ForgetPlan> {
    let _lock = appliance.exclusively_for_backup()?;
    let repository = repository::open(appliance)?;
    let host = nix::unistd::gethostname()
        .map_err(std::io::Error::from)
        .context("cannot tell this box's name")?;
    let host = host.to_string_lossy();
    let now = Zoned::now();
    let plan = forget::plan(&repository, &host, LABEL, options.keep, &now)?;
    if options.dry_run || plan.remove.is_empty() {
        return Ok(plan);
    }
    appliance.dialogue().consent(&Consent {
        name: "forget",
        what_is_lost: &format!(
            "{} snapshots will be removed, and {} kept. What was deleted before the oldest kept \
             one cannot be restored any more.",
            plan.remove.len(),
            plan.keep.len()
        ),
    })?;
    forget::carry_out(&repository, &plan)?;
    Ok(plan)
}
