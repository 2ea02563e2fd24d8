//! Backing up: the database first, then the files.

use std::path::{Path, PathBuf};

use appliance_backup::Error as BackupError;
use appliance_backup::names::display_name;
use appliance_backup::snapshot::{self, BackupPlan, BackupReport, Skipped};
use appliance_config::Scope;
use appliance_drive::layout;
use appliance_immich::database::{Dump, DumpLedger, DumpPurpose, DumpRequest};
use appliance_immich::media::{self, BACKUPS, FOLDERS, Folder, FolderKind};
use jiff::{Timestamp, Zoned};
use uuid::Uuid;

use super::{expected, repository};
use crate::error::{Context as _, FailureClass, Refused, in_one_line};
use crate::immich::{start, units};
use crate::memory::{Age, FailedBackup, GoodBackup};
use crate::recover::progress;
use crate::size::size;
use crate::{Appliance, Result};

/// With fewer photos than this, most of them may well have been deleted on purpose.
const WORTH_COMPARING: u64 = 20;

/// How a backup is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// How much of the media it holds; `None` as configured.
    pub scope: Option<Scope>,
    /// Do nothing if the last good backup is younger than this.
    pub if_older_than_hours: Option<u32>,
}

/// What [`run`] did.
#[derive(Debug)]
pub enum Backup {
    /// A backup was made.
    Made(Box<Made>),
    /// The last good one is young enough.
    YoungEnough {
        /// Its age.
        hours: f64,
    },
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The database's dump, which is in the snapshot.
    pub dump: Dump,
    /// The snapshot, and how it came about.
    pub snapshot: BackupReport,
}

/// Backs up now, and remembers how it went.
///
/// # Errors
/// When the drive is not mounted, the database cannot be dumped, the repository cannot be
/// written to, or the snapshot lacks an original.
pub fn run(appliance: &Appliance, options: &RunOptions) -> Result<Backup> {
    let _lock = appliance.exclusively_for_backup()?;
    let drive = appliance.require_mounted("back up")?.uuid;
    let target = repository::known(appliance)?;
    let address = target.address.location.to_string();
    if let Some(hours) = options.if_older_than_hours
        && let Some(hours) = young_enough(appliance, drive, &address, f64::from(hours))?
    {
        return Ok(Backup::YoungEnough { hours });
    }
    let scope = options.scope.unwrap_or(appliance.settings.backup.scope);
    let outcome = carry_out(appliance, &target, drive, scope);
    remember(appliance, drive, &address, &outcome)?;
    Ok(Backup::Made(Box::new(outcome?)))
}

/// The age of the last good backup, if it is surely young enough.
fn young_enough(
    appliance: &Appliance,
    drive: Uuid,
    repository: &str,
    hours: f64,
) -> Result<Option<f64>> {
    let memory = appliance.memory()?;
    let last_good = memory
        .backups_of(drive, repository)
        .and_then(|history| history.last_good.as_ref());
    Ok(
        match last_good.map(|good| Age::of(good.time, Timestamp::now())) {
            Some(age @ Age::Hours(old)) if age.is_younger_than(hours) => Some(old),
            Some(Age::Unknown) => {
                appliance.warn(
                "the last good backup is dated in the future: the clock is or was wrong; backing \
                 up now",
            );
                None
            }
            _ => None,
        },
    )
}

fn carry_out(
    appliance: &Appliance,
    target: &appliance_backup::Target,
    drive: Uuid,
    scope: Scope,
) -> Result<Made> {
    refuse_unfinished_recovery(appliance)?;
    let options = repository::options(appliance);
    let repository = appliance_backup::Repository::open(target, &options)?;
    let dump = dump(appliance)?;
    refuse_loss(appliance, drive, &dump)?;
    appliance.say("Backing up the files …");
    let plan = BackupPlan {
        expected: Some(expected::expected(appliance, &dump.verified)?),
        ..plan(appliance, scope)
    };
    let snapshot = match snapshot::run(&repository, &plan) {
        Err(BackupError::UnreadableOriginals(report)) => {
            for lack in report.lacking() {
                let path = display_name(&lack.path);
                appliance.warn(format!(
                    "ORIGINAL {path} is not in the backup: {}",
                    lack.why
                ));
            }
            return Err(BackupError::UnreadableOriginals(report).into());
        }
        other => other?,
    };
    list_skipped(appliance, &snapshot.skipped);
    if !snapshot.packs.is_whole() {
        appliance.warn(
            "the repository has lost packs of earlier backups; immich-appliance backup check says \
             which snapshots suffer",
        );
    }
    Ok(Made {
        repository: repository.location().to_owned(),
        dump,
        snapshot,
    })
}

/// What a recovery has not finished is not the library, and must not become the latest backup.
fn refuse_unfinished_recovery(appliance: &Appliance) -> Result<()> {
    let Some(progress) = progress::document(&appliance.paths).read()? else {
        return Ok(());
    };
    Err(Refused::new(
        FailureClass::Refused,
        format!(
            "not backing up: the recovery of snapshot {} from {} onto this drive is not finished",
            progress.snapshot, progress.repository
        ),
        format!(
            "finish it with: immich-appliance recover --drive DEVICE --from {} --snapshot {}",
            progress.repository, progress.snapshot
        ),
    )
    .into())
}

