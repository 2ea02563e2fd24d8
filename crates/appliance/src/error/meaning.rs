//! From the type of an error to its class and the command that helps. Pure: one table.

mod tailnet;

use appliance_backup::Error as BackupError;
use appliance_drive::find::FindError;
use appliance_drive::inspect::{InspectError, Refusal};
use appliance_drive::luks::LuksError;
use appliance_drive::mount::MountError;
use appliance_drive::state::StateError;
use appliance_files::LockError;

use super::Error;

/// How an operation failed, as far as a script or a person has to tell one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Something failed; the text says what.
    Failed,
    /// What was asked for, or the configuration, is wrong.
    Usage,
    /// No keyslot, or no repository key, opens with what was given.
    WrongPassphrase,
    /// The drive is not attached.
    DriveNotFound,
    /// More than one drive could be meant.
    SeveralDrives,
    /// A drive is attached, but another one than the remembered one.
    ForeignDrive,
    /// The drive is blank or was not made for Immich.
    BlankDrive,
    /// The drive does not take writes.
    ReadOnlyDrive,
    /// Not done for safety's sake: no consent, or the device is in use.
    Refused,
    /// The drive must be unlocked first.
    DriveLocked,
    /// Another run is at work.
    Busy,
}

/// What an error means to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// How the operation failed.
    pub class: FailureClass,
    /// What helps, where something does.
    pub help: Option<String>,
}

impl Error {
    /// What this error means: that of the outermost cause that has a meaning.
    pub fn meaning(&self) -> Meaning {
        self.known_meaning()
            .unwrap_or_else(|| plain(FailureClass::Failed))
    }

    fn known_meaning(&self) -> Option<Meaning> {
        Some(match self {
            Error::While { source, .. } => return source.known_meaning(),
            Error::Refused(refused) => helped(refused.class, refused.help.clone()),
            Error::Find(error) => find(error),
            Error::DriveState(StateError::Inspect(error)) | Error::Inspect(error) => inspect(error),
            Error::DriveState(StateError::Mount(error)) | Error::Mount(error) => {
                return mount(error);
            }
            Error::Untouchable(error) => refusal(error),
            Error::Consent(_) => helped(
                FailureClass::Refused,
                "check which device is which, then start again: immich-appliance drive list",
            ),
            Error::Luks(error) => luks(error),
            Error::Lock(error) => lock(error),
            Error::Backup(error) => backup(error),
            Error::Tailnet(error) => tailnet::meaning(error),
            Error::Destination(_) => helped(
                FailureClass::Refused,
                "name a folder outside of the drive's, for example /root/restored",
            ),
            Error::SecretSource(_) => plain(FailureClass::Usage),
            Error::Location(_) => helped(
                FailureClass::Usage,
                "write it as /path/to/folder, or as s3:https://host/bucket/prefix",
            ),
            _ => return None,
        })
    }
}

fn plain(class: FailureClass) -> Meaning {
    Meaning { class, help: None }
}

fn helped(class: FailureClass, help: impl Into<String>) -> Meaning {
    Meaning {
        class,
        help: Some(help.into()),
    }
}

fn find(error: &FindError) -> Meaning {
    match error {
        FindError::NotFound { .. } => helped(
            FailureClass::DriveNotFound,
            "check its cable and power, then run: immich-appliance drive list",
        ),
        FindError::Several { .. } => helped(
            FailureClass::SeveralDrives,
            "unplug the others, or choose one: immich-appliance unlock --drive UUID",
        ),
        FindError::Foreign { found, .. } => helped(
            FailureClass::ForeignDrive,
            format!(
                "attach this box's own drive; or, if this one should take its place: \
                 immich-appliance unlock --drive {found}"
            ),
        ),
        FindError::Blank { device } => helped(
            FailureClass::BlankDrive,
            format!(
                "for a new drive: immich-appliance drive create {0}; after a loss: \
                 immich-appliance recover --drive {0} --from REPOSITORY",
                device.display()
            ),
        ),
        FindError::NotADrive { device, .. } => helped(
            FailureClass::BlankDrive,
            format!(
                "see what is on it with: immich-appliance drive list ({})",
                device.display()
            ),
        ),
        FindError::Unrecognised { device, .. } => helped(
            FailureClass::BlankDrive,
            format!(
                "if it was the photo drive: immich-appliance drive header restore {0}; if nobody \
                 needs what is on it: immich-appliance drive create {0}",
                device.display()
            ),
        ),
        FindError::HeaderLost { device, drive, .. } => helped(
            FailureClass::BlankDrive,
            match (drive.partition, drive.encrypted) {
                (None, true) => format!(
                    "leave the drive as it is, and put its header back: immich-appliance drive \
                     header restore {}",
                    device.display()
                ),
                (None, false) => format!(
                    "leave the drive as it is, and repair its file system: sudo e2fsck -b 32768 {}",
                    device.display()
                ),
                (Some(_), _) => "leave the drive as it is: its partition table has to be found \
                                 again first, for example with testdisk"
                    .to_owned(),
            },
        ),
        FindError::Unfinished { device, .. } => helped(
            FailureClass::BlankDrive,
            format!(
                "start again: immich-appliance drive create {}",
                device.display()
            ),
        ),
        FindError::ReadOnly { .. } => helped(
            FailureClass::ReadOnlyDrive,
            "look for a write-protect switch on the drive or its adapter, and plug it in again",
        ),
    }
}

