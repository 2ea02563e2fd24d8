//! Opening the backup repository that the drive knows.

use std::sync::Arc;

use appliance_backup::{Address, Location, OpenOptions, Repository, Target};
use appliance_secret::Source;

use crate::cli::RepositoryAccess;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::secrets;

/// The repository that `backup init` wrote down on the drive.
pub fn known(context: &Context) -> anyhow::Result<Target> {
    context.require_mounted("use the backup: its address and password are on the drive")?;
    let Some(address) = Address::load(&context.repository_address_file())? else {
        return Err(Refused::new(
            Exit::Failed,
            "no backup repository is set up",
            "immich-appliance backup init REPOSITORY",
        )
        .into());
    };
    let password = Source::File(context.repository_password_file())
        .obtain("")?
        .secret;
    Ok(Target {
        address,
        password: password.to_secret_string()?,
    })
}

/// Opens it.
pub fn open(context: &Context) -> anyhow::Result<Repository> {
    let target = known(context)?;
    Ok(Repository::open(&target, &options(context))?)
}

/// How repositories are opened here.
pub fn options(context: &Context) -> OpenOptions {
    OpenOptions {
        cache_dir: Some(context.cache_directory().to_owned()),
        progress: Arc::new(context.ui.bars()),
        ..OpenOptions::default()
    }
}

/// The address that a person gave, with the credentials of its server.
pub fn address(
    context: &Context,
    text: &str,
    access: &RepositoryAccess,
) -> anyhow::Result<Address> {
    let mut location: Location =
        text.parse()
            .map_err(|error: appliance_backup::location::LocationError| {
                Refused::new(
                    Exit::Usage,
                    format!("the repository's address cannot be understood: {error}"),
                    "write it as /path/to/folder, or as s3:https://host/bucket/prefix",
                )
            })?;
    let credentials = match &mut location {
        Location::Local(_) => None,
        Location::S3(s3) => {
            if let Some(region) = &access.region {
                s3.region.clone_from(region);
            }
            Some(secrets::s3_credentials(context.ui, access)?)
        }
    };
    Ok(Address {
        location,
        credentials,
    })
}
