//! From the type of an error to exit code and mending command. Pure: one table.

mod tailnet;

use std::error::Error as StdError;

use appliance_backup::Error as BackupError;
use appliance_drive::find::FindError;
use appliance_drive::inspect::{InspectError, Refusal};
use appliance_drive::luks::LuksError;
use appliance_drive::mount::MountError;
use appliance_files::LockError;

use super::Refused;
use crate::exit::Exit;

/// What an error means to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// How the process exits.
    pub exit: Exit,
    /// The command that mends it, where there is one.
    pub mend: Option<String>,
}

/// The meaning of the first cause that has one, outermost first.
pub fn classify(error: &anyhow::Error) -> Meaning {
    error.chain().find_map(meaning).unwrap_or(Meaning {
        exit: Exit::Failed,
        mend: None,
    })
}

fn meaning(error: &(dyn StdError + 'static)) -> Option<Meaning> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(Meaning {
            exit: refused.exit,
            mend: refused.mend.clone(),
        });
    }
    None.or_else(|| error.downcast_ref().map(find))
        .or_else(|| error.downcast_ref().map(luks))
        .or_else(|| error.downcast_ref().map(refusal))
        .or_else(|| error.downcast_ref().map(inspect))
        .or_else(|| error.downcast_ref().and_then(mount))
        .or_else(|| error.downcast_ref().map(lock))
        .or_else(|| error.downcast_ref().map(backup))
        .or_else(|| error.downcast_ref().map(tailnet::meaning))
        .or_else(|| {
            error
                .downcast_ref::<appliance_config::Error>()
                .map(|_| plain(Exit::Usage))
        })
        .or_else(|| {
            error
                .downcast_ref::<appliance_secret::ChoiceError>()
                .map(|_| plain(Exit::Usage))
        })
}

fn plain(exit: Exit) -> Meaning {
    Meaning { exit, mend: None }
}

fn mended(exit: Exit, mend: impl Into<String>) -> Meaning {
    Meaning {
        exit,
        mend: Some(mend.into()),
    }
}

fn find(error: &FindError) -> Meaning {
    match error {
        FindError::NotFound { .. } => mended(
            Exit::DriveNotFound,
            "check its cable and power, then look with: immich-appliance drive list",
        ),
        FindError::Several { .. } => mended(
            Exit::SeveralDrives,
            "unplug the others, or name one: immich-appliance unlock --drive UUID",
        ),
        FindError::Foreign { found, .. } => mended(
            Exit::ForeignDrive,
            format!(
                "attach this box's own drive; or, if this one is to take its place: \
                 immich-appliance unlock --drive {found}"
            ),
        ),
        FindError::Blank { device } => mended(
            Exit::BlankDrive,
            format!(
                "a new drive: immich-appliance drive create {0}; after a loss: immich-appliance \
                 recover --drive {0} --from REPOSITORY",
                device.display()
            ),
        ),
        FindError::NotADrive { device, .. } => mended(
            Exit::BlankDrive,
            format!(
                "see what is on it with: immich-appliance drive list ({})",
                device.display()
            ),
        ),
        FindError::Unrecognised { device, .. } => mended(
            Exit::BlankDrive,
            format!(
                "if it was the photo drive: immich-appliance drive header restore {0}; if nobody \
                 needs what is on it: immich-appliance drive create {0}",
                device.display()
            ),
        ),
        FindError::HeaderLost { device, drive, .. } => mended(
            Exit::BlankDrive,
            match (drive.partition, drive.encrypted) {
                (None, true) => format!(
                    "leave the drive as it is, and put its header back: immich-appliance drive \
                     header restore {}",
                    device.display()
                ),
                (None, false) => format!(
                    "leave the drive as it is, and mend its file system: sudo e2fsck -b 32768 {}",
                    device.display()
                ),
                (Some(_), _) => "leave the drive as it is: its partition table has to be found \
                                 again first, for example with testdisk"
                    .to_owned(),
            },
        ),
        FindError::Unfinished { device, .. } => mended(
            Exit::BlankDrive,
            format!(
                "begin again: immich-appliance drive create {}",
                device.display()
            ),
        ),
        FindError::ReadOnly { .. } => mended(
            Exit::ReadOnlyDrive,
            "look for a write-protect switch on the drive or its adapter, and plug it in again",
        ),
    }
}

fn luks(error: &LuksError) -> Meaning {
    match error {
        LuksError::WrongPassphrase { .. } => mended(
            Exit::WrongPassphrase,
            "try again; the recovery key opens it too, in place of the passphrase",
        ),
        LuksError::NoHeader { device, .. } => mended(
            Exit::BlankDrive,
            format!(
                "if it was the photo drive: immich-appliance drive header restore {}",
                device.display()
            ),
        ),
        LuksError::LastKeyslot { .. } => mended(
            Exit::Refused,
            "add another passphrase first: immich-appliance drive passphrase add",
        ),
        LuksError::NoFreeKeyslot { .. } => mended(
            Exit::Refused,
            "remove one first: immich-appliance drive passphrase remove",
        ),
        LuksError::OutOfMemory { .. } => mended(
            Exit::Failed,
            "immich-appliance stop frees memory; if that is not enough, open the drive on a larger \
             machine and change its passphrase there",
        ),
        LuksError::InUse { .. } => mended(Exit::Refused, "immich-appliance lock"),
        LuksError::OtherHeader { .. } => plain(Exit::ForeignDrive),
        LuksError::NoSuchKeyslot { .. }
        | LuksError::NotActive { .. }
        | LuksError::File { .. }
        | LuksError::Consent(_)
        | LuksError::Failed { .. } => plain(Exit::Failed),
    }
}

