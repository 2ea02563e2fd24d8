//! The stand-in's command: `immich-stand-in server` and `immich-stand-in machine-learning`, each
//! configured by Immich's own environment variables.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use immich_stand_in::{Server, Settings};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for Immich, for the virtual appliance only.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// The server: API, database, files.
    Server,
    /// The machine learning: answers a ping.
    MachineLearning,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let outcome = match Arguments::parse().role {
        Role::Server => serve().await,
        Role::MachineLearning => immich_stand_in::serve_machine_learning(stopped())
            .await
            .map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            tracing::error!("{reason}");
            // The real server, too, takes a while to give up.
            tokio::time::sleep(Duration::from_secs(1)).await;
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let settings = Settings::from_env().map_err(|error| error.to_string())?;
    let server = Server::start(settings)
        .await
        .map_err(|error| error.to_string())?;
    tracing::info!("Immich Server is listening on {}", server.address());
    server
        .run(stopped())
        .await
        .map_err(|error| error.to_string())
}

/// Ends when the process is told to.
async fn stopped() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
