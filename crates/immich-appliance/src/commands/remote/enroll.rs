//! `remote enroll`

use std::time::Duration;

use appliance_tailnet::enrol::Wanted;
use appliance_tailnet::standing::{KeyAge, State, TAILSCALE, same_server};
use appliance_tailnet::{Happening, Shared};
use serde::Serialize;

use crate::cli::RemoteEnroll;
use crate::context::Context;
use crate::report::Report;
use crate::secrets;
use crate::steps::remote::{self, Remote};
use crate::ui::Ui;

#[derive(Debug, Serialize)]
struct Enrolled {
    changed: bool,
    #[serde(flatten)]
    remote: Remote,
    /// What a person should know or can still do.
    hints: Vec<String>,
}

/// Brings the box into a Tailscale network, and shares Immich with it.
pub fn run(context: &Context, arguments: &RemoteEnroll) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively_for_remote()?;
    let wanted = Wanted::new(
        arguments.login_server.as_deref(),
        arguments.hostname.as_deref(),
        &arguments.tags,
    )?;
    let key = secrets::auth_key(context.ui, &arguments.auth_key)?;
    let tailnet = remote::tailnet(context)?;
    let ui = context.ui;
    let timeout = Duration::from_secs(arguments.timeout);
    let waiting = ui.bars().wait("waiting for the Tailscale network");
    let enrolled = tailnet.enrol(&wanted, key.as_ref(), timeout, &mut |happening| {
        waiting.suspend(|| tell(ui, &happening));
        // With --no-input there is nobody to wait for.
        ui.accepts_input()
    });
    waiting.finish_and_clear();
    let enrolled = enrolled?;

    let mut hints = Vec::new();
    let mut changed = enrolled.changed;
    if arguments.no_share {
        changed |= tailnet.unshare(remote::target(context))?;
    } else {
        let shared = tailnet.share(remote::target(context))?;
        changed |= shared.changed;
        hints.extend(https_hint(&shared, &enrolled.standing.server));
    }
    let remote = remote::look(context)?;
    if let Some(trouble) = remote.key_trouble() {
        ui.warn(&trouble);
    }
    if let (KeyAge::Fine, Some(expiry)) = (remote.key, remote.standing.key_expiry) {
        hints.push(format!(
            "The box's key expires on {}. To keep it: {}.",
            remote::day(expiry),
            remote::KEEP
        ));
    }
    Ok(Box::new(Enrolled {
        changed,
        remote,
        hints,
    }))
}

fn tell(ui: Ui, happening: &Happening) {
    match happening {
        Happening::Link(link) => {
            ui.say("\nOpen this on any device, sign in, and the box joins your network:\n");
            ui.say(format!("    {link}\n"));
            ui.show_qr_code(link);
        }
        Happening::NeedsApproval => {
            ui.say(format!(
                "The network wants the box approved: {}.",
                remote::APPROVE
            ));
        }
    }
}

fn https_hint(shared: &Shared, server: &str) -> Option<String> {
    if shared.https {
        return None;
    }
    Some(if same_server(server, TAILSCALE) {
        "This network gives no certificates yet, so Immich is shared by HTTP (inside the network's \
         own encryption). For HTTPS: in the admin console, DNS, enable MagicDNS and HTTPS \
         Certificates; then immich-appliance remote enroll."
            .to_owned()
    } else {
        format!(
            "{server} gives no certificates, so Immich is shared by HTTP, inside the network's own \
             encryption."
        )
    })
}

impl Report for Enrolled {
    fn text(&self) -> String {
        let standing = &self.remote.standing;
        let mut lines = vec![format!(
            "The box is {}enrolled with {}.",
            if self.changed { "" } else { "already " },
            standing.server
        )];
        if let Some(immich) = &self.remote.immich {
            lines.push(format!("{:10}{immich}", "immich"));
        }
        let addresses: Vec<_> = standing.addresses.iter().map(ToString::to_string).collect();
        if let Some(name) = &standing.name {
            lines.push(format!("{:10}{name}", "name"));
        }
        lines.push(format!("{:10}{}", "address", addresses.join(" or ")));
        if standing.state != State::Connected {
            lines.push(format!("{:10}{}", "state", standing.state.text()));
        }
        lines.extend(self.hints.iter().cloned());
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
