//! An admin's API key for the time of one task, for a tool that has the database but knows no
//! password of Immich's: to have thumbnails made anew after a recovery, or to read Immich's own
//! integrity report.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Database, Result, literal};
use crate::api::Credential;

/// The keys' name, by which those that a killed run left are found.
const NAME: &str = "immich-appliance (for one task)";

/// A key that stands in the database until it is taken back.
#[derive(Debug)]
#[must_use = "a key that is not taken back stays valid"]
pub struct LentKey {
    secret: SecretString,
}

impl LentKey {
    /// The key as a credential; never shown or written anywhere.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::ApiKey(self.secret.clone())
    }
}

impl Database {
    /// Makes a key of the first admin's with these permissions, such as `job.create`, and removes
    /// those that a run before left. `None` where there is no admin. Only the key's hash reaches
    /// the database and its tools.
    ///
    /// # Errors
    /// When the server or the database is not there, or Immich has never run on it.
    pub fn lend_key(&self, permissions: &[&str]) -> Result<Option<LentKey>> {
        self.take_back_keys()?;
        // Each has 122 random bits.
        let secret = SecretString::from(format!(
            "{}{}",
            Uuid::new_v4().simple(),
            Uuid::new_v4().simple()
        ));
        let hash: String = Sha256::digest(secret.expose_secret().as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let permissions: Vec<_> = permissions.iter().map(|one| literal(one)).collect();
        let permissions = permissions.join(", ");
        // Versions of Immich keep the hash as bytes or as base64: the column tells.
        let sql = format!(
            "SELECT format('INSERT INTO public.api_key (name, key, \"userId\", permissions)
                SELECT %L, %s, id, ARRAY[{permissions}]::varchar[] FROM public.\"user\"
                WHERE \"isAdmin\" AND \"deletedAt\" IS NULL ORDER BY \"createdAt\" LIMIT 1
                RETURNING id',
                {name}, CASE data_type WHEN 'bytea' THEN 'decode(''{hash}'', ''hex'')'
                ELSE 'encode(decode(''{hash}'', ''hex''), ''base64'')' END)
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = 'api_key' AND column_name = 'key' \\gexec
            ",
            name = literal(NAME),
            permissions = permissions.replace('\'', "''"),
        );
        let doing = "lend this tool a key of Immich";
        let rows = self.connection.query(doing, &self.name, &sql, 1)?;
        Ok((!rows.is_empty()).then_some(LentKey { secret }))
    }

    /// Makes a lent key worthless.
    ///
    /// # Errors
    /// When the server or the database is not there; the next [`lend_key`](Self::lend_key) removes
    /// it.
    pub fn take_back(&self, key: LentKey) -> Result<()> {
        drop(key);
        self.take_back_keys()
    }

    fn take_back_keys(&self) -> Result<()> {
        let sql = format!("DELETE FROM public.api_key WHERE name = {};", literal(NAME));
        let doing = "take back this tool's key of Immich";
        self.connection.query(doing, &self.name, &sql, 1)?;
        Ok(())
    }
}
