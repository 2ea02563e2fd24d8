//! `start`, `stop` and `restart`

use appliance::immich::start::{self, Started};
use appliance::immich::stop;
use appliance_terminal::{Report, Said, Told};

use crate::run::Run;

/// Starts Immich and waits until it is ready.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    Ok(Box::new(Told::new(start::start(&run.appliance())?, text)))
}

/// Stops Immich and starts it again.
pub fn restart(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    Ok(Box::new(Told::new(start::restart(&run.appliance())?, text)))
}

/// Stops Immich; the drive stays unlocked.
pub fn stop(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    Ok(if stop::stop(&run.appliance())? {
        Said::done("Immich is stopped; the drive stays mounted")
    } else {
        Said::already("Immich is not running")
    })
}

/// Where Immich is, and what comes next.
pub fn text(started: &Started) -> String {
    let ready = if started.changed {
        "Immich is ready"
    } else {
        "Immich is already running"
    };
    let at = started.addresses.join(" or ");
    if started.waits_for_sign_up {
        format!(
            "{ready} at {at}\nNext: open it in a browser and sign up; the first account is the administrator."
        )
    } else {
        format!("{ready} at {at}")
    }
}
