use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use deadpool_postgres::Pool;
use tokio::net::TcpListener;

use crate::maintenance::Maintenance;
use crate::settings::Settings;
use crate::{database, media, migrations, redis, routes};

/// What all handlers share.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) pool: Pool,
    /// One database dump at a time.
    pub(crate) dumping: tokio::sync::Mutex<()>,
    pub(crate) maintenance: Maintenance,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder or a marker is not as it must be.
    #[error("Failed to {doing} {}: {source}. A media folder is missing, not writable, or not the one it was", marker.display())]
    Media {
        /// What was tried.
        doing: &'static str,
        /// With what.
        marker: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The database does not answer, or not as it should.
    #[error("the database: {0}")]
    Database(String),
    /// The database was migrated by a later version.
    #[error("corrupted migrations: previously executed migration {0} is missing")]
    Newer(String),
    /// A step of the migration failed, as it was told to.
    #[error("Migration \"{0}\" failed")]
    Migration(String),
    /// The port is taken.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
}

impl From<tokio_postgres::Error> for StartError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
        )
    }
}

impl From<deadpool_postgres::PoolError> for StartError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Database(error.to_string())
    }
}

/// A server that has passed all its checks and listens.
pub struct Server {
    listener: TcpListener,
    router: Router,
    address: SocketAddr,
}

impl Server {
    /// Waits for Redis and the database, checks the media folders, and listens.
    ///
    /// # Errors
    /// When the database stays away, a folder or marker is missing, or the port is taken.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        if let Some(redis) = &settings.redis {
            redis::wait(redis).await;
        }
        let pool = database::pool(database::config(&settings.database)?)
            .map_err(|error| StartError::Database(error.to_string()))?;
        drop(database::wait(&pool).await?);
        migrations::run(&pool, settings.version, &settings.migration).await?;
        migrations::record(&pool, settings.version).await?;
        media::check(&pool, &settings.media).await?;
        media::relocate(&pool, &settings.media).await?;
        let maintenance = Maintenance::at_start(&pool).await?;
        let listener = TcpListener::bind((settings.host, settings.port)).await?;
        let address = listener.local_addr()?;
        let app = App {
            settings,
            pool,
            dumping: tokio::sync::Mutex::new(()),
            maintenance,
        };
        Ok(Self {
            listener,
            router: routes::router(Arc::new(app)),
            address,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client on this machine finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }

    /// Answers until `stop` ends, and then finishes the calls under way.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        axum::serve(self.listener, self.router)
            .with_graceful_shutdown(stop)
            .await
    }
}
