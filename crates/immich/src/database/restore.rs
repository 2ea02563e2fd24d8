use std::path::Path;

use super::filter::{CopyError, Filter};
use super::{Contents, Database, DatabaseError, MAINTENANCE, Result, failed, literal};
use crate::dump::{Counts, PgVersion, Section, Summary, Table, open, quote, verify_file};

/// What a restore is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreStep {
    /// Reading the dump to prove it complete.
    Verifying,
    /// Loading it.
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
    /// Restores a dump of pg_dump or pg_dumpall as the database, owned by its role.
    ///
    /// The dump is proven complete first, then loaded beside the database that is there, compared
    /// with the dump's own counts, and only then put in its place: whatever fails, and whenever the
    /// power is cut, either the old database or the whole new one is there. Run again after it
    /// succeeded, without `overwrite`, it changes nothing. Immich must be stopped.
    ///
    /// # Errors
    /// When the dump is not complete, not Immich's, or from a newer PostgreSQL; when the role is
    /// missing; when the database holds users and `overwrite` is not set; when loading fails or
    /// the counts differ.
    pub fn restore(
        &self,
        dump: &Path,
        overwrite: bool,
        on_step: &mut dyn FnMut(RestoreStep),
    ) -> Result<Restored> {
        on_step(RestoreStep::Verifying);
        let summary = verify_file(dump).map_err(|why| DatabaseError::BadDump {
            path: dump.to_owned(),
            why,
        })?;
        let section = summary
            .section(&self.name)
            .filter(|section| section.counts.is_immich())
            .ok_or_else(|| DatabaseError::NotImmich(dump.to_owned()))?;
        let server = self.server_version()?;
        self.refuse_unloadable(dump, &summary, section, &server)?;

        let mut restored = Restored {
            counts: section.counts.clone(),
            dumped_from: summary.server.clone(),
            already_there: false,
            maintenance_ended: section.maintenance,
        };
        if !overwrite && let Contents::Users(users @ 1..) = self.contents()? {
            if !self.is_restored_from(&summary, section)? {
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
        self.load(dump, &summary, &server, on_step)?;

        on_step(RestoreStep::Comparing);
        let loaded = self.count(&beside, "")?;
        let differences = section.counts.differences(&loaded);
        if !differences.is_empty() {
            return Err(DatabaseError::CountsDiffer(differences));
        }
        self.finish(&beside, &summary, section)?;
        on_step(RestoreStep::Replacing);
        self.replace(&beside)?;
        Ok(restored)
    }

    /// The database that is loaded, until it is proven.
    fn beside(&self) -> String {
        format!("{}_restoring", self.name)
    }

    /// The database from before, for the moment between its replacement and its end.
    fn replaced(&self) -> String {
        format!("{}_replaced", self.name)
    }

    fn refuse_unloadable(
        &self,
        dump: &Path,
        summary: &Summary,
        section: &Section,
        server: &PgVersion,
    ) -> Result<()> {
        let dumped = summary.server.as_ref();
        if let (Some(dumped), Some(mine)) = (dumped, server.major())
            && dumped.major().is_some_and(|major| major > mine)
        {
            return Err(DatabaseError::NewerDump {
                path: dump.to_owned(),
                dump: dumped.clone(),
                server: server.clone(),
            });
        }
        if !self.owner_exists()? {
            return Err(DatabaseError::RoleMissing(self.owner.clone()));
        }
        let rows = self.connection.query(
            "list the extensions that the database server offers",
            MAINTENANCE,
            "SELECT name FROM pg_catalog.pg_available_extensions;",
            1,
        )?;
        let offered: Vec<_> = rows.into_iter().flatten().collect();
        let missing: Vec<_> = section
            .extensions
            .iter()
            .filter(|name| !offered.contains(name))
            .cloned()
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(DatabaseError::ExtensionsMissing(missing))
        }
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

    fn load(
        &self,
        dump: &Path,
        summary: &Summary,
        server: &PgVersion,
        on_step: &mut dyn FnMut(RestoreStep),
    ) -> Result<()> {
        let psql_version = self.connection.psql_version()?;
        let filter = Filter::new(summary.kind, &self.name, &self.owner, &psql_version, server);
        let sql = open(dump).map_err(failed("read", dump))?;
        let doing = format!("load the dump {}", dump.display());
        let mut psql = self.connection.load(&doing, &self.beside())?;
        let mut stdin = psql.stdin()?;
        let copied = filter.copy(sql, &mut stdin, &mut |done| {
            on_step(RestoreStep::Loading {
                done,
                total: summary.length,
            });
        });
        match copied {
            Ok(()) => {
                drop(stdin);
                Ok(psql.finish()?)
            }
            Err(CopyError::Read(source)) => {
                // It must not see an end of its input, which it would commit.
                psql.abort();
                Err(failed("read", dump)(source))
            }
            Err(CopyError::Write(source)) => {
                drop(stdin);
                // It stopped at an error, which says more than the broken pipe.
                psql.finish()?;
                Err(failed("hand over", dump)(source))
            }
        }
    }

    /// Whether the database came from this dump and still holds its rows. Equal counts alone do
    /// not tell: a renamed album changes none.
    fn is_restored_from(&self, summary: &Summary, section: &Section) -> Result<bool> {
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
        Ok(came_from == Some(origin(summary))
            && section.counts.differences(&self.counts()?).is_empty())
    }

    /// Clears the maintenance flag, gathers statistics and notes where the database came from,
    /// while nobody uses it yet.
    fn finish(&self, beside: &str, summary: &Summary, section: &Section) -> Result<()> {
        let mut statements = Vec::new();
        if section.maintenance {
            statements.push(format!(
                "UPDATE {} SET value = {} WHERE key = {}",
                Table::immich("system_metadata").quoted(),
                literal(r#"{"isMaintenanceMode": false}"#),
                literal("maintenance-mode")
            ));
        }
        statements.push("ANALYZE".to_owned());
        statements.push(format!(
            "COMMENT ON DATABASE {} IS {}",
            quote(beside),
            literal(&origin(summary))
        ));
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
fn origin(summary: &Summary) -> String {
    format!(
        "restored by immich-appliance from a dump of {} bytes with the CRC-32 {:08x}",
        summary.length, summary.crc32
    )
}
