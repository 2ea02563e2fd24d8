use std::path::PathBuf;

use super::{Condition, DriveCondition, ServerCondition};

/// The one thing that helps most now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Attach the drive that this box knows.
    AttachDrive,
    /// Make a drive.
    CreateDrive,
    /// Unlock it, and start Immich.
    Unlock,
    /// Finish a recovery.
    FinishRecovery {
        /// The drive's device.
        device: PathBuf,
        /// The repository's address.
        repository: String,
        /// The snapshot.
        snapshot: String,
    },
    /// Start Immich.
    Start,
    /// End maintenance mode.
    EndMaintenance,
    /// Set the backup up.
    SetUpBackup,
    /// Make the first backup.
    BackUp,
}

impl Condition {
    /// The one thing that helps most now; `None` when there is nothing to do.
    pub fn next_step(&self) -> Option<NextStep> {
        match &self.drive {
            DriveCondition::Absent(_) if self.remembered.is_some() => {
                return Some(NextStep::AttachDrive);
            }
            DriveCondition::Absent(_) => return Some(NextStep::CreateDrive),
            DriveCondition::Locked(_) | DriveCondition::Unlocked(_) | DriveCondition::Gone => {
                return Some(NextStep::Unlock);
            }
            DriveCondition::Occupied { .. } => return None,
            DriveCondition::Mounted { found, .. } => {
                if let Some(recovery) = &self.recovery {
                    return Some(NextStep::FinishRecovery {
                        device: found.device.path.clone(),
                        repository: recovery.repository.clone(),
                        snapshot: recovery.snapshot.clone(),
                    });
                }
            }
        }
        match self.server {
            ServerCondition::NotReady => Some(NextStep::Start),
            ServerCondition::Maintenance => Some(NextStep::EndMaintenance),
            _ if self.backup.repository.is_none() => Some(NextStep::SetUpBackup),
            _ if self.backup.last_good.is_none() => Some(NextStep::BackUp),
            _ => None,
        }
    }

    /// The state in one line, for whoever signs in.
    pub fn in_one_line(&self) -> String {
        let drive = match &self.drive {
            DriveCondition::Absent(_) if self.remembered.is_none() => "no drive yet",
            DriveCondition::Absent(_) | DriveCondition::Gone => "the drive is not attached",
            DriveCondition::Occupied { .. } => "something else is in the drive's place",
            DriveCondition::Locked(_) | DriveCondition::Unlocked(_) => "the drive is locked",
            DriveCondition::Mounted { .. } if self.recovery.is_some() => {
                "a recovery onto the drive is not finished"
            }
            DriveCondition::Mounted { .. } => "the drive is unlocked",
        };
        let backup = match (&self.backup.repository, &self.backup.last_good) {
            (Some(repository), Some(_)) => format!("backed up to {repository}"),
            _ => "no backup yet".into(),
        };
        let immich = match self.addresses.first().filter(|_| self.server.is_up()) {
            Some(address) => format!("Immich is at {address}"),
            None => "Immich is not running".into(),
        };
        format!("{immich}; {drive}; {backup}.")
    }
}

impl NextStep {
    /// What to type or to do.
    pub fn text(&self) -> String {
        match self {
            NextStep::AttachDrive => {
                "attach the drive, then run: immich-appliance unlock --start; \
                                      for a new drive: immich-appliance drive create DEVICE"
                    .into()
            }
            NextStep::CreateDrive => {
                "attach a drive, then run: immich-appliance drive create DEVICE".into()
            }
            NextStep::Unlock => "immich-appliance unlock --start".into(),
            NextStep::FinishRecovery {
                device,
                repository,
                snapshot,
            } => format!(
                "finish the recovery: immich-appliance recover --drive {} --from {repository} \
                 --snapshot {snapshot}",
                device.display()
            ),
            NextStep::Start => "immich-appliance start".into(),
            NextStep::EndMaintenance => {
                "end maintenance on Immich's web page, or with: immich-admin \
                 disable-maintenance-mode"
                    .into()
            }
            NextStep::SetUpBackup => {
                "immich-appliance backup init REPOSITORY, then immich-appliance backup run".into()
            }
            NextStep::BackUp => "immich-appliance backup run".into(),
        }
    }
}
