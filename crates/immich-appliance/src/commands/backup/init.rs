//! `backup init`

use appliance_backup::{Joined, Location, Repository, Target};
use appliance_secret::{Secret, Source};
use serde::Serialize;

use crate::cli::BackupInit;
use crate::context::Context;
use crate::report::Report;
use crate::secrets;
use crate::steps::{placement, repository};

#[derive(Debug, Serialize)]
struct Initialised {
    repository: String,
    created: bool,
    password_file: std::path::PathBuf,
}

/// Creates the repository, or joins one that exists, and writes it down on the drive.
pub fn run(context: &Context, arguments: &BackupInit) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively_for_backup()?;
    context.require_mounted("set up the backup: its address and password are kept on the drive")?;
    let address = repository::address(context, &arguments.repository, &arguments.access)?;
    if let Location::Local(folder) = &address.location {
        placement::check(context, folder)?;
    }
    let password_file = context.repository_password_file();
    let password = if secrets::names_repository_password(&arguments.access) {
        secrets::repository_password_source(context.ui, &arguments.access)?
            .obtain("")?
            .secret
    } else {
        Source::File(password_file.clone()).obtain("")?.secret
    };
    let target = Target {
        address,
        password: password.to_secret_string()?,
    };
    let (opened, joined) = match Repository::init_or_join(&target, &repository::options(context)) {
        Err(appliance_backup::Error::WrongPassword { .. }) if context.ui.may_ask() => {
            // An older repository has its own password, which only the person knows.
            context
                .ui
                .say("There is a repository already, with another password than this drive's.");
            let typed = Source::Prompt.obtain("The repository's password: ")?.secret;
            return join_with(context, target, &typed);
        }
        other => other?,
    };
    keep(context, &target, &password)?;
    if joined == Joined::Created {
        show_password(context, &password)?;
    }
    Ok(Box::new(Initialised {
        repository: opened.location().to_owned(),
        created: joined == Joined::Created,
        password_file,
    }))
}

fn join_with(
    context: &Context,
    target: Target,
    password: &Secret,
) -> anyhow::Result<Box<dyn Report>> {
    let target = Target {
        password: password.to_secret_string()?,
        ..target
    };
    let opened = Repository::open(&target, &repository::options(context))?;
    keep(context, &target, password)?;
    Ok(Box::new(Initialised {
        repository: opened.location().to_owned(),
        created: false,
        password_file: context.repository_password_file(),
    }))
}

/// Writes address and password onto the drive.
pub fn keep(context: &Context, target: &Target, password: &Secret) -> anyhow::Result<()> {
    appliance_files::write_durably(
        &context.repository_password_file(),
        password.expose_bytes(),
        0o600,
    )?;
    target.address.save(&context.repository_address_file())?;
    Ok(())
}

/// Without this password a lost drive cannot be recovered, so it has to leave the drive.
fn show_password(context: &Context, password: &Secret) -> anyhow::Result<()> {
    let ui = context.ui;
    if !ui.may_ask() {
        ui.warn(format!(
            "the repository's password is only on this drive, in {}; keep a copy elsewhere, or \
             the backup cannot be opened when the drive is lost",
            context.repository_password_file().display()
        ));
        return Ok(());
    }
    ui.say("\nThis password opens the backup when the drive is lost. Write it on paper,");
    ui.say("beside the recovery key:\n");
    ui.say(format!("    {}\n", password.expose_text()?));
    loop {
        let typed = Source::Prompt
            .obtain("Type it back from the paper: ")?
            .secret;
        if typed.matches(password) {
            return Ok(());
        }
        ui.say("That is not the same.");
    }
}

impl Report for Initialised {
    fn text(&self) -> String {
        format!(
            "The repository {} is {}.\nNext: immich-appliance backup run (afterwards it runs by itself, daily)",
            self.repository,
            if self.created { "created" } else { "joined" }
        )
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
