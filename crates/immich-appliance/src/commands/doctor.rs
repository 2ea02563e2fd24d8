//! `doctor`: looks for what is wrong and says how to mend it.

mod tailnet;

use appliance_drive::layout;
use appliance_drive::luks;
use appliance_drive::mount;
use appliance_drive::state::DriveState;
use appliance_immich::{dump, media};
use appliance_services::{ActiveState, LoadState, Manager};
use jiff::{Timestamp, Unit};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::Doctor;
use crate::context::Context;
use crate::exit::Exit;
use crate::report::Report;
use crate::steps::{open, services};

/// A backup older than this many hours is told of: the timer runs daily.
const BACKUP_AGE_HOURS: f64 = 50.0;
/// Less free space than this share of the drive is told of.
const LITTLE_SPACE: f64 = 0.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Good,
    Mended,
    Notice,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    detail: String,
    mend: Option<String>,
}

#[derive(Debug, Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

/// Looks for what is wrong.
pub fn run(context: &Context, arguments: &Doctor) -> anyhow::Result<Box<dyn Report>> {
    let mut findings = Findings {
        findings: Vec::new(),
    };
    let state = context.observe(None)?;
    let mounted = matches!(state, DriveState::Mounted { .. });
    findings.drive(context, state);
    findings.units(context);
    if mounted {
        findings.layout(context, arguments.mend);
        findings.media(context, arguments.mend);
        findings.database(context);
        findings.dumps(context);
        findings.space(context);
    }
    findings.backup(context);
    findings.tailnet(context);
    Ok(Box::new(findings))
}

impl Findings {
    fn add(
        &mut self,
        what: &'static str,
        verdict: Verdict,
        detail: impl Into<String>,
        mend: Option<&str>,
    ) {
        self.findings.push(Finding {
            what,
            verdict,
            detail: detail.into(),
            mend: mend.map(str::to_owned),
        });
    }

    /// An error while looking is a finding too.
    fn look(&mut self, what: &'static str, look: impl FnOnce(&mut Self) -> anyhow::Result<()>) {
        if let Err(error) = look(self) {
            self.add(what, Verdict::Bad, format!("{error:#}"), None);
        }
    }

    fn drive(&mut self, context: &Context, state: DriveState) {
        const UNLOCK: Option<&str> = Some("immich-appliance unlock --start");
        let found = match state {
            DriveState::Absent(error) => {
                return self.add(
                    "drive",
                    Verdict::Bad,
                    error.to_string(),
                    Some("immich-appliance drive list"),
                );
            }
            DriveState::Gone { .. } => {
                return self.add(
                    "drive",
                    Verdict::Bad,
                    "it was unplugged while it was in use",
                    UNLOCK,
                );
            }
            DriveState::Occupied { by } => {
                return self.add(
                    "drive",
                    Verdict::Bad,
                    format!("{by} stands in its place"),
                    None,
                );
            }
            DriveState::Locked(found) | DriveState::Unlocked { found, .. } => {
                self.add(
                    "drive",
                    Verdict::Notice,
                    "attached, and not mounted",
                    UNLOCK,
                );
                found
            }
            DriveState::Mounted { found, mount } if mount.read_only => {
                self.add(
                    "drive",
                    Verdict::Bad,
                    "mounted read-only: the kernel saw errors on it",
                    Some("immich-appliance lock, then immich-appliance unlock --start checks it"),
                );
                found
            }
            DriveState::Mounted { found, .. } => {
                self.add(
                    "drive",
                    Verdict::Good,
                    format!("{} is mounted", found.device.path.display()),
                    None,
                );
                self.look("unplugging", |findings| {
                    findings.unplugging(context, found.uuid)
                });
                found
            }
        };
        if found.encrypted {
            self.look("header", |findings| findings.header(context, &found));
        }
    }

