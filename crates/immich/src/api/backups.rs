use std::io::Write;

use serde::{Deserialize, Serialize};

use super::{Call, Client, Result, Why};

/// A database dump in Immich's `backups/` folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatabaseBackup {
    /// The file's name.
    pub filename: String,
    /// Bytes. The API says "number", so a whole one is not promised.
    pub filesize: f64,
    /// The server's time zone, which the time in the name is in.
    pub timezone: String,
}

impl Client {
    /// Immich's own list of dumps. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call.
    pub fn database_backups(&self) -> Result<Vec<DatabaseBackup>> {
        #[derive(Deserialize)]
        struct List {
            backups: Vec<DatabaseBackup>,
        }
        let list: List = self.fetch(&Call::get(
            "list Immich's database backups",
            "/api/admin/database-backups",
        ))?;
        Ok(list.backups)
    }

    /// Downloads one dump into `to`; gives its bytes. Needs an admin's credential.
    ///
    /// # Errors
    /// As every call; also when `name` is not a dump's name, or when `to` cannot be written.
    pub fn download_database_backup(&self, name: &str, to: &mut dyn Write) -> Result<u64> {
        let call = Call::get(
            "download a database backup of Immich",
            format!("/api/admin/database-backups/{name}"),
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(call.failed(Why::Invalid(format!("{name:?} is not a backup's name"))));
        }
        let mut reader = self.download(&call)?;
        super::assets::transfer(&call, &mut reader, to)
    }
}
