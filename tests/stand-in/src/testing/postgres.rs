use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;

use crate::settings::DatabaseAddress;

/// The superuser of the throwaway cluster.
const SUPERUSER: &str = "postgres";

/// A throwaway PostgreSQL cluster, with the role `immich` and its empty database `immich`. It
/// trusts everyone who reaches its Unix socket, and ends with this value.
///
/// As root it runs as the OS user `postgres`, for PostgreSQL refuses to run as root.
pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    process: Option<Child>,
    /// What it is a copy of, kept for the next one.
    template: Option<Arc<Postgres>>,
}

/// Made once as long as any cluster needs it: initdb takes most of a test's time.
static TEMPLATE: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

fn template(bin: &Path, user: Option<(u32, u32)>) -> Result<Arc<Postgres>, String> {
    let mut known = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = known.upgrade() {
        return Ok(template);
    }
    let template = Arc::new(Postgres::made(bin.to_owned(), user)?);
    *known = Arc::downgrade(&template);
    Ok(template)
}

fn succeeded(tool: &str, output: io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{tool}: {said}"))
}

impl Postgres {
    /// Makes and starts a cluster.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self, String> {
        let bin = find_bin().ok_or("PostgreSQL's server is not installed (postgresql-15)")?;
        let user = if nix::unistd::geteuid().is_root() {
            let user = User::from_name(SUPERUSER)
                .ok()
                .flatten()
                .ok_or("running as root, and there is no OS user postgres to run PostgreSQL as")?;
            Some((user.uid.as_raw(), user.gid.as_raw()))
        } else {
            None
        };
        let template = template(&bin, user)?;
        let mut cluster = Self::without_data(bin, user)?;
        let copied = cluster
            .command("/bin/cp")
            .args(["--archive", "--reflink=auto"])
            .arg(template.data())
            .arg(cluster.data())
            .output();
        succeeded("cp", copied)?;
        cluster.template = Some(template);
        cluster.resume()?;
        Ok(cluster)
    }

    /// Makes a cluster with role and database, and leaves it stopped.
    fn made(bin: PathBuf, user: Option<(u32, u32)>) -> Result<Self, String> {
        let mut cluster = Self::without_data(bin, user)?;
        let made = cluster
            .command("initdb")
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            // Small, for it is copied.
            .arg("--wal-segsize=1")
            .args(["--username", SUPERUSER, "--pgdata"])
            .arg(cluster.data())
            .output();
        succeeded("initdb", made)?;
        cluster.resume()?;
        cluster.sql(SUPERUSER, "CREATE ROLE immich LOGIN")?;
        cluster.sql(SUPERUSER, "CREATE DATABASE immich OWNER immich")?;
        cluster.stop();
        Ok(cluster)
    }

    fn without_data(bin: PathBuf, user: Option<(u32, u32)>) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            folder,
            bin,
            user,
            process: None,
            template: None,
        })
    }

    /// Starts the server of a stopped cluster.
    ///
    /// # Errors
    /// When it does not start.
    pub fn resume(&mut self) -> Result<(), String> {
        let log = std::fs::File::create(self.folder.path().join("log"))
            .map_err(|error| error.to_string())?;
        let process = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.socket_dir())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .args(["-c", "full_page_writes=off", "-c", "shared_buffers=16MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("postgres: {error}"))?;
        self.process = Some(process);
        for _ in 0..600 {
            if self.sql(SUPERUSER, "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(format!("PostgreSQL does not start: {log}"))
    }

    /// Stops the server, its connections included; its data stays.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // SIGINT is PostgreSQL's fast shutdown.
        let pid = i32::try_from(process.id()).map(Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = kill(pid, Signal::SIGINT);
        }
        let _ = process.wait();
    }

    /// Runs SQL as the superuser; gives its rows, unaligned.
    ///
    /// # Errors
    /// What psql says.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = self
            .command("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=on", "--username", SUPERUSER, "--host"])
            .arg(self.socket_dir())
            .args(["--dbname", database, "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("psql: {error}"))?;
        if let Some(mut stdin) = psql.stdin.take() {
            // A psql that could not connect has closed it; its own words follow.
            let _ = stdin.write_all(sql.as_bytes());
        }
        let output = psql.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The folder of PostgreSQL's tools.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The folder of the Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The OS user and group that it runs as, where they are not the running ones.
    #[must_use]
    pub fn os_user(&self) -> Option<(u32, u32)> {
        self.user
    }

    /// The database `immich`, as the role `immich`.
    #[must_use]
    pub fn address(&self) -> DatabaseAddress {
        DatabaseAddress::Parts {
            host: self.socket_dir().to_string_lossy().into_owned(),
            port: 5432,
            user: "immich".to_owned(),
            password: None,
            name: "immich".to_owned(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.bin.join(tool));
        command.current_dir("/").env("LC_ALL", "C");
        if let Some((uid, gid)) = self.user {
            command.gid(gid).uid(uid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian keeps the server's programs off the `PATH`; the newest is taken.
fn find_bin() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, folder)| folder).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    })
}
