//! `backup run`: the database first, then the files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use appliance_backup::Error as BackupError;
use appliance_backup::snapshot::{self, BackupPlan, BackupReport, Reason, Skipped};
use appliance_config::Scope;
use appliance_drive::layout;
use appliance_immich::database::{Dump, DumpPurpose, DumpRequest};
use appliance_immich::media::FOLDERS;
use appliance_state::{FailedBackup, GoodBackup};
use jiff::{Timestamp, Unit, Zoned};
use serde_json::json;

use crate::cli::{BackupRun, ScopeChoice};
use crate::context::Context;
use crate::exit::Exit;
use crate::report::{Report, Said, size};
use crate::steps::{repository, services};

struct Done {
    repository: String,
    dump: Dump,
    backup: BackupReport,
}

/// Backs up now.
pub fn run(context: &Context, arguments: &BackupRun) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively_for_backup()?;
    context.require_mounted("back up")?;
    if let Some(hours) = arguments.if_older_than
        && let Some(age) = last_good_age_hours(context)?
        && age < f64::from(hours)
    {
        return Ok(Said::already(format!(
            "the last good backup is {age:.1} hours old"
        )));
    }
    let scope = match arguments.scope {
        Some(ScopeChoice::Essential) => Scope::Essential,
        Some(ScopeChoice::Everything) => Scope::Everything,
        None => context.settings.backup.scope,
    };
    let outcome = back_up(context, scope);
    remember(context, &outcome)?;
    Ok(Box::new(outcome?))
}

fn back_up(context: &Context, scope: Scope) -> anyhow::Result<Done> {
    let ui = context.ui;
    let repository = repository::open(context)?;
    ui.say("Dumping the database …");
    let dump = services::with_database(context, |database| {
        let bar = ui.bars().wait("dumping the database");
        let backups = context.settings.media_path().join("backups");
        appliance_immich::media::mend(&context.settings.media_path(), context.immich_owner()?)?;
        let installed = services::immich_version(context);
        let request = DumpRequest {
            folder: &backups,
            installed: installed.as_ref(),
            now: Zoned::now(),
            keep: context.settings.database.keep_dumps as usize,
            purpose: DumpPurpose::Routine,
        };
        let dump = database.dump(&request, &mut context.dump_ledger()?, &mut |bytes| {
            bar.set_message(format!("dumping the database, {}", size(bytes)));
        });
        bar.finish_and_clear();
        Ok(dump?)
    })
    .context("the database could not be dumped, so nothing was backed up")?;
    ui.say("Backing up the files …");
    let plan = plan(context, scope);
    let backup = match snapshot::run(&repository, &plan) {
        Err(BackupError::UnreadableOriginals(report)) => {
            list_skipped(context, &report.skipped);
            return Err(BackupError::UnreadableOriginals(report).into());
        }
        other => other?,
    };
    list_skipped(context, &backup.skipped);
    Ok(Done {
        repository: repository.location().to_owned(),
        dump,
        backup,
    })
}

/// What a snapshot of the drive holds.
fn plan(context: &Context, scope: Scope) -> BackupPlan {
    BackupPlan {
        paths: paths(context.mount_point(), &context.settings.media_path(), scope),
        excludes: context.settings.backup.exclude.clone(),
        originals: BackupPlan::originals_in(&context.settings.media_path()),
        label: Some("immich-appliance".into()),
        ..BackupPlan::default()
    }
}

fn paths(mount_point: &Path, media: &Path, scope: Scope) -> Vec<PathBuf> {
    let mut paths = match scope {
        Scope::Everything => vec![media.to_owned()],
        Scope::Essential => FOLDERS
            .iter()
            .filter(|folder| folder.essential)
            .map(|folder| folder.path(media))
            .collect(),
    };
    paths.push(mount_point.join(layout::SECRETS));
    paths
}

fn list_skipped(context: &Context, skipped: &[Skipped]) {
    for skipped in skipped {
        let why = match &skipped.reason {
            Reason::Vanished => "gone before it was read".to_owned(),
            Reason::Shrank => "changed while it was read".to_owned(),
            Reason::Unreadable(why) => format!("cannot be read: {why}"),
        };
        let kind = if skipped.original { "ORIGINAL " } else { "" };
        context.ui.warn(format!(
            "{kind}{} is not in the backup: {why}",
            skipped.path.display()
        ));
    }
}

