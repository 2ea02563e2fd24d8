//! `remote enroll`

use std::time::Duration;

use appliance::remote::{EnrollOptions, Enrolled, enroll};
use appliance_tailnet::standing::TailnetState;
use appliance_terminal::{Report, Told};

use crate::answers::Answers;
use crate::cli::RemoteEnroll;
use crate::run::Run;

/// Brings the box into a Tailscale network, and shares Immich with it.
pub fn run(run: &Run, arguments: &RemoteEnroll) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.answered(Answers::default().auth_key(&arguments.auth_key));
    let options = EnrollOptions {
        login_server: arguments.login_server.clone(),
        hostname: arguments.hostname.clone(),
        tags: arguments.tags.clone(),
        share: !arguments.no_share,
        timeout: Duration::from_secs(arguments.timeout),
    };
    Ok(Box::new(Told::new(enroll(&appliance, &options)?, text)))
}

pub(crate) fn text(enrolled: &Enrolled) -> String {
    let standing = &enrolled.remote.standing;
    let mut lines = vec![format!(
        "The box is {}enrolled with {}.",
        if enrolled.changed { "" } else { "already " },
        standing.server
    )];
    if let Some(immich) = &enrolled.remote.immich {
        lines.push(format!("{:10}{immich}", "immich"));
    }
    let addresses: Vec<_> = standing.addresses.iter().map(ToString::to_string).collect();
    if let Some(name) = &standing.name {
        lines.push(format!("{:10}{name}", "name"));
    }
    lines.push(format!("{:10}{}", "address", addresses.join(" or ")));
    if standing.state != TailnetState::Connected {
        lines.push(format!("{:10}{}", "state", standing.state.text()));
    }
    lines.extend(enrolled.hints.iter().cloned());
    lines.join("\n")
}
