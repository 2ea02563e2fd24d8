//! `remote …`

pub mod enroll;
pub mod status;

use appliance::remote::Disabled;
use appliance_terminal::{Report, Said};

use crate::cli::RemoteDisable;
use crate::run::Run;

/// Cuts the box off from the Tailscale network.
pub fn disable(run: &Run, arguments: &RemoteDisable) -> anyhow::Result<Box<dyn Report>> {
    let disabled = appliance::remote::disable(&run.appliance(), arguments.forget)?;
    Ok(match disabled {
        Disabled::Left => Said::done(
            "the box has left the Tailscale network; immich-appliance remote enroll asks for a \
             login again",
        ),
        Disabled::WasInNone => Said::already("the box is in no Tailscale network"),
        Disabled::SwitchedOff => Said::done(
            "nobody reaches the box through the Tailscale network any more; it keeps its place \
             there: immich-appliance remote enroll brings it back",
        ),
        Disabled::WasOff => Said::already("the box is not connected to a Tailscale network"),
    })
}