fn last_good_age_hours(context: &Context) -> anyhow::Result<Option<f64>> {
    let state = context.state()?;
    let Some(good) = state.last_good_backup else {
        return Ok(None);
    };
    Ok((Timestamp::now() - good.time).total(Unit::Hour).ok())
}

/// Notes how it went, for `status`; the drive may be locked by then, so the note is kept
/// outside it.
fn remember(context: &Context, outcome: &anyhow::Result<Done>) -> anyhow::Result<()> {
    let time = Timestamp::now();
    context.store().update(|state| match outcome {
        Ok(done) => {
            state.last_good_backup = Some(GoodBackup {
                time,
                snapshot: done.backup.snapshot.id.clone(),
                repository: done.repository.clone(),
                files: done.backup.snapshot.files.unwrap_or_default(),
                bytes: done.backup.bytes_processed,
                counts: [
                    ("users", done.dump.verified.counts().users()),
                    ("assets", done.dump.verified.counts().assets()),
                    ("albums", done.dump.verified.counts().albums()),
                ]
                .map(|(what, count)| (what.to_owned(), count))
                .into(),
            });
        }
        Err(error) => {
            state.last_failed_backup = Some(FailedBackup {
                time,
                reason: format!("{error:#}"),
            });
        }
    })?;
    Ok(())
}

impl Report for Done {
    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "Backed up to {}: snapshot {}.",
                self.repository,
                self.backup.snapshot.short_id()
            ),
            format!(
                "  database  {} users, {} photos and videos, {} albums; the dump is proven complete",
                self.dump.verified.counts().users(),
                self.dump.verified.counts().assets(),
                self.dump.verified.counts().albums()
            ),
            format!(
                "  files     {} new, {} changed, {} as before; {} in all, {} sent",
                self.backup.files_new,
                self.backup.files_changed,
                self.backup.files_unmodified,
                size(self.backup.bytes_processed),
                size(self.backup.bytes_stored)
            ),
        ];
        if !self.backup.skipped.is_empty() {
            lines.push(format!(
                "  skipped   {} (listed above)",
                self.backup.skipped.len()
            ));
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        Ok(json!({
            "repository": self.repository,
            "snapshot": self.backup.snapshot.id,
            "dump": self.dump.verified.path(),
            "counts": {
                "users": self.dump.verified.counts().users(),
                "assets": self.dump.verified.counts().assets(),
                "albums": self.dump.verified.counts().albums(),
            },
            "files_new": self.backup.files_new,
            "files_changed": self.backup.files_changed,
            "files_unmodified": self.backup.files_unmodified,
            "bytes_processed": self.backup.bytes_processed,
            "bytes_added": self.backup.bytes_added,
            "bytes_stored": self.backup.bytes_stored,
            "seconds": self.backup.duration.as_secs_f64(),
            "skipped": self.backup.skipped.iter().map(|skipped| json!({
                "path": skipped.path,
                "original": skipped.original,
            })).collect::<Vec<_>>(),
            "changed_while_read": self.backup.changed_while_read,
        }))
    }

    fn exit(&self) -> Exit {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_the_whole_media_folder_and_the_secrets_but_never_the_cluster() {
        let paths = paths(
            Path::new("/mnt/d"),
            Path::new("/mnt/d/immich_data"),
            Scope::Everything,
        );
        assert_eq!(
            paths,
            ["/mnt/d/immich_data", "/mnt/d/secrets"].map(PathBuf::from)
        );
    }

    #[test]
    fn essential_leaves_out_what_immich_can_make_again() {
        let paths = paths(Path::new("/mnt/d"), Path::new("/mnt/d/m"), Scope::Essential);
        for kept in ["library", "upload", "profile", "backups"] {
            assert!(paths.contains(&Path::new("/mnt/d/m").join(kept)), "{kept}");
        }
        for left_out in ["thumbs", "encoded-video"] {
            assert!(
                !paths.contains(&Path::new("/mnt/d/m").join(left_out)),
                "{left_out}"
            );
        }
    }
}
