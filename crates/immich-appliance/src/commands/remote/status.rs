//! `remote status`

use appliance::remote::{self, Remote};
use appliance_tailnet::standing::TailnetState;
use appliance_terminal::{Exit, Report, Told};
use serde::Serialize;

use crate::cli::RemoteStatus;
use crate::run::Run;

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    remote: Remote,
    next: Option<String>,
    /// What the alarm is for; there is none without `--alarm`.
    alarm: Option<String>,
}

/// Shows how the box is reached through its Tailscale network.
pub fn run(run: &Run, arguments: &RemoteStatus) -> anyhow::Result<Box<dyn Report>> {
    let remote = remote::look(&run.appliance())?;
    let trouble = remote.key_trouble();
    if let Some(trouble) = &trouble {
        run.ui.warn(trouble);
    }
    let status = Status {
        next: remote.next(),
        alarm: trouble.filter(|_| arguments.alarm),
        remote,
    };
    let exit = if status.alarm.is_some() {
        Exit::Failed
    } else {
        Exit::Done
    };
    Ok(Box::new(Told::new(status, text).with_exit(exit)))
}

fn text(status: &Status) -> String {
    let standing = &status.remote.standing;
    let mut lines = vec![format!("{:10}{}", "state", standing.state.text())];
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:10}{value}")));
    };
    if standing.state != TailnetState::NotEnrolled {
        let addresses: Vec<_> = standing.addresses.iter().map(ToString::to_string).collect();
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        line("immich", status.remote.immich.clone());
        line("name", standing.name.clone());
        line("address", filled(addresses.join(" or ")));
        line("server", Some(standing.server.clone()));
        line("tags", filled(standing.tags.join(", ")));
        let key = match (&standing.state, standing.key_expiry) {
            (TailnetState::KeyExpired, _) => "EXPIRED".to_owned(),
            (_, Some(expiry)) => format!("expires on {}", remote::day(expiry)),
            (_, None) => "does not expire".to_owned(),
        };
        line("key", Some(key));
    }
    for trouble in &standing.health {
        line("health", Some(trouble.clone()));
    }
    line("next", status.next.clone());
    lines.join("\n")
}
