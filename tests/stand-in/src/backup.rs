//! The database backup job: pg_dump into `backups/`, named and kept as Immich does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Zoned;

use crate::database::metadata;
use crate::error::Refusal;
use crate::routes::system_config;
use crate::server::App;
use crate::settings::DatabaseAddress;

/// The folder of the dumps.
pub(crate) fn folder(app: &App) -> PathBuf {
    app.settings.media.join("backups")
}

/// A file that falls under the retention.
fn is_routine(name: &str) -> bool {
    let inner = name
        .strip_prefix("immich-db-backup-")
        .and_then(|rest| rest.strip_suffix(".sql.gz"));
    inner.is_some_and(|inner| {
        inner.bytes().all(|byte| byte.is_ascii_digit())
            || (inner.get(8..9) == Some("T") && inner.contains("-v") && inner.contains("-pg"))
    })
}

/// Runs the job; a failure shows as a notification to all admins.
pub(crate) async fn run(app: Arc<App>) {
    let _one_at_a_time = app.dumping.lock().await;
    let Err(reason) = attempt(&app).await else {
        return;
    };
    tracing::error!("Database Backup Failure: {reason}");
    if let Err(error) = notify(&app, &reason).await {
        tracing::error!("cannot notify: {error:?}");
    }
}

async fn attempt(app: &App) -> Result<(), String> {
    let client = app.pool.get().await.map_err(|error| error.to_string())?;
    let version: String = client
        .query_one("SHOW server_version", &[])
        .await
        .map_err(|error| error.to_string())?
        .get(0);
    let config = metadata(&client, "system-config")
        .await
        .map_err(|error| error.to_string())?;
    let keep = system_config::effective(app, config)["backup"]["database"]["keepLastAmount"]
        .as_u64()
        .and_then(|keep| usize::try_from(keep).ok())
        .unwrap_or(14);
    drop(client);

    let version = version.split(' ').next().unwrap_or_default().to_owned();
    let name = format!(
        "immich-db-backup-{}-v{}-pg{version}.sql.gz",
        Zoned::now().strftime("%Y%m%dT%H%M%S"),
        app.settings.version,
    );
    let folder = folder(app);
    let command = pg_dump(app, &version);
    let work = tokio::task::spawn_blocking(move || {
        let temporary = folder.join(format!("{name}.tmp"));
        dump(command, &temporary)
            .and_then(|()| fs::rename(&temporary, folder.join(&name)))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        retain(&folder, keep)
    });
    match work.await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn pg_dump(app: &App, version: &str) -> Command {
    let debians = PathBuf::from(format!(
        "/usr/lib/postgresql/{}/bin",
        version.split('.').next().unwrap_or_default()
    ));
    let folder = match &app.settings.pg_bin {
        Some(folder) => Some(folder.clone()),
        None => Some(debians).filter(|folder| folder.join("pg_dump").exists()),
    };
    let program = folder.map_or_else(|| "pg_dump".into(), |folder| folder.join("pg_dump"));
    let mut command = Command::new(program);
    command.args(["--clean", "--if-exists"]);
    match &app.settings.database {
        DatabaseAddress::Url(url) => {
            command.arg("--dbname").arg(url);
        }
        DatabaseAddress::Parts {
            host,
            port,
            user,
            password,
            name,
        } => {
            command
                .args(["--no-password", "--host", host, "--username", user])
                .args(["--port", &port.to_string(), name]);
            if let Some(password) = password {
                command.env("PGPASSWORD", password);
            }
        }
    }
    command
}

fn dump(mut command: Command, to: &Path) -> io::Result<()> {
    let file = fs::File::create(to)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut gzip = GzEncoder::new(io::BufWriter::new(file), Compression::default());
    let copied = match child.stdout.take() {
        Some(mut stdout) => io::copy(&mut stdout, &mut gzip),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    if copied.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    copied?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "pg_dump non-zero exit code ({status})"
        )));
    }
    gzip.finish()?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    Ok(())
}

/// Removes routine dumps beyond the newest, and what failed dumps left.
fn retain(folder: &Path, keep: usize) -> io::Result<()> {
    let mut routine = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_routine(&name) {
            routine.push(name);
        } else if name.starts_with("immich-db-backup-") && name.ends_with(".sql.gz.tmp") {
            fs::remove_file(folder.join(name))?;
        }
    }
    routine.sort_unstable();
    let surplus = routine.len().saturating_sub(keep);
    for name in &routine[..surplus] {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

async fn notify(app: &App, reason: &str) -> Result<(), Refusal> {
    let client = app.pool.get().await?;
    client
        .execute(
            "INSERT INTO notification (\"userId\", level, type, title, description)
             SELECT id, 'error', 'JobFailed', 'Job Failed', $1 FROM \"user\" WHERE \"isAdmin\"",
            &[&format!("Job DatabaseBackup failed with error: {reason}")],
        )
        .await?;
    Ok(())
}
