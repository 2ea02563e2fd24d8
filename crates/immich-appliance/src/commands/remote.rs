//! `remote …`

pub mod enroll;
mod status;

use appliance::remote::Disabled;
use appliance_terminal::{Report, Said};

use crate::cli::{RemoteCommand, RemoteDisable};
use crate::run::Run;

/// One of its commands.
pub fn run(run: &Run, command: &RemoteCommand) -> anyhow::Result<Box<dyn Report>> {
    match command {
        RemoteCommand::Enroll(arguments) => enroll::run(run, arguments),
        RemoteCommand::Status(arguments) => status::run(run, arguments),
        RemoteCommand::Disable(arguments) => disable(run, arguments),
    }
}

/// Cuts the box off from the Tailscale network.
fn disable(run: &Run, arguments: &RemoteDisable) -> anyhow::Result<Box<dyn Report>> {
    let disabled = appliance::remote::disable(&run.appliance(), arguments.forget)?;
    Ok(match disabled {
        Disabled::Left => Said::done(
            "the box has left the Tailscale network; immich-appliance remote enroll asks for a \
             sign-in again",
        ),
        Disabled::WasInNone => Said::already("the box is not in a Tailscale network"),
        Disabled::SwitchedOff => Said::done(
            "nobody reaches the box through the Tailscale network any more; it keeps its place \
             there, and immich-appliance remote enroll reconnects it",
        ),
        Disabled::WasOff => Said::already("the box is not connected to a Tailscale network"),
    })
}
