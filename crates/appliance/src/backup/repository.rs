//! Opening the repository that the drive knows.

use std::path::Path;

use appliance_backup::{Address, Credentials, Location, OpenOptions, Repository, Target};
use appliance_files::write_durably;
use appliance_secret::{Secret, Source};

use crate::dialogue::Question;
use crate::error::{FailureClass, Refused};
use crate::{Appliance, Result};

/// A repository as a person names it. Its secrets are asked for.
#[derive(Debug, Clone)]
pub struct NamedRepository {
    /// A folder, or s3:https://host/bucket[/prefix].
    pub address: String,
    /// The S3 access key's ID.
    pub access_key_id: Option<String>,
    /// The S3 region, if it is not in the address.
    pub region: Option<String>,
}

impl NamedRepository {
    /// The address, with the credentials of its server.
    pub(crate) fn address(&self, appliance: &Appliance) -> Result<Address> {
        let mut location: Location = self.address.parse()?;
        let credentials = match &mut location {
            Location::Local(_) => None,
            Location::S3(s3) => {
                if let Some(region) = &self.region {
                    s3.region.clone_from(region);
                }
                let access_key_id = self.access_key_id.clone().ok_or_else(|| {
                    Refused::new(
                        FailureClass::Usage,
                        "the S3 access key ID is missing",
                        "pass it with --access-key-id",
                    )
                })?;
                let secret = appliance.dialogue().secret(&Question::S3SecretAccessKey)?;
                Some(Credentials {
                    access_key_id,
                    secret_access_key: secret.secret.to_secret_string()?,
                })
            }
        };
        Ok(Address {
            location,
            credentials,
        })
    }
}

/// The repository that `backup init` wrote down on the drive.
pub(crate) fn known(appliance: &Appliance) -> Result<Target> {
    appliance.require_mounted("use the backup, whose address and password are on the drive")?;
    let Some(address) = Address::load(&appliance.paths.repository_address())? else {
        return Err(Refused::new(
            FailureClass::Failed,
            "no backup repository is set up",
            "immich-appliance backup init REPOSITORY",
        )
        .into());
    };
    let password = password_in(&appliance.paths.repository_password())?;
    Ok(Target {
        address,
        password: password.to_secret_string()?,
    })
}

/// Opens it.
pub(crate) fn open(appliance: &Appliance) -> Result<Repository> {
    let target = known(appliance)?;
    Ok(Repository::open(&target, &options(appliance))?)
}

/// How repositories are opened here.
pub(crate) fn options(appliance: &Appliance) -> OpenOptions {
    OpenOptions {
        cache_dir: Some(appliance.paths.cache.clone()),
        progress: appliance.dialogue().progress(),
        compression: Some(appliance.settings.backup.compression_level),
        ..OpenOptions::default()
    }
}

/// Writes address and password onto the drive.
pub(crate) fn keep(appliance: &Appliance, target: &Target, password: &Secret) -> Result<()> {
    let file = appliance.paths.repository_password();
    write_durably(&file, password.expose_bytes(), 0o600)?;
    target.address.save(&appliance.paths.repository_address())?;
    Ok(())
}

pub(super) fn password_in(file: &Path) -> Result<Secret> {
    Ok(Source::File(file.to_owned()).obtain("")?.secret)
}
