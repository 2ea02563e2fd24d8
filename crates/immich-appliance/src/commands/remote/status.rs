//! `remote status`

use appliance_tailnet::standing::State;
use serde::Serialize;

use crate::cli::RemoteStatus;
use crate::context::Context;
use crate::exit::Exit;
use crate::report::Report;
use crate::steps::remote::{self, Remote};

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    remote: Remote,
    next: Option<String>,
    /// What the alarm is for; there is none without `--alarm`.
    alarm: Option<String>,
}

/// Shows how the box is reached through its Tailscale network.
pub fn run(context: &Context, arguments: &RemoteStatus) -> anyhow::Result<Box<dyn Report>> {
    let remote = remote::look(context)?;
    let trouble = remote.key_trouble();
    if let Some(trouble) = &trouble {
        context.ui.warn(trouble);
    }
    Ok(Box::new(Status {
        next: remote.next(),
        alarm: trouble.filter(|_| arguments.alarm),
        remote,
    }))
}

impl Report for Status {
    fn text(&self) -> String {
        let standing = &self.remote.standing;
        let mut lines = vec![format!("{:10}{}", "state", standing.state.text())];
        let mut line = |name: &str, value: Option<String>| {
            lines.extend(value.map(|value| format!("{name:10}{value}")));
        };
        if standing.state != State::NotEnrolled {
            let addresses: Vec<_> = standing.addresses.iter().map(ToString::to_string).collect();
            line("immich", self.remote.immich.clone());
            line("name", standing.name.clone());
            line(
                "address",
                Some(addresses.join(" or ")).filter(|it| !it.is_empty()),
            );
            line("server", Some(standing.server.clone()));
            line(
                "tags",
                Some(standing.tags.join(", ")).filter(|it| !it.is_empty()),
            );
            let key = standing.key_expiry.map_or_else(
                || "does not expire".to_owned(),
                |expiry| format!("expires on {}", remote::day(expiry)),
            );
            let key = if standing.state == State::KeyExpired {
                "EXPIRED".to_owned()
            } else {
                key
            };
            line("key", Some(key));
        }
        for trouble in &standing.health {
            line("health", Some(trouble.clone()));
        }
        line("next", self.next.clone());
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn exit(&self) -> Exit {
        if self.alarm.is_some() {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}