    /// Whether systemd knows what to do when the drive is pulled out.
    fn unplugging(&mut self, context: &Context, uuid: Uuid) -> anyhow::Result<()> {
        let target = mount::binding(context.mount_point(), uuid).target;
        let states = context.systemd()?.states(&[&target])?;
        if states.iter().all(|unit| unit.active == ActiveState::Active) {
            let detail = "a drive that is pulled out stops Immich";
            self.add("unplugging", Verdict::Good, detail, None);
        } else {
            self.add(
                "unplugging",
                Verdict::Bad,
                format!("pulling the drive out will not stop Immich: {target} does not run"),
                Some("immich-appliance unlock"),
            );
        }
        Ok(())
    }

    fn header(
        &mut self,
        context: &Context,
        found: &appliance_drive::find::Found,
    ) -> anyhow::Result<()> {
        let info = luks::info(&found.device.path)?;
        let total = appliance_drive::luks::memory_available_kib()?;
        if info.memory_needed_kib() > total {
            self.add(
                "header",
                Verdict::Notice,
                format!(
                    "unlocking asks for {} MiB of memory, and {} MiB are free",
                    info.memory_needed_kib() / 1024,
                    total / 1024
                ),
                Some("immich-appliance drive passphrase change makes a keyslot for this machine"),
            );
        }
        if context.header_backup_file(found.uuid).exists() {
            self.add("header", Verdict::Good, "a copy is on this box", None);
        } else {
            self.add(
                "header",
                Verdict::Bad,
                "no copy of it is on this box",
                Some("immich-appliance unlock makes one"),
            );
        }
        if info.keyslots.len() < 2 {
            self.add(
                "keyslots",
                Verdict::Notice,
                "only one passphrase opens the drive",
                Some("immich-appliance drive passphrase add"),
            );
        }
        Ok(())
    }

    fn units(&mut self, context: &Context) {
        self.look("units", |findings| {
            let settings = &context.settings.services;
            let systemd = context.systemd()?;
            let mut good = true;
            let names: Vec<&str> = settings
                .units
                .iter()
                .chain([&settings.target])
                .map(String::as_str)
                .collect();
            for unit in systemd.states(&names)? {
                let name = &unit.name;
                if unit.load != LoadState::Loaded {
                    good = false;
                    findings.add(
                        "units",
                        Verdict::Bad,
                        format!("{name} is not installed"),
                        None,
                    );
                } else if unit.active == ActiveState::Failed {
                    good = false;
                    findings.add(
                        "units",
                        Verdict::Bad,
                        format!("{name} failed ({})", systemd.unit(name)?.result),
                        Some("journalctl -b -u UNIT says why; immich-appliance start tries again"),
                    );
                }
            }
            if good {
                findings.add(
                    "units",
                    Verdict::Good,
                    "all are installed, and none failed",
                    None,
                );
            }
            Ok(())
        });
    }

    fn layout(&mut self, context: &Context, mend: bool) {
        self.look("folders", |findings| {
            let found = layout::check(context.mount_point(), &context.owners()?)?;
            if found.is_empty() {
                findings.add("folders", Verdict::Good, "all are there", None);
            } else if mend {
                open::put_in_order(context)?;
                findings.add(
                    "folders",
                    Verdict::Mended,
                    format!("{} put in order", found.len()),
                    None,
                );
            } else {
                findings.add(
                    "folders",
                    Verdict::Bad,
                    format!("{} are missing or closed to their owner", found.len()),
                    Some("immich-appliance doctor --mend"),
                );
            }
            Ok(())
        });
    }

    fn media(&mut self, context: &Context, mend: bool) {
        self.look("media", |findings| {
            let (root, owner) = (context.settings.media_path(), context.immich_owner()?);
            let found = media::check(&root, owner)?;
            if found.is_empty() {
                findings.add(
                    "media",
                    Verdict::Good,
                    "folders and markers are there",
                    None,
                );
            } else if mend {
                media::mend(&root, owner)?;
                findings.add(
                    "media",
                    Verdict::Mended,
                    format!("{} put in order", found.len()),
                    None,
                );
            } else {
                for finding in found {
                    findings.add(
                        "media",
                        Verdict::Bad,
                        finding.to_string(),
                        Some("immich-appliance doctor --mend"),
                    );
                }
            }
            Ok(())
        });
    }

