//! Which steps a recovery takes, from what is found on the drive.

use serde::{Deserialize, Serialize};

use crate::progress::Progress;

/// A step of a recovery, in the order they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
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

impl Step {
    /// All steps in order.
    pub const ALL: [Step; 9] = [
        Step::CreateDrive,
        Step::OpenDrive,
        Step::RestoreFiles,
        Step::MendFolders,
        Step::KeepRepository,
        Step::StartDatabase,
        Step::RestoreDatabase,
        Step::StartImmich,
        Step::Compare,
    ];

    /// Whether the step is remembered as done once it was done. The others hold only
    /// until the next boot, so each run of a recovery takes them again.
    pub fn is_lasting(self) -> bool {
        matches!(
            self,
            Step::CreateDrive | Step::RestoreFiles | Step::KeepRepository | Step::RestoreDatabase
        )
    }

    /// What a person is told while the step is under way.
    pub fn title(self) -> &'static str {
        match self {
            Step::CreateDrive => "creating the drive",
            Step::OpenDrive => "opening the drive",
            Step::RestoreFiles => "restoring the files",
            Step::MendFolders => "putting folders and owners in order",
            Step::KeepRepository => "keeping the repository's address on the drive",
            Step::StartDatabase => "starting the database",
            Step::RestoreDatabase => "restoring the database",
            Step::StartImmich => "starting Immich",
            Step::Compare => "comparing with the snapshot",
        }
    }
}

/// What is found on the drive that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing of ours, or a drive whose creation did not finish.
    NotOurs,
    /// A drive of ours without a recovery under way: it holds a photo library.
    Library,
    /// A drive of ours on which a recovery was begun.
    Begun(Progress),
}

/// What the user asked to recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The repository's address, without secrets.
    pub repository: String,
    /// The full ID of the snapshot.
    pub snapshot: String,
}

/// Why a drive is not recovered onto without further consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The drive holds a finished photo library.
    #[error("the drive already holds a photo library")]
    HoldsLibrary,
    /// Another recovery was begun on it.
    #[error(
        "a recovery of snapshot {snapshot} from {repository} was begun on this drive and is not finished"
    )]
    OtherRecovery {
        /// The repository of that recovery.
        repository: String,
        /// Its snapshot.
        snapshot: String,
    },
}

/// The steps that remain. Consent to erase is asked for exactly when the first step is
/// [`Step::CreateDrive`].
///
/// # Errors
/// [`Refusal`] where going on would mix or destroy what is on the drive.
pub fn plan(found: &Found, wanted: &Wanted) -> Result<Vec<Step>, Refusal> {
    let done: &[Step] = match found {
        Found::NotOurs => &[],
        Found::Library => return Err(Refusal::HoldsLibrary),
        Found::Begun(progress) => {
            if progress.repository != wanted.repository || progress.snapshot != wanted.snapshot {
                return Err(Refusal::OtherRecovery {
                    repository: progress.repository.clone(),
                    snapshot: progress.snapshot.clone(),
                });
            }
            &progress.done
        }
    };
    let begun = matches!(found, Found::Begun(_));
    Ok(Step::ALL
        .into_iter()
        .filter(|step| !(begun && *step == Step::CreateDrive))
        .filter(|step| !(step.is_lasting() && done.contains(step)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            repository: "s3:https://host/bucket".into(),
            snapshot: "abc".into(),
        }
    }

    fn begun(done: &[Step]) -> Found {
        Found::Begun(Progress {
            repository: "s3:https://host/bucket".into(),
            snapshot: "abc".into(),
            done: done.to_vec(),
        })
    }

    #[test]
    fn a_blank_drive_takes_every_step() {
        assert_eq!(plan(&Found::NotOurs, &wanted()).unwrap(), Step::ALL);
    }

    #[test]
    fn a_library_is_never_overwritten() {
        assert_eq!(plan(&Found::Library, &wanted()), Err(Refusal::HoldsLibrary));
    }

    #[test]
    fn a_recovery_that_was_cut_short_never_creates_the_drive_again() {
        assert!(
            !plan(&begun(&[]), &wanted())
                .unwrap()
                .contains(&Step::CreateDrive)
        );
    }

    #[test]
    fn lasting_steps_are_not_taken_twice_and_passing_ones_are() {
        let steps = plan(
            &begun(&[Step::RestoreFiles, Step::StartDatabase]),
            &wanted(),
        )
        .unwrap();
        assert!(!steps.contains(&Step::RestoreFiles));
        assert!(steps.contains(&Step::StartDatabase));
        assert!(steps.contains(&Step::RestoreDatabase));
    }

    #[test]
    fn another_snapshot_is_not_mixed_into_a_recovery_under_way() {
        let other = Wanted {
            snapshot: "def".into(),
            ..wanted()
        };
        assert!(matches!(
            plan(&begun(&[]), &other),
            Err(Refusal::OtherRecovery { .. })
        ));
    }

    #[test]
    fn steps_keep_their_order() {
        let steps = plan(&begun(&[]), &wanted()).unwrap();
        assert!(steps.is_sorted());
    }
}
