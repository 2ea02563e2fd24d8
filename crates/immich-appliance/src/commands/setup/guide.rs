//! One stage with a person: says where it stands, asks, and has the library do it.

use std::time::Duration;

use appliance::backup::init::init;
use appliance::backup::run::{Backup, RunOptions, run as back_up};
use appliance::drive::create::{CreateOptions, NewDrive, create};
use appliance::drive::info::{describe, list};
use appliance::drive::unlock::{UnlockOptions, unlock};
use appliance::health::{Condition, DriveCondition};
use appliance::remote::{EnrollOptions, enroll};
use appliance::setup::{Decisions, Stage, StageLine, StageProgress};
use appliance_config::CipherChoice;
use appliance_drive::inspect;
use appliance_terminal::size;

use crate::cli::RepositoryAccess;
use crate::commands::{backup, drive, remote, unlock as unlock_command};
use crate::run::Run;

/// How long a person may take to open the link.
const ENROLL_TIMEOUT: Duration = Duration::from_secs(600);

enum Reply {
    Now,
    Later,
    Never,
}

/// Leads through one stage.
pub fn guide(
    run: &Run,
    line: &StageLine,
    condition: &Condition,
    decisions: &mut Decisions,
) -> anyhow::Result<()> {
    let ui = run.ui;
    ui.say(format!("\n{}: {}.", title(line.stage), line.state));
    if line.progress != StageProgress::Open {
        return Ok(());
    }
    match ask(run, line.stage)? {
        Reply::Later => return Ok(()),
        Reply::Never => {
            decisions.skipped.push(line.stage);
            return Ok(decisions.save(&run.appliance())?);
        }
        Reply::Now => {}
    }
    match line.stage {
        Stage::Drive => the_drive(run, condition),
        Stage::Backups => backups(run, condition),
        Stage::Remote => tailnet(run, condition),
        Stage::Kit => kit(run, condition, decisions),
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

fn ask(run: &Run, stage: Stage) -> anyhow::Result<Reply> {
    loop {
        let answer = run.ui.ask("Do it now? (yes, later, never)", "--skip")?;
        return Ok(match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Reply::Now,
            "l" | "later" | "n" | "no" => Reply::Later,
            "never" => Reply::Never,
            _ => {
                run.ui.say(format!(
                    "Type yes, later, or never (then you are not asked about {} again).",
                    stage.name()
                ));
                continue;
            }
        });
    }
}

fn the_drive(run: &Run, condition: &Condition) -> anyhow::Result<()> {
    let (ui, appliance) = (run.ui, run.appliance());
    let has_none =
        matches!(condition.drive, DriveCondition::Absent(_)) && condition.remembered.is_none();
    if has_none {
        let mut devices = list(&appliance)?;
        devices.retain(|device| inspect::refusal(device).is_none());
        if devices.is_empty() {
            ui.say("No usable drive is attached. Plug one in, then run setup again.");
            return Ok(());
        }
        for device in &devices {
            ui.say(format!(
                "  {}  {}  {}  {}",
                device.path.display(),
                size(device.size),
                device.model.as_deref().unwrap_or(""),
                describe(&device.content)
            ));
        }
        let device = ui.ask("Which one should be erased and used", "drive create")?;
        let options = CreateOptions {
            device: device.into(),
            how: NewDrive {
                encryption: run.settings.drive.encryption,
                cipher: CipherChoice::Auto,
            },
        };
        ui.say(drive::create::text(&create(&appliance, &options)?));
    }
    let options = UnlockOptions {
        start: true,
        ..UnlockOptions::default()
    };
    if let Some(unlocked) = unlock(&appliance, &options)? {
        ui.say(unlock_command::text(&unlocked));
    }
    Ok(())
}

fn backups(run: &Run, condition: &Condition) -> anyhow::Result<()> {
    let (ui, appliance) = (run.ui, run.appliance());
    if !condition.drive.is_mounted() {
        ui.say("The drive must be unlocked for this: do the drive stage first.");
        return Ok(());
    }
    if condition.backup.repository.is_none() {
        let address = ui.ask(
            "Where to: s3:https://host/bucket, or a folder on another drive",
            "backup init",
        )?;
        let named = RepositoryAccess::default().named(&address, ui)?;
        ui.say(backup::init::text(&init(&appliance, &named)?));
    }
    if let Backup::Made(made) = back_up(&appliance, &RunOptions::default())? {
        ui.say(backup::run::text(&made));
    }
    Ok(())
}

fn tailnet(run: &Run, condition: &Condition) -> anyhow::Result<()> {
    if condition.remote.is_none() {
        run.ui.say(
            "Tailscale is not running on this box. On NixOS: \
             services.immich-appliance.remote.tailscale.enable = true.",
        );
        return Ok(());
    }
    let options = EnrollOptions {
        login_server: None,
        hostname: None,
        tags: Vec::new(),
        share: true,
        timeout: ENROLL_TIMEOUT,
    };
    let enrolled = enroll(&run.appliance(), &options)?;
    run.ui.say(remote::enroll::text(&enrolled));
    Ok(())
}

/// The sheet tells where things are; the two secrets on it are written by hand.
fn kit(run: &Run, condition: &Condition, decisions: &mut Decisions) -> anyhow::Result<()> {
    let drive = condition.drive.found().map(|found| found.uuid);
    let drive = drive.or(condition.remembered.as_ref().map(|drive| drive.known.uuid));
    let drive = drive.map_or_else(|| "(none yet)".to_owned(), |uuid| uuid.to_string());
    let repository = condition
        .backup
        .last_good
        .as_ref()
        .and(condition.backup.repository.as_deref())
        .unwrap_or("(no backup yet)");
    run.ui.say(format!(
        "\nKeep a sheet of paper away from the box and the drive, with:\n\n\
         \x20 the drive          {drive}\n\
         \x20 its recovery key   (shown when the drive was made)\n\
         \x20 the backup         {repository}\n\
         \x20 its password       (shown when the backup was set up)\n\
         \x20 after a loss       immich-appliance recover --drive DEVICE --from {repository}\n"
    ));
    let answer = run
        .ui
        .ask("Type kept once it is in a safe place", "--skip kit")?;
    if answer.trim().eq_ignore_ascii_case("kept") {
        decisions.kit = true;
        decisions.save(&run.appliance())?;
    }
    Ok(())
}
