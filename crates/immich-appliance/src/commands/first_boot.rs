//! `first-boot`: what the card's settings file says becomes so, and the console shows where the
//! box is. Run by systemd at every boot; without a new file it changes nothing.

use std::path::Path;

use anyhow::Context as _;
use appliance_first_boot::apply::Machine;
use appliance_first_boot::console::{Greeting, issue};
use appliance_first_boot::{Record, take_over};
use jiff::Zoned;
use serde::Serialize;

use crate::context::Context;
use crate::report::Report;

/// Read by the console before anyone signs in.
const ISSUE: &str = "/run/issue.d/immich-appliance.issue";

#[derive(Debug, Serialize)]
struct Booted {
    /// What was taken over; `null` without a new file.
    taken_over: Option<Record>,
}

/// Takes over a new settings file, if there is one.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let first_boot = &context.settings.first_boot;
    let machine = Machine {
        root: "/".into(),
        user: first_boot.user.clone(),
        keys_file: first_boot.keys_file.clone(),
        password_sign_in_file: first_boot.password_sign_in_file.clone(),
        state: context.settings.state.directory.clone(),
    };
    let now = Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string();
    let outcome = take_over(&first_boot.folder, &machine, &now);
    let said = outcome.as_ref().err().map(|error| chain(error));
    let greeting = Greeting {
        user: &first_boot.user,
        port: port(&context.settings.immich.url),
        somebody_can_sign_in: somebody_can_sign_in(&machine),
        next: if context.state().is_ok_and(|state| state.drive.is_some()) {
            "immich-appliance unlock --start"
        } else {
            "immich-appliance setup"
        },
        error: said.as_deref(),
    };
    // A screen that shows nothing must not stop the box.
    if let Err(error) = show(&greeting) {
        context.ui.warn(format!("{error:#}"));
    }
    let taken_over = outcome.context("the settings on the card were not taken over")?;
    Ok(Box::new(Booted { taken_over }))
}

fn show(greeting: &Greeting<'_>) -> anyhow::Result<()> {
    let path = Path::new(ISSUE);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    appliance_files::write_durably(path, issue(greeting).as_bytes(), 0o644)?;
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

/// Whether the user has a key, or a password that opens.
fn somebody_can_sign_in(machine: &Machine) -> bool {
    let has = |path: &Path| std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    if machine.password_sign_in_file.as_deref().is_some_and(has) {
        return true;
    }
    if machine.keys_file.as_deref().is_some_and(has)
        || has(&Path::new("/etc/ssh/authorized_keys.d").join(&machine.user))
    {
        return true;
    }
    nix::unistd::User::from_name(&machine.user)
        .ok()
        .flatten()
        .is_some_and(|user| has(&user.dir.join(".ssh/authorized_keys")))
}

fn port(url: &str) -> u16 {
    url.rsplit(':')
        .next()
        .and_then(|port| port.trim_end_matches('/').parse().ok())
        .unwrap_or(2283)
}

impl Report for Booted {
    fn text(&self) -> String {
        match &self.taken_over {
            None => String::new(),
            Some(record) => format!("taken over from the card: {}", record.done.join(", ")),
        }
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
