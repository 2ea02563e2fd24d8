//! `recover`: from a blank drive and a repository to a running Immich.

mod steps;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use appliance_backup::snapshot::{self, Snapshot};
use appliance_backup::{Repository, Target};
use appliance_drive::find::{FindError, Wanted as WantedDrive};
use appliance_drive::layout::{self, Cluster};
use appliance_drive::state::DriveState;
use appliance_immich::dump::VerifiedDump;
use appliance_recovery::progress::{self, Progress};
use appliance_recovery::{Comparison, Found, Refusal, Step, Wanted, plan};
use appliance_secret::Source;
use serde::Serialize;

use crate::cli::{EncryptionChoice, Recover};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::{Report, size};
use crate::secrets;
use crate::steps::{open, repository};

/// What a recovery works with.
pub(crate) struct Recovery<'a> {
    context: &'a Context,
    arguments: &'a Recover,
    repository: Repository,
    target: Target,
    snapshot: Snapshot,
    passphrase: Source,
    /// The dump that was loaded.
    dump: Option<VerifiedDump>,
    recovered: Recovered,
}

/// What was recovered.
#[derive(Debug, Default, Serialize)]
struct Recovered {
    repository: String,
    snapshot: String,
    snapshot_time: String,
    dump: Option<PathBuf>,
    files_restored: u64,
    files_kept: u64,
    bytes: u64,
    counts: Comparison,
    missing_originals: Vec<PathBuf>,
    address: Vec<String>,
}

/// Rebuilds everything on a blank drive from a backup.
///
/// The repository is opened and the snapshot found before the drive is touched.
pub fn run(context: &Context, arguments: &Recover) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    let _backups = context.exclusively_for_backup()?;
    let target = Target {
        address: repository::address(context, &arguments.from, &arguments.access)?,
        password: secrets::repository_password_source(context.ui, &arguments.access)?
            .obtain("The repository's password: ")?
            .secret
            .to_secret_string()?,
    };
    let repository = Repository::open(&target, &repository::options(context))?;
    let snapshot = snapshot::find(&repository, &arguments.snapshot)?;
    context.ui.say(format!(
        "Recovering snapshot {} of {} from {}.",
        snapshot.short_id(),
        snapshot.time.strftime("%Y-%m-%d %H:%M"),
        repository.location()
    ));
    let mut recovery = Recovery {
        context,
        arguments,
        passphrase: match arguments.new_drive.encryption {
            EncryptionChoice::None => Source::Prompt,
            EncryptionChoice::Luks2 => {
                secrets::passphrase_source(context.ui, &arguments.passphrase)?
            }
        },
        dump: None,
        recovered: Recovered {
            repository: repository.location().to_owned(),
            snapshot: snapshot.id.clone(),
            snapshot_time: snapshot.time.to_string(),
            ..Recovered::default()
        },
        repository,
        target,
        snapshot,
    };
    recovery.carry_out()?;
    Ok(Box::new(recovery.recovered))
}

