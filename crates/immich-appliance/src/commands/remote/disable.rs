//! `remote disable`

use appliance_tailnet::standing::State;

use crate::cli::RemoteDisable;
use crate::context::Context;
use crate::report::{Report, Said};
use crate::steps::remote;

/// Cuts the box off from the Tailscale network.
pub fn run(context: &Context, arguments: &RemoteDisable) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively_for_remote()?;
    let tailnet = remote::tailnet(context)?;
    let state = tailnet.standing()?.state;
    let in_a_network = !matches!(state, State::NotEnrolled | State::LoginWaits { .. });
    // Taken back first: what is shared would be back with the connection.
    if in_a_network && state != State::KeyExpired {
        tailnet.unshare(remote::target(context))?;
    }
    if arguments.forget {
        if tailnet.leave()? {
            return Ok(Said::done(
                "the box has left the Tailscale network; immich-appliance remote enroll asks for a \
                 login again",
            ));
        }
        tailnet.switch_off()?;
        return Ok(Said::already("the box is in no Tailscale network"));
    }
    // Also where it is in no network: a login that was begun ends with it.
    if tailnet.switch_off()? {
        return Ok(Said::done(
            "nobody reaches the box through the Tailscale network any more; it keeps its place \
             there: immich-appliance remote enroll brings it back",
        ));
    }
    Ok(Said::already(
        "the box is not connected to a Tailscale network",
    ))
}
