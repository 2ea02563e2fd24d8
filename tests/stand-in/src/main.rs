//! The stand-in's command: `immich-stand-in server`, `immich-stand-in machine-learning` and
//! `immich-stand-in admin` (or `immich-admin`), each
//! configured by Immich's own environment variables.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use immich_stand_in::{AdminCommand, Server, Settings};
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
    /// What `immich-admin` does, which is also this program under that name.
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

/// A command of `immich-admin`.
#[derive(Clone, Copy, Subcommand)]
enum Admin {
    /// Go into maintenance mode.
    EnableMaintenanceMode,
    /// Leave maintenance mode.
    DisableMaintenanceMode,
    /// Hold the tables against what this version knows.
    SchemaCheck,
}

impl From<Admin> for AdminCommand {
    fn from(command: Admin) -> Self {
        match command {
            Admin::EnableMaintenanceMode => Self::EnableMaintenanceMode,
            Admin::DisableMaintenanceMode => Self::DisableMaintenanceMode,
            Admin::SchemaCheck => Self::SchemaCheck,
        }
    }
}

/// The arguments; under the name `immich-admin` those of that command.
fn arguments() -> impl Iterator<Item = OsString> {
    let mut given = std::env::args_os();
    let name = given.next().unwrap_or_default();
    let is_admin = Path::new(&name).file_name() == Some("immich-admin".as_ref());
    std::iter::once(name)
        .chain(is_admin.then(|| "admin".into()))
        .chain(given)
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let outcome = match Arguments::parse_from(arguments()).role {
        Role::Server => serve().await,
        Role::MachineLearning => immich_stand_in::serve_machine_learning(stopped())
            .await
            .map_err(|error| error.to_string()),
        Role::Admin { command } => return administer(command.into()).await,
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

async fn administer(command: AdminCommand) -> ExitCode {
    let done = match Settings::from_env() {
        Ok(settings) => command
            .run(&settings)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match done {
        Ok((said, well)) => {
            println!("{said}");
            if well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(reason) => {
            eprintln!("{reason}");
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