fn refusal(refusal: &Refusal) -> Meaning {
    match refusal {
        Refusal::ReadOnly { .. } => mended(
            Exit::ReadOnlyDrive,
            "look for a write-protect switch on the drive or its adapter, and plug it in again",
        ),
        Refusal::Mounted { at, .. } => mended(
            Exit::Refused,
            format!(
                "if you are sure that it is the right drive: umount {}",
                at.display()
            ),
        ),
        Refusal::RunningSystem { .. }
        | Refusal::InUse { .. }
        | Refusal::TooSmall { .. }
        | Refusal::Unreadable { .. }
        | Refusal::NotRemovable { .. } => mended(
            Exit::Refused,
            "name another drive; see: immich-appliance drive list",
        ),
    }
}

fn inspect(error: &InspectError) -> Meaning {
    match error {
        InspectError::NotFound { .. } | InspectError::NotABlockDevice { .. } => mended(
            Exit::DriveNotFound,
            "see what is attached with: immich-appliance drive list",
        ),
        InspectError::Read { .. } => plain(Exit::Failed),
    }
}

/// `None` where a deeper cause says more.
fn mount(error: &MountError) -> Option<Meaning> {
    Some(match error {
        MountError::Luks(_) => return None,
        MountError::NotEmpty { path, .. } => mended(
            Exit::Refused,
            format!("see what is in {} and move it away", path.display()),
        ),
        MountError::Occupied { path, .. } => {
            mended(Exit::Refused, format!("umount {}", path.display()))
        }
        MountError::Busy { .. } => {
            mended(Exit::Refused, "immich-appliance lock names who holds files")
        }
        MountError::NotAFolder { .. } | MountError::Table { .. } | MountError::Failed { .. } => {
            plain(Exit::Failed)
        }
    })
}

fn lock(error: &LockError) -> Meaning {
    match error {
        LockError::Held { .. } => mended(
            Exit::Busy,
            "wait until it is done; immich-appliance status shows what runs",
        ),
        _ => plain(Exit::Failed),
    }
}

fn backup(error: &BackupError) -> Meaning {
    match error {
        BackupError::WrongPassword { .. } => mended(
            Exit::WrongPassphrase,
            "the password is on the paper of backup init, and on the drive that made the backups, \
             in secrets/repository-password",
        ),
        BackupError::NoRepository { .. } => mended(
            Exit::Failed,
            "check the address; to begin a new repository: immich-appliance backup init REPOSITORY",
        ),
        BackupError::Unreachable { .. } => mended(
            Exit::Failed,
            "check the network and the server, then run the same command again; nothing is lost",
        ),
        BackupError::Denied { .. } => mended(
            Exit::Failed,
            "check the access key and its permissions, then immich-appliance backup init REPOSITORY",
        ),
        BackupError::NoBucket { .. } => {
            mended(Exit::Failed, "create the bucket with your storage provider")
        }
        BackupError::NoSpace { .. } => mended(
            Exit::Failed,
            "make room where the repository is, then: immich-appliance backup run",
        ),
        BackupError::Damaged { .. } => mended(Exit::Failed, "immich-appliance backup check"),
        BackupError::NoSnapshot { .. }
        | BackupError::AmbiguousSnapshot { .. }
        | BackupError::NotInSnapshot { .. } => mended(
            Exit::Usage,
            "see what there is with: immich-appliance backup snapshots",
        ),
        BackupError::UnreadableOriginals(_) => mended(
            Exit::Failed,
            "copy these files from where they came, or restore them; then check the drive: \
             immich-appliance doctor",
        ),
        _ => plain(Exit::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    #[test]
    fn each_reason_that_a_drive_is_not_unlocked_has_its_own_exit_code() {
        let device = PathBuf::from("/dev/sda");
        let uuid = uuid::Uuid::nil();
        let errors: Vec<(anyhow::Error, Exit)> = vec![
            (
                LuksError::WrongPassphrase {
                    device: device.clone(),
                }
                .into(),
                Exit::WrongPassphrase,
            ),
            (
                FindError::NotFound { wanted: None }.into(),
                Exit::DriveNotFound,
            ),
            (
                FindError::Several { devices: vec![] }.into(),
                Exit::SeveralDrives,
            ),
            (
                FindError::Foreign {
                    device: device.clone(),
                    found: uuid,
                    expected: uuid,
                }
                .into(),
                Exit::ForeignDrive,
            ),
            (
                FindError::Blank {
                    device: device.clone(),
                }
                .into(),
                Exit::BlankDrive,
            ),
            (FindError::ReadOnly { device }.into(), Exit::ReadOnlyDrive),
        ];
        for (error, exit) in errors {
            let meaning = classify(&error);
            assert_eq!(meaning.exit, exit, "{error}");
            assert!(meaning.mend.is_some(), "{error}");
        }
    }

    #[test]
    fn a_context_around_an_error_does_not_hide_its_meaning() {
        let error = Err::<(), _>(FindError::NotFound { wanted: None })
            .context("while starting")
            .unwrap_err();
        assert_eq!(classify(&error).exit, Exit::DriveNotFound);
    }

    #[test]
    fn an_unknown_error_is_a_failure() {
        assert_eq!(classify(&anyhow::anyhow!("no idea")), plain(Exit::Failed));
    }
}
