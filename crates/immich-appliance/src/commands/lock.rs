//! `lock`

use appliance::drive::lock::{Locked, lock};
use appliance_terminal::{Report, Said};

use crate::cli::Lock;
use crate::run::Run;

/// Stops Immich, unmounts the drive and closes it.
pub fn run(run: &Run, arguments: &Lock) -> anyhow::Result<Box<dyn Report>> {
    Ok(match lock(&run.appliance(), arguments.gone)? {
        Locked::Now {
            device,
            encrypted: true,
        } => Said::done(format!("the drive {} is locked", device.display())),
        Locked::Now { device, .. } => Said::done(format!(
            "the drive {} is unmounted; it is not encrypted",
            device.display()
        )),
        Locked::Already => Said::already("the drive is already locked"),
        Locked::ClearedAway => {
            Said::done("what the unplugged drive left behind has been cleaned up")
        }
        Locked::NothingLeft => Said::already("no unplugged drive left anything behind"),
        Locked::AnotherRunDoes => {
            Said::already("another run is in progress, and cleans up as well")
        }
    })
}
