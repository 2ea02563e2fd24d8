//! The first boot: what the card's settings file says becomes so, and the console shows where
//! the box is.

use std::path::Path;

use appliance_files::write_durably;
use appliance_first_boot::apply::Machine;
use appliance_first_boot::console::{Greeting, issue};
use appliance_first_boot::{Record, take_over};
use jiff::Zoned;

use crate::error::{Context as _, in_one_line};
use crate::{Appliance, Result};

/// Takes over a new settings file, if there is one; `None` where there is none. Done at every
/// boot.
///
/// # Errors
/// When the file is wrong or a step failed; it is told on the card and on the console, too.
pub fn first_boot(appliance: &Appliance) -> Result<Option<Record>> {
    let settings = &appliance.settings.first_boot;
    let machine = machine(appliance);
    let now = Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string();
    let outcome = take_over(&appliance.paths.card, &machine, &now);
    let said = outcome.as_ref().err().map(|error| in_one_line(error));
    let knows_a_drive = appliance
        .memory()
        .is_ok_and(|memory| memory.drive.is_some());
    let greeting = Greeting {
        user: &settings.user,
        port: appliance.port(),
        somebody_can_sign_in: somebody_can_sign_in(&machine),
        next: if knows_a_drive {
            "immich-appliance unlock --start"
        } else {
            "immich-appliance setup"
        },
        error: said.as_deref(),
    };
    // A screen that shows nothing must not stop the box.
    if let Err(error) = show(&appliance.paths.issue, &greeting) {
        appliance.warn(in_one_line(&error));
    }
    outcome.context("the settings on the card were not taken over")
}

/// What the settings are applied to.
pub(crate) fn machine(appliance: &Appliance) -> Machine {
    let settings = &appliance.settings.first_boot;
    Machine {
        root: "/".into(),
        user: settings.user.clone(),
        keys_file: settings.keys_file.clone(),
        password_sign_in_file: settings.password_sign_in_file.clone(),
        state: appliance.paths.state.clone(),
    }
}

fn show(path: &Path, greeting: &Greeting<'_>) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(write_durably(path, issue(greeting).as_bytes(), 0o644)?)
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
