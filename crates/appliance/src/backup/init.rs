//! Setting the backup up: a repository is created, or one that exists is joined.

use std::path::PathBuf;

use appliance_backup::{Address, Error as BackupError, Joined, Location, Repository, Target};
use appliance_secret::Secret;
use serde::Serialize;

use super::placement;
use super::repository::{self, NamedRepository};
use crate::dialogue::{Keepsake, KeepsakeKind, Question};
use crate::error::{FailureClass, Refused};
use crate::{Appliance, Result};

/// A backup that was set up.
#[derive(Debug, Serialize)]
pub struct Initialised {
    /// The repository's address, without secrets.
    pub repository: String,
    /// Whether it was created; else it was joined.
    pub created: bool,
    /// Where its password is on the drive.
    pub password_file: PathBuf,
}

/// Creates the repository, or joins one that exists, and writes it down on the drive.
///
/// # Errors
/// When the drive is not mounted, the address cannot be used, or the password does not open
/// what is there.
pub fn init(appliance: &Appliance, named: &NamedRepository) -> Result<Initialised> {
    let _lock = appliance.exclusively_for_backup()?;
    appliance
        .require_mounted("set up the backup: its address and password are kept on the drive")?;
    let address = named.address(appliance)?;
    if let Location::Local(folder) = &address.location {
        placement::check(appliance, folder)?;
    }
    let own = repository::password_in(&appliance.paths.repository_password())?;
    let question = Question::RepositoryPassword {
        repository: address.location.to_string(),
    };
    let given = appliance.dialogue().secret_if_given(&question)?;
    let password = given.as_ref().unwrap_or(&own);
    let options = repository::options(appliance);
    let target = target(&address, password)?;
    let exists = Repository::exists(&target, &options)?;
    if !exists && given.is_none() {
        // Its password must leave the drive: whether it can is known before it is created.
        appliance
            .dialogue()
            .can_hand_over(KeepsakeKind::RepositoryPassword)?;
    }
    let (target, password, joined) = match Repository::init_or_join(&target, &options) {
        // An older repository has its own password, which only the person knows.
        Err(error @ BackupError::WrongPassword { .. }) if given.is_none() => {
            let Ok(answer) = appliance.dialogue().secret(&question) else {
                return Err(error.into());
            };
            let target = self::target(&address, &answer.secret)?;
            Repository::open(&target, &options)?;
            (target, answer.secret, Joined::Joined)
        }
        other => (target, Secret::copy_from(password.expose_bytes()), other?.1),
    };
    refuse_to_lose_a_password(appliance, &target, &own, &password)?;
    repository::keep(appliance, &target, &password)?;
    let password_file = appliance.paths.repository_password();
    if joined == Joined::Created {
        appliance
            .dialogue()
            .hand_over(&Keepsake::RepositoryPassword {
                password: &password,
                file: password_file.clone(),
            })?;
    }
    Ok(Initialised {
        repository: target.address.location.to_string(),
        created: joined == Joined::Created,
        password_file,
    })
}

fn target(address: &Address, password: &Secret) -> Result<Target> {
    Ok(Target {
        address: address.clone(),
        password: password.to_secret_string()?,
    })
}

/// The drive may hold the only copy of another repository's password, and keeps it.
fn refuse_to_lose_a_password(
    appliance: &Appliance,
    target: &Target,
    own: &Secret,
    new: &Secret,
) -> Result<()> {
    if own.matches(new) {
        return Ok(());
    }
    let Some(before) = Address::load(&appliance.paths.repository_address())? else {
        return Ok(());
    };
    if before.location.to_string() == target.address.location.to_string() {
        return Ok(());
    }
    let kept = appliance.paths.former_repository_password();
    if kept.exists() {
        return Err(Refused::new(
            FailureClass::Refused,
            format!(
                "not setting up the backup to {}: the password of {} would be lost, and {} \
                 already holds that of an earlier repository",
                target.address.location,
                before.location,
                kept.display()
            ),
            format!(
                "move that file to a safe place: mv {} /root/",
                kept.display()
            ),
        )
        .into());
    }
    appliance_files::write_durably(&kept, own.expose_bytes(), 0o600)?;
    appliance.warn(format!(
        "the password of the previous repository, {}, is kept in {}",
        before.location,
        kept.display()
    ));
    Ok(())
}
