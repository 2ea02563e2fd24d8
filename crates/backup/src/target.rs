//! A repository with all that opens it, and the file that remembers it.

use std::fs;
use std::io;
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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

/// Everything needed to open a repository.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is, and the server's credentials.
    pub address: Address,
    /// The repository's own password, which encrypts it.
    pub password: SecretString,
}

/// The file as it is written: `SecretString` is read by serde and on purpose not written by it.
#[derive(Serialize)]
struct FileOut<'a> {
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileIn {
    repository: String,
    access_key_id: Option<String>,
    secret_access_key: Option<SecretString>,
}

const HEAD: &str = "# Where the backups go. Written by immich-appliance; holds a secret.\n";

impl Address {
    /// Reads `backup.toml`; `None` if there is no such file.
    ///
    /// # Errors
    /// [`Error::Settings`] if it cannot be read or understood.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(settings(path, error.to_string())),
        };
        // The parser's own text quotes the line it stumbled over, which may be the secret.
        let file: FileIn = toml::from_str(&text).map_err(|error| {
            settings(
                path,
                format!("line {} is not as expected", line(&text, &error)),
            )
        })?;
        let location = file
            .repository
            .parse()
            .map_err(|error: crate::location::LocationError| settings(path, error.to_string()))?;
        let credentials = match (file.access_key_id, file.secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => Some(Credentials {
                access_key_id,
                secret_access_key,
            }),
            (None, None) => None,
            _ => {
                let cause = "access_key_id and secret_access_key belong together";
                return Err(settings(path, cause.to_owned()));
            }
        };
        Ok(Some(Self {
            location,
            credentials,
        }))
    }

    /// Writes `backup.toml` durably, readable by its owner alone (0600).
    ///
    /// # Errors
    /// [`Error::Settings`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let credentials = self.credentials.as_ref();
        let file = FileOut {
            repository: self.location.to_string(),
            access_key_id: credentials.map(|c| c.access_key_id.as_str()),
            secret_access_key: credentials.map(|c| c.secret_access_key.expose_secret()),
        };
        let body = toml::to_string(&file)
            .map(Zeroizing::new)
            .map_err(|error| settings(path, error.to_string()))?;
        let text = Zeroizing::new([HEAD, body.as_str()].concat());
        appliance_files::write_durably(path, text.as_bytes(), 0o600)
            .map_err(|error| settings(path, error.source.to_string()))
    }
}

/// The line, from 1, at which the parser gave up.
fn line(text: &str, error: &toml::de::Error) -> usize {
    let offset = error.span().map_or(0, |span| span.start);
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

fn settings(path: &Path, cause: String) -> Error {
    Error::Settings {
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn address() -> Address {
        Address {
            location: "s3:https://host:9000/photos/box?region=garage"
                .parse()
                .unwrap(),
            credentials: Some(Credentials {
                access_key_id: "AKID".into(),
                secret_access_key: "hunter2/\"\\+".into(),
            }),
        }
    }

    #[test]
    fn the_file_comes_back_as_it_was_saved_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.toml");
        assert!(Address::load(&path).unwrap().is_none());
        address().save(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let loaded = Address::load(&path).unwrap().unwrap();
        let (loaded_secret, secret) = (loaded.credentials.unwrap(), address().credentials.unwrap());
        assert_eq!(loaded.location, address().location);
        assert_eq!(loaded_secret.access_key_id, secret.access_key_id);
        assert_eq!(
            loaded_secret.secret_access_key.expose_secret(),
            secret.secret_access_key.expose_secret()
        );
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_secret() {
        assert!(!format!("{:?}", address()).contains("hunter2"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.toml");
        for text in [
            "repository = \"/repo\"\nsecret_access_key = hunter2\n",
            "repository = \"/repo\"\nsecret_access_key = \"hunter2\"\n",
            "repository = \"s3:https://a:hunter2@host/photos\"\n",
            "repository = \"/repo\"\nhunter2 = 1\n",
        ] {
            fs::write(&path, text).unwrap();
            let error = Address::load(&path).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        fs::write(&path, "repository = \"/repo\"\noops\n").unwrap();
        assert!(
            Address::load(&path)
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }
}
