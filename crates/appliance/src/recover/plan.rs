//! Which steps a recovery takes, from what is found on the drive.

use serde::{Deserialize, Serialize};

use super::progress::RecoveryProgress;

/// A step of a recovery, in the order they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryStep {
    /// Erase the drive; make header, file system and folders.
    CreateDrive,
    /// Unlock and mount it.
    OpenDrive,
    /// Bring the files of the snapshot back, and put them in order.
    RestoreFiles,
    /// Make every folder and marker that Immich insists on, with the right owner.
    MendFolders,
    /// Write the repository's address and password onto the new drive.
    KeepRepository,
    /// Start PostgreSQL with a new cluster.
    StartDatabase,
    /// Load the dump, after proving it complete.
    RestoreDatabase,
    /// Start Immich and wait until it is ready.
    StartImmich,
    /// Compare what is there with what the snapshot held.
    Compare,
}

impl RecoveryStep {
    /// All steps in order.
    pub const ALL: [RecoveryStep; 9] = [
        RecoveryStep::CreateDrive,
        RecoveryStep::OpenDrive,
        RecoveryStep::RestoreFiles,
        RecoveryStep::MendFolders,
        RecoveryStep::KeepRepository,
        RecoveryStep::StartDatabase,
        RecoveryStep::RestoreDatabase,
        RecoveryStep::StartImmich,
        RecoveryStep::Compare,
    ];

    /// Whether the step is remembered as done once it was done. The others hold only
    /// until the next boot, so each run of a recovery takes them again.
    pub fn is_lasting(self) -> bool {
        matches!(
            self,
            RecoveryStep::CreateDrive
                | RecoveryStep::RestoreFiles
                | RecoveryStep::KeepRepository
                | RecoveryStep::RestoreDatabase
        )
    }

    /// What a person is told while the step is under way.
    pub fn title(self) -> &'static str {
        match self {
            RecoveryStep::CreateDrive => "creating the drive",
            RecoveryStep::OpenDrive => "opening the drive",
            RecoveryStep::RestoreFiles => "restoring the files",
            RecoveryStep::MendFolders => "putting folders and owners in order",
            RecoveryStep::KeepRepository => "saving the repository's address on the drive",
            RecoveryStep::StartDatabase => "starting the database",
            RecoveryStep::RestoreDatabase => "restoring the database",
            RecoveryStep::StartImmich => "starting Immich",
            RecoveryStep::Compare => "comparing with the snapshot",
        }
    }
}

/// What is found on the drive that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDrive {
    /// Nothing of ours, or a drive whose creation did not finish.
    NotOurs,
    /// A drive of ours, finished, with nothing on it yet: as if the first step were done.
    Empty,
    /// A drive of ours without a recovery under way: it holds a photo library.
    Library,
    /// A drive of ours on which a recovery was begun.
    Begun(RecoveryProgress),
}

/// What the user asked to recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryGoal {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The full ID of the snapshot.
    pub snapshot: String,
}

/// Why a drive is not recovered onto without further consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryRefusal {
    /// The drive holds a finished photo library.
    #[error("the drive already holds a photo library")]
    HoldsLibrary,
    /// Another recovery was begun on it.
    #[error(
        "a recovery of snapshot {snapshot} from {repository} was started on this drive and is not finished"
    )]
    OtherRecovery {
        /// The repository of that recovery.
        repository: String,
        /// Its snapshot.
        snapshot: String,
    },
}

/// The steps that remain. Consent to erase is asked for exactly when the first step is
/// [`RecoveryStep::CreateDrive`].
///
/// # Errors
/// [`RecoveryRefusal`] where going on would mix or destroy what is on the drive.
pub fn plan(found: &OnDrive, wanted: &RecoveryGoal) -> Result<Vec<RecoveryStep>, RecoveryRefusal> {
    let done: &[RecoveryStep] = match found {
        OnDrive::NotOurs => &[],
        OnDrive::Empty => &[RecoveryStep::CreateDrive],
        OnDrive::Library => return Err(RecoveryRefusal::HoldsLibrary),
        OnDrive::Begun(progress) => {
            if progress.repository != wanted.repository || progress.snapshot != wanted.snapshot {
                return Err(RecoveryRefusal::OtherRecovery {
                    repository: progress.repository.clone(),
                    snapshot: progress.snapshot.clone(),
                });
            }
            &progress.done
        }
    };
    let made = matches!(found, OnDrive::Begun(_) | OnDrive::Empty);
    Ok(RecoveryStep::ALL
        .into_iter()
        .filter(|step| !(made && *step == RecoveryStep::CreateDrive))
        .filter(|step| !(step.is_lasting() && done.contains(step)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> RecoveryGoal {
        RecoveryGoal {
            repository: "s3:https://host/bucket".into(),
            snapshot: "abc".into(),
        }
    }

    fn begun(done: &[RecoveryStep]) -> OnDrive {
        OnDrive::Begun(RecoveryProgress {
            repository: "s3:https://host/bucket".into(),
            snapshot: "abc".into(),
            done: done.to_vec(),
        })
    }

    #[test]
    fn a_blank_drive_takes_every_step() {
        assert_eq!(
            plan(&OnDrive::NotOurs, &wanted()).unwrap(),
            RecoveryStep::ALL
        );
    }

    #[test]
    fn a_drive_that_was_made_and_is_empty_is_not_made_again() {
        let steps = plan(&OnDrive::Empty, &wanted()).unwrap();
        assert_eq!(steps, RecoveryStep::ALL[1..]);
    }

    #[test]
    fn a_library_is_never_overwritten() {
        assert_eq!(
            plan(&OnDrive::Library, &wanted()),
            Err(RecoveryRefusal::HoldsLibrary)
        );
    }

    #[test]
    fn a_recovery_that_was_cut_short_never_creates_the_drive_again() {
        assert!(
            !plan(&begun(&[]), &wanted())
                .unwrap()
                .contains(&RecoveryStep::CreateDrive)
        );
    }

    #[test]
    fn lasting_steps_are_not_taken_twice_and_passing_ones_are() {
        let steps = plan(
            &begun(&[RecoveryStep::RestoreFiles, RecoveryStep::StartDatabase]),
            &wanted(),
        )
        .unwrap();
        assert!(!steps.contains(&RecoveryStep::RestoreFiles));
        assert!(steps.contains(&RecoveryStep::StartDatabase));
        assert!(steps.contains(&RecoveryStep::RestoreDatabase));
    }

    #[test]
    fn another_snapshot_is_not_mixed_into_a_recovery_under_way() {
        let other = RecoveryGoal {
            snapshot: "def".into(),
            ..wanted()
        };
        assert!(matches!(
            plan(&begun(&[]), &other),
            Err(RecoveryRefusal::OtherRecovery { .. })
        ));
    }

    #[test]
    fn steps_keep_their_order() {
        let steps = plan(&begun(&[]), &wanted()).unwrap();
        assert!(steps.is_sorted());
    }
}