/// A database that lost its users, or most of what it knew, is not what the photos belong to: it
/// must not become the latest backup, from which the next recovery would be made.
fn refuse_loss(appliance: &Appliance, drive: Uuid, dump: &Dump) -> Result<()> {
    let counts = dump.verified.counts();
    let what = if counts.users() == 0 && start::holds_originals(appliance) {
        "the media folder holds photos, and the database has no user".to_owned()
    } else {
        let memory = appliance.memory()?;
        let before = memory
            .last_backups_of(drive)
            .and_then(|history| history.last_good.as_ref())
            .and_then(|good| good.counts.get("assets").copied())
            .unwrap_or_default();
        if before < WORTH_COMPARING || counts.assets() * 2 >= before {
            return Ok(());
        }
        format!(
            "the last good backup of this drive knew {before} photos and videos, and the database \
             now knows {}",
            counts.assets()
        )
    };
    Err(Refused::new(
        FailureClass::Refused,
        format!("not backing up: {what}"),
        "look into Immich first; if the photos are gone, recover them: immich-appliance recover; \
         if this is as it should be, begin a new repository: immich-appliance backup init",
    )
    .into())
}

/// Dumps the database, which is started for it if it does not run.
fn dump(appliance: &Appliance) -> Result<Dump> {
    appliance.say("Dumping the database …");
    let media = &appliance.paths.media;
    units::with_database(appliance, || {
        media::mend(media, appliance.immich_owner()?)?;
        dump_into(appliance, &BACKUPS.path(media))
    })
    .context("nothing was backed up, because the database could not be dumped")
}

/// Dumps the running database into a folder.
pub(crate) fn dump_into(appliance: &Appliance, folder: &Path) -> Result<Dump> {
    let shown = appliance.dialogue().wait("dumping the database");
    let photos = appliance.photos();
    let installed = photos.version();
    let request = DumpRequest {
        folder,
        installed: installed.as_ref(),
        now: Zoned::now(),
        keep: appliance.settings.database.keep_dumps as usize,
        purpose: DumpPurpose::Routine,
    };
    let mut ledger = DumpLedger::read(&appliance.paths.dump_ledger())?;
    photos.dump(&request, &mut ledger, &mut |bytes| {
        shown.now(&format!("dumping the database, {}", size(bytes)));
    })
}

/// What a snapshot of the drive holds.
pub(crate) fn plan(appliance: &Appliance, scope: Scope) -> BackupPlan {
    let media = &appliance.paths.media;
    BackupPlan {
        paths: paths(&appliance.paths.mount_point, media, scope),
        excludes: appliance.settings.backup.exclude.clone(),
        originals: folders(media, FolderKind::Original),
        derived: folders(media, FolderKind::Derived),
        media: Some(media.clone()),
        label: Some("immich-appliance".into()),
        ..BackupPlan::default()
    }
}

fn folders(media: &Path, kind: FolderKind) -> Vec<PathBuf> {
    Folder::of_kind(kind)
        .map(|folder| folder.path(media))
        .collect()
}

fn paths(mount_point: &Path, media: &Path, scope: Scope) -> Vec<PathBuf> {
    let mut paths = match scope {
        Scope::Everything => vec![media.to_owned()],
        Scope::Essential => FOLDERS
            .iter()
            .filter(|folder| folder.is_essential())
            .map(|folder| folder.path(media))
            .collect(),
    };
    paths.push(mount_point.join(layout::SECRETS));
    paths
}

fn list_skipped(appliance: &Appliance, skipped: &[Skipped]) {
    for skipped in skipped {
        let kind = if skipped.original { "ORIGINAL " } else { "" };
        appliance.warn(format!(
            "{kind}{} is not in the backup as it should be: {}",
            display_name(&skipped.path),
            skipped.reason
        ));
    }
}

/// Remembers how it went, for `status`; the drive may be locked by then, so it is remembered
/// outside it. A success takes the failure before it away, whatever the clock said then.
fn remember(
    appliance: &Appliance,
    drive: Uuid,
    repository: &str,
    outcome: &Result<Made>,
) -> Result<()> {
    let time = Timestamp::now();
    appliance.remember(|memory| {
        let history = memory.backups_of_mut(drive, repository);
        match outcome {
            Ok(made) => {
                let counts = made.dump.verified.counts();
                history.last_failed = None;
                history.last_good = Some(GoodBackup {
                    time,
                    snapshot: made.snapshot.snapshot.id.clone(),
                    files: made.snapshot.snapshot.files.unwrap_or_default(),
                    bytes: made.snapshot.bytes_processed,
                    counts: [
                        ("users", counts.users()),
                        ("assets", counts.assets()),
                        ("albums", counts.albums()),
                    ]
                    .map(|(what, count)| (what.to_owned(), count))
                    .into(),
                });
            }
            Err(error) => {
                history.last_failed = Some(FailedBackup {
                    time,
                    reason: in_one_line(error),
                });
            }
        }
    })
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
