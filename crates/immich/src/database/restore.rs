use super::ledger::TrustedDump;
use super::{Contents, Database, DatabaseError, MAINTENANCE, Result, literal};
use crate::dump::{Counts, PgVersion, VerifiedDump, loadable_here, needed, quote};

/// What a restore is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreStep {
    /// Loading the dump.
    Loading {
        /// Bytes of plain SQL so far.
        done: u64,
        /// All of them.
        total: u64,
    },
    /// Counting what was loaded.
    Comparing,
    /// Putting the loaded database in the old one's place.
    Replacing,
}

/// A restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its rows, which are those of the dump.
    pub counts: Counts,
    /// The server that the dump was taken from.
    pub dumped_from: Option<PgVersion>,
    /// The database was restored from this very dump before, and has not changed since: it was
    /// left as it is.
    pub already_there: bool,
    /// The dump carried Immich's maintenance flag, which was cleared.
    pub maintenance_ended: bool,
}

impl Database {
    /// Restores a dump as the database, owned by its role.
    ///
    /// The dump is loaded beside the database that is there, compared with the dump's own counts,
    /// and only then put in its place: whatever fails, and whenever the power is cut, either the
    /// old database or the whole new one is there. Run again after it succeeded, without
    /// `overwrite`, it changes nothing. Immich must be stopped.
    ///
    /// It is loaded as the role that owns the database, in a session that was never the
    /// superuser's; roles, privileges and extensions that Immich does not use are left out.
    ///
    /// # Errors
    /// When the dump [cannot be loaded here](DatabaseError::NotLoadable) or was changed after it
    /// had been proven; when the role is missing or has rights that no dump may use; when the
    /// database holds users and `overwrite` is not set; when loading fails or the counts differ.
    pub fn restore(
        &self,
        dump: &TrustedDump,
        overwrite: bool,
        on_step: &mut dyn FnMut(RestoreStep),
    ) -> Result<Restored> {
        let dump = dump.verified();
        // Whether Immich's version fits is told by whoever knows the installed one.
        let installed = self.installed(None)?;
        loadable_here(dump, &installed).map_err(|obstacles| DatabaseError::NotLoadable {
            path: dump.path().to_owned(),
            obstacles,
        })?;
        self.refuse_owner()?;

        let mut restored = Restored {
            counts: dump.counts().clone(),
            dumped_from: dump.postgresql().cloned(),
            already_there: false,
            maintenance_ended: dump.in_maintenance(),
        };
        if !overwrite && let Contents::Users(users @ 1..) = self.contents()? {
            if !self.is_restored_from(dump)? {
                return Err(DatabaseError::HoldsUsers {
                    name: self.name.clone(),
                    users,
                });
            }
            self.drop_leftovers()?;
            restored.already_there = true;
            return Ok(restored);
        }

        self.drop_leftovers()?;
        let beside = self.beside();
        self.connection.run(
            "create a database to restore into",
            MAINTENANCE,
            &[format!(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'",
                quote(&beside),
                quote(&self.owner)
            )],
        )?;
        self.prepare(dump, &beside)?;
        let total = dump.plain_bytes();
        self.load(dump, &beside, &mut |done| {
            on_step(RestoreStep::Loading { done, total });
        })?;

        on_step(RestoreStep::Comparing);
        let differences = dump.counts().differences(&self.count(&beside, "")?);
        if !differences.is_empty() {
            return Err(DatabaseError::CountsDiffer(differences));
        }
        self.finish(&beside, dump)?;
        on_step(RestoreStep::Replacing);
        self.replace(&beside)?;
        Ok(restored)
    }

    /// Makes what only a superuser may make: the extensions, and their schemas.
    fn prepare(&self, dump: &VerifiedDump, beside: &str) -> Result<()> {
        let owner = quote(&self.owner);
        let mut statements = vec![format!("ALTER SCHEMA public OWNER TO {owner}")];
        for (name, schema) in needed(dump) {
            let schema = quote(schema);
            statements.push(format!(
                "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}"
            ));
            statements.push(format!(
                "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {schema} CASCADE",
                quote(name)
            ));
        }
        let doing = "make the extensions that the dump needs";
        Ok(self.connection.run(doing, beside, &statements)?)
    }