impl Recovery<'_> {
    fn carry_out(&mut self) -> anyhow::Result<()> {
        let wanted = Wanted {
            repository: self.recovered.repository.clone(),
            snapshot: self.snapshot.id.clone(),
        };
        let found = self.look(&wanted)?;
        let steps = plan(&found, &wanted).map_err(|refusal| self.refused(&refusal))?;
        let mut noted = match found {
            Found::Begun(progress) => {
                self.context
                    .ui
                    .say("A recovery onto this drive was begun before; going on with it.");
                progress
            }
            Found::NotOurs | Found::Library => Progress {
                repository: wanted.repository,
                snapshot: wanted.snapshot,
                done: Vec::new(),
            },
        };
        let count = steps.len();
        for (number, step) in steps.into_iter().enumerate() {
            self.context
                .ui
                .say(format!("[{}/{count}] {} …", number + 1, step.title()));
            self.take(step)
                .with_context(|| format!("the recovery stopped while {}", step.title()))?;
            if step.is_lasting() {
                noted.done.push(step);
                progress::write(self.context.mount_point(), &noted)?;
            }
        }
        progress::clear(self.context.mount_point())?;
        Ok(())
    }

    /// What is on the drive: it is opened to find out, if it can be.
    fn look(&self, wanted: &Wanted) -> anyhow::Result<Found> {
        let drive = WantedDrive::Path(self.arguments.drive.clone());
        let state = self.context.observe(Some(&drive))?;
        let state = match state {
            DriveState::Gone { .. } => {
                open::clear_gone(self.context)?;
                self.context.observe(Some(&drive))?
            }
            state => state,
        };
        match state {
            DriveState::Absent(
                FindError::Blank { .. }
                | FindError::NotADrive { .. }
                | FindError::Unfinished { .. },
            ) => return Ok(Found::NotOurs),
            DriveState::Unlocked { ref found, .. }
                if !found.encrypted && !is_ours(&found.device.content) =>
            {
                return Ok(Found::NotOurs);
            }
            state => {
                open::open(self.context, state, &self.passphrase)?;
            }
        }
        let root = self.context.mount_point();
        if let Some(progress) = progress::read(root)? {
            return Ok(Found::Begun(progress));
        }
        if holds_library(root)? {
            return Ok(Found::Library);
        }
        // A finished drive with nothing on it yet: as if its making were the first step done.
        let progress = Progress {
            repository: wanted.repository.clone(),
            snapshot: wanted.snapshot.clone(),
            done: vec![Step::CreateDrive],
        };
        progress::write(root, &progress)?;
        Ok(Found::Begun(progress))
    }

    fn refused(&self, refusal: &Refusal) -> anyhow::Error {
        let device = self.arguments.drive.display();
        let mend = match refusal {
            Refusal::HoldsLibrary => format!(
                "attach a blank drive; or, if this library may go: immich-appliance lock, then \
                 immich-appliance drive create {device}, then recover again"
            ),
            Refusal::OtherRecovery {
                repository,
                snapshot,
            } => format!(
                "finish it with: immich-appliance recover --drive {device} --from {repository} \
                 --snapshot {snapshot}"
            ),
        };
        Refused::new(
            Exit::Refused,
            format!("cannot recover onto {device}: {refusal}"),
            mend,
        )
        .into()
    }
}

fn is_ours(content: &appliance_drive::inspect::Content) -> bool {
    use appliance_drive::inspect::Content;
    matches!(content, Content::FileSystem { label: Some(label), .. } if label == appliance_drive::LABEL)
}

/// Whether the mounted drive holds a database or any original.
fn holds_library(root: &Path) -> anyhow::Result<bool> {
    if layout::postgres_cluster(root)? != Cluster::None {
        return Ok(true);
    }
    let media = root.join(layout::IMMICH_DATA);
    for folder in appliance_immich::media::FOLDERS
        .iter()
        .filter(|folder| folder.essential)
    {
        let Ok(entries) = std::fs::read_dir(folder.path(&media)) else {
            continue;
        };
        let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        if names.any(|name| name != appliance_immich::media::MARKER) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Report for Recovered {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "Recovered the snapshot of {}: {} files, {}.",
            self.snapshot_time,
            self.files_restored + self.files_kept,
            size(self.bytes)
        )];
        for (what, count) in &self.counts.agree {
            lines.push(format!("  {what:12} {count:>8}, as in the snapshot"));
        }
        for difference in &self.counts.differ {
            lines.push(format!(
                "  {:12} {:>8}, but the snapshot held {}",
                difference.what, difference.found, difference.expected
            ));
        }
        if self.missing_originals.is_empty() {
            lines.push("Every photo and video that the database knows is on the drive.".into());
        } else {
            lines.push(format!(
                "{} originals are missing:",
                self.missing_originals.len()
            ));
            lines.extend(
                self.missing_originals
                    .iter()
                    .map(|path| format!("  {}", path.display())),
            );
        }
        if let Some(address) = self.address.first() {
            lines.push(format!("Immich is at {address}; log in as before."));
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn exit(&self) -> Exit {
        if self.counts.is_complete() && self.missing_originals.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        }
    }
}
