use appliance_services::{ActiveState, LoadState};

use super::Findings;
use crate::Result;
use crate::health::ServerCondition;

pub(super) fn units(findings: &mut Findings<'_>) -> Result<()> {
    let settings = &findings.appliance.settings.services;
    let manager = findings.appliance.manager()?;
    let names: Vec<&str> = settings
        .units
        .iter()
        .chain([&settings.target])
        .map(String::as_str)
        .collect();
    let mut good = true;
    for unit in manager.states(&names)? {
        let name = &unit.name;
        if unit.load != LoadState::Loaded {
            good = false;
            findings.bad(
                format!("{name} is not installed"),
                "install Immich and its database as the documentation describes",
            );
        } else if unit.active == ActiveState::Failed {
            good = false;
            findings.bad(
                format!("{name} failed ({})", manager.unit(name)?.result),
                format!(
                    "see why with: journalctl -b -u {name}; try again with: immich-appliance start"
                ),
            );
        }
    }
    if good {
        findings.good("all are installed, and none has failed");
    }
    Ok(())
}

/// Whether Immich serves photos: installed units that do not fail can still be stopped.
pub(super) fn immich(findings: &mut Findings<'_>) -> Result<()> {
    match findings.condition.server {
        ServerCondition::Ready => findings.good("it answers"),
        ServerCondition::WaitsForSignUp => findings.notice(
            "it is waiting for its first user to sign up",
            "open it in a browser; the first account is the administrator",
        ),
        ServerCondition::Maintenance => findings.bad(
            "it is in maintenance mode and serves no photos",
            "end it on Immich's web page, or with: immich-admin disable-maintenance-mode",
        ),
        ServerCondition::NotReady => {
            findings.bad("it is not running", "immich-appliance start");
        }
    }
    Ok(())
}
