use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::{Postgres, Redis};
use crate::migrations::MigrationBehaviour;
use crate::server::{Server, StartError};
use crate::settings::Settings;
use crate::version::ImmichVersion;

/// The stand-in, running in the test's own process. It stops with this value.
pub struct StandIn {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

/// Settings for a stand-in on a free port of this machine.
#[must_use]
pub fn settings(media: &Path, postgres: &Postgres, redis: Option<&Redis>) -> Settings {
    Settings {
        media: media.to_owned(),
        host: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        database: postgres.address(),
        redis: redis.map(Redis::address),
        pg_bin: Some(postgres.bin_dir().to_owned()),
        config_file: false,
        version: ImmichVersion::default(),
        migration: MigrationBehaviour::default(),
    }
}

impl StandIn {
    /// Starts it, and returns when it listens.
    ///
    /// # Errors
    /// When it refuses to start.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let server = runtime.block_on(Server::start(settings))?;
        let url = server.url();
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(server.run(async {
            let _ = stopped.await;
        }));
        Ok(Self {
            url,
            stop: Some(stop),
            runtime: Some(runtime),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}