fn luks(error: &LuksError) -> Meaning {
    match error {
        LuksError::WrongPassphrase { .. } => helped(
            FailureClass::WrongPassphrase,
            "try again; the recovery key also works in place of the passphrase",
        ),
        LuksError::NoHeader { device, .. } => helped(
            FailureClass::BlankDrive,
            format!(
                "if it was the photo drive: immich-appliance drive header restore {}",
                device.display()
            ),
        ),
        LuksError::LastKeyslot { .. } => helped(
            FailureClass::Refused,
            "add another passphrase first: immich-appliance drive passphrase add",
        ),
        LuksError::NoFreeKeyslot { .. } => helped(
            FailureClass::Refused,
            "remove one first: immich-appliance drive passphrase remove",
        ),
        LuksError::OutOfMemory { .. } => helped(
            FailureClass::Failed,
            "free memory with: immich-appliance stop; if that is not enough, open the drive on a \
             machine with more memory and change its passphrase there",
        ),
        LuksError::InUse { .. } => helped(FailureClass::Refused, "immich-appliance lock"),
        LuksError::OtherHeader { .. } => plain(FailureClass::ForeignDrive),
        LuksError::NoSuchKeyslot { .. }
        | LuksError::NotActive { .. }
        | LuksError::File { .. }
        | LuksError::Consent(_)
        | LuksError::Failed { .. } => plain(FailureClass::Failed),
    }
}

fn refusal(refusal: &Refusal) -> Meaning {
    match refusal {
        Refusal::ReadOnly { .. } => helped(
            FailureClass::ReadOnlyDrive,
            "look for a write-protect switch on the drive or its adapter, and plug it in again",
        ),
        Refusal::Mounted { at, .. } => helped(
            FailureClass::Refused,
            format!(
                "if you are sure that it is the right drive: umount {}",
                at.display()
            ),
        ),
        Refusal::RunningSystem { .. }
        | Refusal::InUse { .. }
        | Refusal::TooSmall { .. }
        | Refusal::Unreadable { .. }
        | Refusal::NotRemovable { .. } => helped(
            FailureClass::Refused,
            "choose another drive; see: immich-appliance drive list",
        ),
    }
}

fn inspect(error: &InspectError) -> Meaning {
    match error {
        InspectError::NotFound { .. } | InspectError::NotABlockDevice { .. } => helped(
            FailureClass::DriveNotFound,
            "see what is attached with: immich-appliance drive list",
        ),
        InspectError::Read { .. } => plain(FailureClass::Failed),
    }
}

/// `None` where a deeper cause says more.
fn mount(error: &MountError) -> Option<Meaning> {
    Some(match error {
        MountError::Luks(_) => return None,
        MountError::NotEmpty { path, .. } => helped(
            FailureClass::Refused,
            format!("move what is in {} to another place", path.display()),
        ),
        MountError::Occupied { path, .. } => {
            helped(FailureClass::Refused, format!("umount {}", path.display()))
        }
        MountError::Busy { .. } => helped(
            FailureClass::Refused,
            "immich-appliance lock says which programs use files there",
        ),
        MountError::NotAFolder { .. } | MountError::Table { .. } | MountError::Failed { .. } => {
            plain(FailureClass::Failed)
        }
    })
}

fn lock(error: &LockError) -> Meaning {
    match error {
        LockError::Held { .. } => helped(
            FailureClass::Busy,
            "wait until it is finished; immich-appliance status shows what is running",
        ),
        _ => plain(FailureClass::Failed),
    }
}