    /// The role that a dump is loaded as must be able to do no more than Immich has to.
    fn refuse_owner(&self) -> Result<()> {
        if !self.owner_exists()? {
            return Err(DatabaseError::RoleMissing(self.owner.clone()));
        }
        let sql = format!(
            "SELECT count(*) FROM pg_catalog.pg_roles r WHERE rolname = {owner} AND (rolsuper \
             OR rolcreaterole OR rolreplication \
             OR EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE (p.rolsuper OR p.rolname IN \
             ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')) \
             AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')));",
            owner = literal(&self.owner)
        );
        let doing = "look at the rights of Immich's role";
        let rows = self.connection.query(doing, MAINTENANCE, &sql, 1)?;
        if super::first(rows) == "0" {
            Ok(())
        } else {
            Err(DatabaseError::RoleTooMighty(self.owner.clone()))
        }
    }

    /// The database that is loaded, until it is proven.
    fn beside(&self) -> String {
        format!("{}_restoring", self.name)
    }

    /// The database from before, for the moment between its replacement and its end.
    fn replaced(&self) -> String {
        format!("{}_replaced", self.name)
    }

    /// Removes what a restore that was cut short left. The replaced database counts as left only
    /// while the one that replaced it is there.
    fn drop_leftovers(&self) -> Result<()> {
        let mut names = vec![self.beside()];
        if self.exists()? {
            names.push(self.replaced());
        }
        let statements: Vec<_> = names
            .iter()
            .map(|name| format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name)))
            .collect();
        let doing = "remove what an earlier restore left";
        Ok(self.connection.run(doing, MAINTENANCE, &statements)?)
    }

    /// Whether the database came from this dump and still holds its rows. Equal counts alone do
    /// not tell: a renamed album changes none.
    fn is_restored_from(&self, dump: &VerifiedDump) -> Result<bool> {
        let rows = self.connection.query(
            "read where the database came from",
            MAINTENANCE,
            &format!(
                "SELECT pg_catalog.shobj_description(oid, 'pg_database') \
                 FROM pg_catalog.pg_database WHERE datname = {};",
                literal(&self.name)
            ),
            1,
        )?;
        let came_from = rows.into_iter().flatten().next();
        Ok(
            came_from == Some(origin(dump))
                && dump.counts().differences(&self.counts()?).is_empty(),
        )
    }

    /// Gathers statistics and notes where the database came from, while nobody uses it yet.
    fn finish(&self, beside: &str, dump: &VerifiedDump) -> Result<()> {
        let statements = [
            "ANALYZE".to_owned(),
            format!(
                "COMMENT ON DATABASE {} IS {}",
                quote(beside),
                literal(&origin(dump))
            ),
        ];
        let doing = "finish the restored database";
        Ok(self.connection.run(doing, beside, &statements)?)
    }

    /// Puts `beside` in the database's place, at once.
    fn replace(&self, beside: &str) -> Result<()> {
        let (name, replaced) = (quote(&self.name), quote(&self.replaced()));
        let mut statements = Vec::new();
        if self.exists()? {
            statements.push(format!(
                "SELECT pg_terminate_backend(pid, 5000) IS NULL FROM pg_catalog.pg_stat_activity \
                 WHERE datname = {}",
                literal(&self.name)
            ));
            statements.push("BEGIN".to_owned());
            statements.push(format!("ALTER DATABASE {name} RENAME TO {replaced}"));
        } else {
            statements.push("BEGIN".to_owned());
        }
        statements.push(format!("ALTER DATABASE {} RENAME TO {name}", quote(beside)));
        statements.push("COMMIT".to_owned());
        let doing = format!("put the restored database in place of {:?}", self.name);
        self.connection.run(&doing, MAINTENANCE, &statements)?;
        self.drop_leftovers()
    }
}

/// What is noted at a database about the dump that it came from.
fn origin(dump: &VerifiedDump) -> String {
    format!(
        "restored by immich-appliance from the dump with the SHA-256 {}",
        dump.sha256()
    )
}
