//! A repository with all that opens it, and the file that remembers it.

use std::path::Path;

use secrecy::SecretString;

use crate::error::Result;
use crate::location::Location;

/// What an S3 server asks for.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key's id; not a secret.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: SecretString,
}

/// A repository's address and the credentials of its server: what `secrets/backup.toml` holds.
#[derive(Debug, Clone)]
pub struct Address {
    /// Where the repository is.
    pub location: Location,
    /// The server's credentials; `None` for a folder.
    pub credentials: Option<Credentials>,
}

impl Address {
    /// Reads `backup.toml`; `None` if there is no such file.
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) if it cannot be read or understood.
    pub fn load(_path: &Path) -> Result<Option<Self>> {
        todo!()
    }

    /// Writes `backup.toml` durably, readable by its owner alone (0600).
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) if it cannot be written.
    pub fn save(&self, _path: &Path) -> Result<()> {
        todo!()
    }
}

/// Everything needed to open a repository.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is, and the server's credentials.
    pub address: Address,
    /// The repository's own password, which encrypts it.
    pub password: SecretString,
}