fn backup(error: &BackupError) -> Meaning {
    match error {
        BackupError::WrongPassword { .. } => helped(
            FailureClass::WrongPassphrase,
            "the password is on the paper from backup init, and on the drive that made the backups, \
             in secrets/repository-password",
        ),
        BackupError::NoRepository { .. } => helped(
            FailureClass::Failed,
            "check the address; to create a repository: immich-appliance backup init REPOSITORY",
        ),
        BackupError::Unreachable { .. } => helped(
            FailureClass::Failed,
            "check the network and the server, then run the same command again; nothing is lost",
        ),
        BackupError::WrongRegion { right, .. } => helped(
            FailureClass::Failed,
            format!(
                "name the region: immich-appliance backup init REPOSITORY --region {}",
                right.as_deref().unwrap_or("REGION")
            ),
        ),
        BackupError::ClockSkewed { .. } => helped(
            FailureClass::Failed,
            "set the clock: sudo timedatectl set-ntp true; then run the same command again",
        ),
        BackupError::SpendingCap { .. } => helped(
            FailureClass::Failed,
            "raise the limit of the account with your storage provider",
        ),
        BackupError::MayNotList { .. } => helped(
            FailureClass::Failed,
            "give the access key the right to list the bucket (s3:ListBucket)",
        ),
        BackupError::ChecksumMissing { .. } => helped(
            FailureClass::Failed,
            "use a bucket without Object Lock, or another storage provider",
        ),
        BackupError::Certificate { .. } => helped(
            FailureClass::Failed,
            "check the clock and the address; a certificate of your own must be among those that \
             the system trusts",
        ),
        BackupError::Archived { .. } => helped(
            FailureClass::Failed,
            "bring the files back from the archive with the tools of your storage provider, then \
             run the same command again",
        ),
        BackupError::Busy { .. } => helped(
            FailureClass::Busy,
            "wait a few minutes, then run the same command again",
        ),
        BackupError::SourceGone { .. } => helped(
            FailureClass::Failed,
            "check the drive's cable and power, then: immich-appliance unlock --start",
        ),
        BackupError::Denied { .. } => helped(
            FailureClass::Failed,
            "check the access key and its permissions, then run: immich-appliance backup init REPOSITORY",
        ),
        BackupError::NoBucket { .. } => helped(
            FailureClass::Failed,
            "create the bucket with your storage provider",
        ),
        BackupError::NoSpace { .. } => helped(
            FailureClass::Failed,
            "free space where the repository is, then run: immich-appliance backup run",
        ),
        BackupError::Damaged { .. } => {
            helped(FailureClass::Failed, "immich-appliance backup check")
        }
        BackupError::NoSnapshot { .. }
        | BackupError::AmbiguousSnapshot { .. }
        | BackupError::NotInSnapshot { .. } => helped(
            FailureClass::Usage,
            "see which there are with: immich-appliance backup snapshots",
        ),
        BackupError::UnreadableOriginals(_) => helped(
            FailureClass::Failed,
            "copy these files again from where they came, or restore them; then check the drive: \
             immich-appliance doctor",
        ),
        _ => plain(FailureClass::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::error::Context as _;

    #[test]
    fn each_reason_that_a_drive_is_not_unlocked_has_its_own_class_and_a_way_out() {
        let device = PathBuf::from("/dev/sda");
        let uuid = uuid::Uuid::nil();
        let errors: Vec<(Error, FailureClass)> = vec![
            (
                LuksError::WrongPassphrase {
                    device: device.clone(),
                }
                .into(),
                FailureClass::WrongPassphrase,
            ),
            (
                FindError::NotFound { wanted: None }.into(),
                FailureClass::DriveNotFound,
            ),
            (
                FindError::Several { devices: vec![] }.into(),
                FailureClass::SeveralDrives,
            ),
            (
                FindError::Foreign {
                    device: device.clone(),
                    found: uuid,
                    expected: uuid,
                }
                .into(),
                FailureClass::ForeignDrive,
            ),
            (
                FindError::Blank {
                    device: device.clone(),
                }
                .into(),
                FailureClass::BlankDrive,
            ),
            (
                FindError::ReadOnly { device }.into(),
                FailureClass::ReadOnlyDrive,
            ),
        ];
        for (error, class) in errors {
            let meaning = error.meaning();
            assert_eq!(meaning.class, class, "{error}");
            assert!(meaning.help.is_some(), "{error}");
        }
    }

    #[test]
    fn a_context_around_an_error_does_not_hide_its_meaning() {
        let error = Err::<(), _>(FindError::NotFound { wanted: None })
            .context("while starting")
            .unwrap_err();
        assert_eq!(error.meaning().class, FailureClass::DriveNotFound);
    }

    #[test]
    fn an_unknown_error_is_a_failure() {
        let error = Error::Missing("no idea".into());
        assert_eq!(error.meaning(), plain(FailureClass::Failed));
    }
}
