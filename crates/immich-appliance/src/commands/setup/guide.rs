//! One stage with a person: says where it stands, asks, and runs the command that does it.

use appliance_config::CipherChoice;
use appliance_drive::inspect;

use super::facts::{Drive, Facts, Noted};
use super::stages::{Line, Progress};
use crate::cli::{
    AuthKey, BackupInit, BackupRun, Destruction, DriveCreate, NewDrive, Passphrase, RemoteEnroll,
    RepositoryAccess, Selected, Stage, Unlock,
};
use crate::commands::{backup, drive, remote, unlock};
use crate::context::Context;
use crate::report::{Report, size};
use crate::steps::create;

/// How long a person may take to open the link, in seconds.
const ENROLL_TIMEOUT: u64 = 600;

enum Answer {
    Now,
    Later,
    Never,
}

/// Leads through one stage.
pub fn guide(
    context: &Context,
    line: &Line,
    facts: &Facts,
    noted: &mut Noted,
) -> anyhow::Result<()> {
    let ui = context.ui;
    ui.say(format!("\n{}: {}.", title(line.stage), line.state));
    if line.progress != Progress::Open {
        return Ok(());
    }
    match ask(context, line.stage)? {
        Answer::Later => return Ok(()),
        Answer::Never => {
            noted.skipped.push(line.stage);
            return noted.save(context);
        }
        Answer::Now => {}
    }
    match line.stage {
        Stage::Drive => the_drive(context, facts),
        Stage::Backups => backups(context, facts),
        Stage::Remote => tailnet(context, facts),
        Stage::Kit => kit(context, facts, noted),
    }
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Drive => "Drive",
        Stage::Backups => "Backups",
        Stage::Remote => "Remote access",
        Stage::Kit => "Recovery sheet",
    }
}

fn ask(context: &Context, stage: Stage) -> anyhow::Result<Answer> {
    loop {
        let answer = context
            .ui
            .ask("Do it now? (yes, later, never)", "--skip")?
            .to_ascii_lowercase();
        return Ok(match answer.as_str() {
            "y" | "yes" => Answer::Now,
            "l" | "later" | "n" | "no" => Answer::Later,
            "never" => Answer::Never,
            _ => {
                context.ui.say(format!(
                    "Type yes, later, or never (then {} is not asked again).",
                    stage.name()
                ));
                continue;
            }
        });
    }
}

fn show(context: &Context, report: &dyn Report) {
    context.ui.say(report.text());
}

fn the_drive(context: &Context, facts: &Facts) -> anyhow::Result<()> {
    if facts.drive == Drive::None {
        let devices: Vec<_> = inspect::list(&context.system)?
            .into_iter()
            .filter(|device| inspect::refusal(device).is_none())
            .collect();
        if devices.is_empty() {
            context
                .ui
                .say("No drive is attached that could be used. Plug one in, then run setup again.");
            return Ok(());
        }
        for device in &devices {
            context.ui.say(format!(
                "  {}  {}  {}  {}",
                device.path.display(),
                size(device.size),
                device.model.as_deref().unwrap_or(""),
                create::describe(&device.content)
            ));
        }
        let device = context
            .ui
            .ask("Which one is to be erased and used", "drive create")?;
        let report = drive::create::run(
            context,
            &DriveCreate {
                device: device.into(),
                new_drive: NewDrive {
                    encryption: None,
                    cipher: CipherChoice::Auto,
                    recovery_key_file: None,
                },
                passphrase: Passphrase::default(),
                destruction: Destruction::default(),
            },
        )?;
        show(context, report.as_ref());
    }
    let report = unlock::run(
        context,
        &Unlock {
            start: true,
            drive: Selected::default(),
            passphrase: Passphrase::default(),
            unencrypted_only: false,
        },
    )?;
    show(context, report.as_ref());
    Ok(())
}

fn backups(context: &Context, facts: &Facts) -> anyhow::Result<()> {
    if facts.drive != Drive::Open {
        context
            .ui
            .say("The drive has to be open for this: do the drive first.");
        return Ok(());
    }
    if !facts.repository {
        let repository = context.ui.ask(
            "Where to: s3:https://host/bucket, or a folder on another drive",
            "backup init",
        )?;
        let report = backup::init::run(
            context,
            &BackupInit {
                repository,
                access: RepositoryAccess::default(),
            },
        )?;
        show(context, report.as_ref());
    }
    let report = backup::run::run(
        context,
        &BackupRun {
            scope: None,
            if_older_than: None,
        },
    )?;
    show(context, report.as_ref());
    Ok(())
}

fn tailnet(context: &Context, facts: &Facts) -> anyhow::Result<()> {
    if facts.tailnet.is_none() {
        context.ui.say(
            "Tailscale is not installed on this box. On NixOS: \
             services.immich-appliance.remote.tailscale.enable = true.",
        );
        return Ok(());
    }
    let folder = &context.settings.state.directory;
    let key = folder.join(appliance_first_boot::apply::TAILSCALE_KEY);
    let server = folder.join(appliance_first_boot::apply::TAILSCALE_SERVER);
    let login_server = std::fs::read_to_string(&server).ok();
    let report = remote::enroll::run(
        context,
        &RemoteEnroll {
            // The one that came on the card, if any; else a link is shown.
            auth_key: AuthKey {
                auth_key_file: key.exists().then(|| key.clone()),
                auth_key_fd: None,
            },
            login_server: login_server.map(|address| address.trim().to_owned()),
            hostname: None,
            tags: Vec::new(),
            no_share: false,
            timeout: ENROLL_TIMEOUT,
        },
    )?;
    show(context, report.as_ref());
    appliance_files::remove_durably(&key)?;
    Ok(())
}

/// The sheet tells where things are; the two secrets on it are written by hand.
fn kit(context: &Context, facts: &Facts, noted: &mut Noted) -> anyhow::Result<()> {
    let repository = facts.backed_up.as_deref().unwrap_or("(no backup yet)");
    context.ui.say(format!(
        "\nKeep a sheet of paper where neither the box nor the drive is, with:\n\n\
         \x20 the drive          {}\n\
         \x20 its recovery key   (shown when the drive was made)\n\
         \x20 the backup         {repository}\n\
         \x20 its password       (shown when the backup was set up)\n\
         \x20 after a loss       immich-appliance recover --drive DEVICE --from {repository}\n",
        facts.uuid.as_deref().unwrap_or("(none yet)")
    ));
    let answer = context
        .ui
        .ask("Type kept once it is where it belongs", "--skip kit")?;
    if answer.trim().eq_ignore_ascii_case("kept") {
        noted.kit = true;
        noted.save(context)?;
    }
    Ok(())
}
