use std::time::Duration;

use deadpool_postgres::{
    GenericClient, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use serde_json::Value;
use tokio_postgres::{Config, NoTls};

use crate::settings::DatabaseAddress;

/// How often a database that is not there yet is asked at the start.
const TRIES: u32 = 30;

pub(crate) fn config(address: &DatabaseAddress) -> Result<Config, tokio_postgres::Error> {
    let mut config = match address {
        DatabaseAddress::Url(url) => url.parse()?,
        DatabaseAddress::Parts {
            host,
            port,
            user,
            password,
            name,
        } => {
            let mut config = Config::new();
            // An absolute path is taken as the folder of a socket.
            config.host(host).port(*port).user(user).dbname(name);
            if let Some(password) = password {
                config.password(password);
            }
            config
        }
    };
    config.connect_timeout(Duration::from_secs(3));
    Ok(config)
}

pub(crate) fn pool(config: Config) -> Result<Pool, deadpool_postgres::BuildError> {
    let manager = Manager::from_config(
        config,
        NoTls,
        ManagerConfig {
            // A server that was restarted has closed the pool's connections.
            recycling_method: RecyclingMethod::Verified,
        },
    );
    Pool::builder(manager)
        .max_size(16)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(5)))
        .create_timeout(Some(Duration::from_secs(5)))
        .recycle_timeout(Some(Duration::from_secs(5)))
        .build()
}

/// Waits a while for the database.
pub(crate) async fn wait(pool: &Pool) -> Result<Object, PoolError> {
    for _ in 1..TRIES {
        match pool.get().await {
            Ok(client) => return Ok(client),
            Err(error) => {
                tracing::warn!("waiting for the database: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    pool.get().await
}

/// A value from `system_metadata`.
pub(crate) async fn metadata(
    client: &impl GenericClient,
    key: &str,
) -> Result<Option<Value>, tokio_postgres::Error> {
    let row = client
        .query_opt("SELECT value FROM system_metadata WHERE key = $1", &[&key])
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Sets a value in `system_metadata`.
pub(crate) async fn set_metadata(
    client: &impl GenericClient,
    key: &str,
    value: &Value,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "INSERT INTO system_metadata (key, value) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            &[&key, value],
        )
        .await?;
    Ok(())
}
