//! Recovering: from a blank drive and a repository to a running Immich.
//!
//! [`look`] only looks, [`plan()`] is pure, and the steps are carried out one by one; those that
//! last are remembered on the drive, so that a recovery that was cut short goes on.

mod carry_out;
mod compare;
mod look;
mod losses;
mod plan;
pub(crate) mod progress;

use std::path::PathBuf;

use appliance_backup::snapshot::{self, Filter, Library, Snapshot};
use appliance_backup::{Repository, Target};
use appliance_immich::dump::VerifiedDump;
use serde::Serialize;

pub use compare::{Comparison, Difference, compare};
pub use losses::Lost;
pub use plan::{OnDrive, RecoveryGoal, RecoveryRefusal, RecoveryStep, plan};
pub use progress::RecoveryProgress;

use crate::backup::repository::{self, NamedRepository};
use crate::dialogue::Question;
use crate::drive::create::NewDrive;
use crate::error::{Context as _, FailureClass, Refused};
use crate::{Appliance, Error, Result};

/// What is recovered, and onto what.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// The blank drive to recover onto.
    pub drive: PathBuf,
    /// The repository to recover from.
    pub from: NamedRepository,
    /// An ID or its beginning, or "latest".
    pub snapshot: String,
    /// How the new drive is made.
    pub new_drive: NewDrive,
}

/// What was recovered.
#[derive(Debug, Default, Serialize)]
pub struct Recovered {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The snapshot's full ID.
    pub snapshot: String,
    /// When it was made.
    pub snapshot_time: String,
    /// The dump that the database was loaded from.
    pub dump: Option<PathBuf>,
    /// Files written.
    pub files_restored: u64,
    /// Files that were there already, as a former run left them.
    pub files_kept: u64,
    /// The bytes of both.
    pub bytes: u64,
    /// What the snapshot held against what is there.
    pub counts: Comparison,
    /// Originals that the database knows and that are not there.
    pub missing_originals: Vec<PathBuf>,
    /// What the repository could not give back.
    pub losses: Vec<Lost>,
    /// Where Immich answers.
    pub address: Vec<String>,
}

impl Recovered {
    /// Whether everything came back.
    pub fn is_complete(&self) -> bool {
        self.counts.is_complete() && self.missing_originals.is_empty() && self.losses.is_empty()
    }
}

/// A recovery that is being carried out.
struct Recovery<'a> {
    appliance: &'a Appliance,
    options: &'a RecoverOptions,
    repository: Repository,
    target: Target,
    snapshot: Snapshot,
    /// What the snapshot holds of an Immich drive.
    library: Library,
    /// The dump that was loaded, proven once.
    dump: Option<VerifiedDump>,
    recovered: Recovered,
}

/// Rebuilds everything on a blank drive from a backup. The repository is opened and the snapshot
/// found before the drive is touched.
///
/// # Errors
/// When something has to be decided first, or a step fails; run again, it goes on with that step.
pub fn recover(appliance: &Appliance, options: &RecoverOptions) -> Result<Recovered> {
    let _lock = appliance.exclusively()?;
    let _backups = appliance.exclusively_for_backup()?;
    let question = Question::RepositoryPassword {
        repository: options.from.address.clone(),
    };
    let target = Target {
        address: options.from.address(appliance)?,
        password: appliance
            .dialogue()
            .secret(&question)?
            .secret
            .to_secret_string()?,
    };
    let repository = Repository::open(&target, &repository::options(appliance))?;
    let snapshot = snapshot::find(&repository, &options.snapshot)?;
    appliance.say(format!(
        "Recovering snapshot {} of {} from {}.",
        snapshot.short_id(),
        snapshot.time.strftime("%Y-%m-%d %H:%M"),
        repository.location()
    ));
    let library = holds_library(&repository, &snapshot)?;
    tell_newer(appliance, &repository, &snapshot)?;
    let mut recovery = Recovery {
        appliance,
        options,
        library,
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
    recovery.run()?;
    Ok(recovery.recovered)
}

/// What the snapshot holds: known before anything is erased.
fn holds_library(repository: &Repository, snapshot: &Snapshot) -> Result<Library> {
    snapshot::library(repository, snapshot)?.ok_or_else(|| {
        Refused::new(
            FailureClass::Usage,
            format!(
                "the snapshot {} holds no photo library of Immich with a database dump",
                snapshot.short_id()
            ),
            "name another snapshot with --snapshot; latest is the newest one that holds a library",
        )
        .into()
    })
}

/// Tells of newer snapshots that lack something: a person may want one of them.
fn tell_newer(appliance: &Appliance, repository: &Repository, chosen: &Snapshot) -> Result<()> {
    let latest = snapshot::latest_library(repository, &Filter::default())?;
    if latest.snapshot.as_ref().map(|latest| &latest.id) != Some(&chosen.id) {
        return Ok(());
    }
    for newer in latest.incomplete.iter().chain(&latest.unreadable) {
        let lacks = newer
            .lacks
            .first()
            .map(|lack| format!(", for example {lack}"));
        appliance.warn(format!(
            "a newer snapshot {} of {} is incomplete{}; to take it all the same: --snapshot {}",
            newer.short_id(),
            newer.time.strftime("%Y-%m-%d %H:%M"),
            lacks.unwrap_or_default(),
            newer.short_id()
        ));
    }
    Ok(())
}

impl Recovery<'_> {
    fn run(&mut self) -> Result<()> {
        let appliance = self.appliance;
        let goal = RecoveryGoal {
            repository: self.recovered.repository.clone(),
            snapshot: self.snapshot.id.clone(),
        };
        let on_drive = look::look(appliance, self.options)?;
        let steps = plan(&on_drive, &goal).map_err(|refusal| self.refused(&refusal))?;
        if steps.contains(&RecoveryStep::RestoreFiles) {
            self.prove_dump()?;
        }
        let document = progress::document(&appliance.paths);
        let mut noted = match on_drive {
            OnDrive::Begun(progress) => {
                appliance.say("A recovery onto this drive was started before; continuing it.");
                progress
            }
            OnDrive::NotOurs | OnDrive::Library => RecoveryProgress::new(goal, &[]),
            OnDrive::Empty => {
                let progress = RecoveryProgress::new(goal, &[RecoveryStep::CreateDrive]);
                document.write(&progress)?;
                progress
            }
        };
        let count = steps.len();
        for (number, step) in steps.into_iter().enumerate() {
            appliance.say(format!("[{}/{count}] {} …", number + 1, step.title()));
            self.take(step)
                .with_context(|| format!("the recovery stopped while {}", step.title()))?;
            if step.is_lasting() {
                noted.done.push(step);
                document.write(&noted)?;
            }
        }
        document.remove()?;
        Ok(())
    }

    fn refused(&self, refusal: &RecoveryRefusal) -> Error {
        let device = self.options.drive.display();
        let help = match refusal {
            RecoveryRefusal::HoldsLibrary => format!(
                "attach a blank drive; or, to erase this library: immich-appliance lock, then \
                 immich-appliance drive create {device}, then recover again"
            ),
            RecoveryRefusal::OtherRecovery {
                repository,
                snapshot,
            } => format!(
                "finish it with: immich-appliance recover --drive {device} --from {repository} \
                 --snapshot {snapshot}; or, to abandon it: immich-appliance lock, then \
                 immich-appliance drive create {device}, then recover again"
            ),
        };
        Refused::new(
            FailureClass::Refused,
            format!("cannot recover onto {device}: {refusal}"),
            help,
        )
        .into()
    }
}