    fn database(&mut self, context: &Context) {
        self.look("originals", |findings| {
            let units = &context.settings.services.database_units;
            let running = services::all_run(context, units)?;
            if !running {
                findings.add(
                    "originals",
                    Verdict::Notice,
                    "not looked for: the database does not run",
                    Some("immich-appliance start, then doctor again"),
                );
                return Ok(());
            }
            let originals = context
                .database()?
                .missing_originals(&context.settings.media_path())?;
            if originals.missing.is_empty() {
                findings.add(
                    "originals",
                    Verdict::Good,
                    format!(
                        "all {} that the database knows are on the drive",
                        originals.checked
                    ),
                    None,
                );
            }
            for missing in originals.missing {
                findings.add(
                    "originals",
                    Verdict::Bad,
                    format!("{} is missing", missing.path.display()),
                    Some("immich-appliance backup restore latest PATH --to FOLDER"),
                );
            }
            Ok(())
        });
    }

    fn dumps(&mut self, context: &Context) {
        self.look("dumps", |findings| {
            let folder = context.settings.media_path().join("backups");
            let mut whole = 0;
            for entry in std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(Result::ok)
            {
                let name = entry.file_name();
                if !name
                    .to_str()
                    .is_some_and(appliance_immich::database::is_routine_dump)
                {
                    continue;
                }
                match dump::verify_file(&entry.path()) {
                    Ok(_) => whole += 1,
                    Err(why) => findings.add(
                        "dumps",
                        Verdict::Bad,
                        format!("{} {why}", entry.path().display()),
                        Some("remove it; immich-appliance backup run makes a new one"),
                    ),
                }
            }
            findings.add(
                "dumps",
                Verdict::Good,
                format!("{whole} database dumps are complete"),
                None,
            );
            Ok(())
        });
    }

    fn space(&mut self, context: &Context) {
        self.look("space", |findings| {
            let usage = appliance_drive::usage::usage(context.mount_point())?;
            // Precision does not matter for a share.
            #[allow(clippy::cast_precision_loss)]
            let share = usage.available as f64 / usage.total.max(1) as f64;
            let detail = format!("{} free", crate::report::size(usage.available));
            let verdict = if share < LITTLE_SPACE {
                Verdict::Bad
            } else {
                Verdict::Good
            };
            findings.add("space", verdict, detail, None);
            Ok(())
        });
    }

    fn backup(&mut self, context: &Context) {
        self.look("backup", |findings| {
            let state = context.state()?;
            if let Some(failed) = state
                .last_failed_backup
                .as_ref()
                .filter(|_| state.is_last_backup_failed())
            {
                findings.add(
                    "backup",
                    Verdict::Bad,
                    format!("the last one failed: {}", failed.reason),
                    Some("immich-appliance backup run"),
                );
            }
            let Some(good) = state.last_good_backup else {
                findings.add(
                    "backup",
                    Verdict::Bad,
                    "there is none yet",
                    Some(
                        "immich-appliance backup init REPOSITORY, then immich-appliance backup run",
                    ),
                );
                return Ok(());
            };
            let age = (Timestamp::now() - good.time).total(Unit::Hour)?;
            if age > BACKUP_AGE_HOURS {
                findings.add(
                    "backup",
                    Verdict::Bad,
                    format!("the last good one is {age:.0} hours old"),
                    Some("immich-appliance backup run"),
                );
            } else {
                findings.add(
                    "backup",
                    Verdict::Good,
                    format!("the last good one is {age:.0} hours old"),
                    None,
                );
            }
            Ok(())
        });
    }
}

impl Report for Findings {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.findings {
            let mark = match finding.verdict {
                Verdict::Good => "ok",
                Verdict::Mended => "mended",
                Verdict::Notice => "note",
                Verdict::Bad => "BAD",
            };
            lines.push(format!("{mark:8}{:10}{}", finding.what, finding.detail));
            if let Some(mend) = &finding.mend {
                lines.push(format!("{:18}to mend: {mend}", ""));
            }
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn exit(&self) -> Exit {
        if self
            .findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Bad)
        {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}
