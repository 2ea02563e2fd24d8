//! The tables, brought from any version forward to the one that runs, and never back.
//!
//! The real server's steps are others and more; what matters for a tool is alike: they are recorded
//! in `kysely_migrations`, an older server refuses a database that knows more of them than it, and
//! the first start of a version writes it into `version_history`. Whether the real server does all
//! steps in one transaction is not known. Here each is committed by itself, so that one that fails
//! leaves a database that no version knows: the worse of the two.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Object, Pool};

use crate::server::StartError;
use crate::version::ImmichVersion;

/// Postgres's advisory lock for the schema; any number that is always the same.
const SCHEMA_LOCK: i64 = 200;

/// One step: since which version, its name, its SQL.
type Migration = (ImmichVersion, &'static str, &'static str);

macro_rules! migration {
    ($since:ident, $name:literal) => {
        (
            ImmichVersion::$since,
            $name,
            include_str!(concat!("migrations/", $name, ".sql")),
        )
    };
}

const MIGRATIONS: [Migration; 7] = [
    migration!(V2_7_5, "2.7"),
    migration!(V3_2_2, "3.0-1-album-owner"),
    migration!(V3_2_2, "3.0-2-asset-duration"),
    migration!(V3_2_2, "3.0-3-asset-device"),
    migration!(V3_2_2, "3.1-1-cluster-group"),
    migration!(V3_2_2, "3.2-1-integrity-report"),
    migration!(V3_2_2, "3.2-2-workflow"),
];

/// How the migration of a database goes that already holds something; for tests of what waits for
/// it.
#[derive(Debug, Clone, Default)]
pub struct MigrationBehaviour {
    /// How long each step takes, with something written to the database each second.
    pub step: Duration,
    /// The step that fails, by its name or the beginning of it.
    pub fails_at: Option<String>,
    /// The step that never ends and writes nothing, by its name or the beginning of it.
    pub hangs_at: Option<String>,
}

fn names_of(version: ImmichVersion) -> impl Iterator<Item = &'static Migration> {
    MIGRATIONS.iter().filter(move |one| one.0 <= version)
}

async fn done(client: &impl GenericClient) -> Result<Vec<String>, tokio_postgres::Error> {
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS kysely_migrations (
                name varchar PRIMARY KEY, timestamp varchar NOT NULL);
             CREATE TABLE IF NOT EXISTS kysely_migrations_lock (
                id varchar PRIMARY KEY, is_locked integer NOT NULL DEFAULT 0);
             INSERT INTO kysely_migrations_lock (id) VALUES ('migration_lock')
                ON CONFLICT DO NOTHING;",
        )
        .await?;
    let rows = client
        .query("SELECT name FROM kysely_migrations ORDER BY name", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Brings the tables to what `version` knows.
pub(crate) async fn run(
    pool: &Pool,
    version: ImmichVersion,
    behaviour: &MigrationBehaviour,
) -> Result<(), StartError> {
    let mut client = pool.get().await?;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])
        .await?;
    let outcome = migrate(&mut client, version, behaviour).await;
    // The connection goes back to the pool, and would keep the lock.
    client
        .execute("SELECT pg_advisory_unlock($1)", &[&SCHEMA_LOCK])
        .await?;
    outcome
}

async fn migrate(
    client: &mut Object,
    version: ImmichVersion,
    behaviour: &MigrationBehaviour,
) -> Result<(), StartError> {
    let done = done(&*client).await?;
    let known: Vec<_> = names_of(version).map(|one| one.1).collect();
    if let Some(unknown) = done.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(StartError::Newer(unknown.clone()));
    }
    // A new database is made at once, as on the real server.
    let fresh = done.is_empty();
    for (_, name, sql) in names_of(version).filter(|one| !done.iter().any(|name| name == one.1)) {
        let is = |wanted: &Option<String>| {
            !fresh
                && wanted
                    .as_ref()
                    .is_some_and(|wanted| name.starts_with(wanted))
        };
        tracing::info!("Migration \"{name}\" started");
        if is(&behaviour.hangs_at) {
            std::future::pending::<()>().await;
        }
        if !fresh {
            take_time(client, behaviour.step).await?;
        }
        let transaction = client.transaction().await?;
        transaction.batch_execute(sql).await?;
        transaction
            .execute(
                "INSERT INTO kysely_migrations (name, timestamp) VALUES ($1, now()::text)",
                &[name],
            )
            .await?;
        if is(&behaviour.fails_at) {
            return Err(StartError::Migration((*name).to_owned()));
        }
        transaction.commit().await?;
        tracing::info!("Migration \"{name}\" succeeded");
    }
    Ok(())
}

async fn take_time(client: &Object, time: Duration) -> Result<(), StartError> {
    const TICK: Duration = Duration::from_secs(1);
    let mut left = time;
    while !left.is_zero() {
        let now = left.min(TICK);
        tokio::time::sleep(now).await;
        left -= now;
        client
            .execute("UPDATE kysely_migrations_lock SET is_locked = 1", &[])
            .await?;
    }
    Ok(())
}

/// Writes into `version_history` that this version has started, if it is not the latest there.
pub(crate) async fn record(pool: &Pool, version: ImmichVersion) -> Result<(), StartError> {
    let client = pool.get().await?;
    client
        .execute(
            "INSERT INTO version_history (version)
             SELECT $1::varchar WHERE $1::varchar IS DISTINCT FROM (SELECT version FROM version_history
                ORDER BY \"createdAt\" DESC LIMIT 1)",
            &[&version.to_string()],
        )
        .await?;
    Ok(())
}

/// What `immich-admin schema-check` looks at: steps that are missing, or not this version's.
pub(crate) async fn drift(pool: &Pool, version: ImmichVersion) -> Result<Vec<String>, StartError> {
    let client = pool.get().await?;
    let done = done(&client).await?;
    let missing = names_of(version)
        .filter(|one| !done.iter().any(|name| name == one.1))
        .map(|one| format!("missing migration {}", one.1));
    let strange = done
        .iter()
        .filter(|name| !names_of(version).any(|one| one.1 == *name))
        .map(|name| format!("unknown migration {name}"));
    Ok(missing.chain(strange).collect())
}
