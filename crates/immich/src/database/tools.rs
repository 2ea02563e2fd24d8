//! The one place that runs PostgreSQL's tools.
//!
//! They run as the OS user `postgres`, which its cluster trusts by the Unix socket: no database
//! password exists. Statements go through standard input, never through the argument list.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use appliance_files::{Owner, OwnerError};

use crate::dump::{ArchiveReader, PgVersion};

/// How the database server is reached, and as whom.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The folder of the server's Unix socket.
    pub socket_dir: PathBuf,
    /// The port, which names the socket.
    pub port: u16,
    /// The database superuser.
    pub superuser: String,
    /// The OS user that the tools run as; `None` for the running one.
    pub run_as: Option<Owner>,
    /// The folder of `psql` and `pg_dump`; `None` to find them on the `PATH`.
    pub bin_dir: Option<PathBuf>,
}

impl Connection {
    /// This machine's server: `/run/postgresql`, as `postgres`. The tools run as the OS user
    /// `postgres` when the running user is root, and as the running user otherwise.
    ///
    /// # Errors
    /// When running as root and there is no OS user `postgres`.
    pub fn local() -> std::result::Result<Self, OwnerError> {
        let run_as = if nix::unistd::geteuid().is_root() {
            Some(Owner::lookup("postgres", "postgres")?)
        } else {
            None
        };
        Ok(Self {
            socket_dir: "/run/postgresql".into(),
            port: 5432,
            superuser: "postgres".to_owned(),
            run_as,
            bin_dir: None,
        })
    }
}

/// One of PostgreSQL's tools failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}: {tool} {why}")]
pub struct ToolError {
    /// The tool.
    pub tool: &'static str,
    /// What it was to do.
    pub doing: String,
    /// What went wrong.
    pub why: ToolFailure,
}

/// How a tool failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolFailure {
    /// It could not be run.
    #[error("could not be run: {0}")]
    NotRun(io::Error),
    /// Talking to it failed.
    #[error("broke off: {0}")]
    Pipe(io::Error),
    /// The database server could not be reached, or went away.
    #[error("could not reach the database server: {0}")]
    Unreachable(String),
    /// The database server was stopped while the tool worked, as by locking the drive.
    #[error("could not go on: the database was stopped meanwhile")]
    Stopped,
    /// It said why.
    #[error("said: {0}")]
    Said(String),
    /// Its answer is not what was asked for.
    #[error("answered something unexpected: {0}")]
    Answer(String),
}

impl ToolError {
    /// Whether the database server is not there, rather than unwilling.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.why, ToolFailure::Unreachable(_) | ToolFailure::Stopped)
    }

    /// Whether the database server was stopped while the tool worked.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        matches!(self.why, ToolFailure::Stopped)
    }
}

pub(super) type Result<T> = std::result::Result<T, ToolError>;

/// Who comes to the server: a role, and the OS user that the server knows it by.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) role: String,
    pub(super) run_as: Option<Owner>,
}

/// A tool at work.
pub(super) struct Running {
    tool: &'static str,
    doing: String,
    child: Child,
    said: Option<JoinHandle<String>>,
}

impl Connection {
    /// The answer to `sql`, row by row; each row has `columns` texts.
    pub(super) fn query(
        &self,
        doing: &str,
        database: &str,
        sql: &str,
        columns: usize,
    ) -> Result<Vec<Vec<String>>> {
        let arguments = ["--no-align", "--tuples-only", "-0", "-z", "--file=-"];
        let mut psql = self.start("psql", doing, database, &psql_arguments(&arguments), true)?;
        let (mut stdin, mut stdout) = (psql.stdin()?, psql.stdout()?);
        let sql = sql.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
        let mut answer = Vec::new();
        let read = stdout.read_to_end(&mut answer);
        // A psql that failed stopped reading; its own words tell more than the broken pipe.
        let written = writer.join();
        let error = psql.error_maker();
        psql.finish()?;
        read.map_err(|source| error(ToolFailure::Pipe(source)))?;
        if let Ok(Err(source)) = written {
            return Err(error(ToolFailure::Pipe(source)));
        }
        let text = String::from_utf8(answer)
            .map_err(|_| error(ToolFailure::Answer("not UTF-8".to_owned())))?;
        let Some(text) = text.strip_suffix('\0') else {
            return if text.is_empty() {
                Ok(Vec::new())
            } else {
                Err(error(ToolFailure::Answer(text)))
            };
        };
        let fields: Vec<_> = text.split('\0').map(str::to_owned).collect();
        if !fields.len().is_multiple_of(columns) {
            return Err(error(ToolFailure::Answer(text.to_owned())));
        }
        Ok(fields.chunks(columns).map(<[String]>::to_vec).collect())
    }

    /// Runs statements that give no rows. Each is its own transaction.
    pub(super) fn run(&self, doing: &str, database: &str, statements: &[String]) -> Result<()> {
        let sql: String = statements.iter().map(|one| format!("{one};\n")).collect();
        self.query(doing, database, &sql, 1).map(drop)
    }

    /// A psql that runs what is written to it in one transaction, and undoes it at the first error.
    /// It commits at the end of its input, so a broken input must end in [`Running::abort`].
    ///
    /// It comes to the server as `login`, not as the superuser: a session that a superuser began
    /// could be made one again by what it runs.
    pub(super) fn load(&self, doing: &str, database: &str, login: &Login) -> Result<Running> {
        let arguments = ["--single-transaction", "--output=/dev/null", "--file=-"];
        self.start_as(
            login,
            "psql",
            doing,
            database,
            &psql_arguments(&arguments),
            true,
        )
    }

    /// How dumps in pg_dump's custom format are read.
    #[must_use]
    pub fn archive_reader(&self) -> ArchiveReader {
        ArchiveReader {
            program: self.program("pg_restore"),
            run_as: self.run_as,
        }
    }

    /// A pg_dump that writes to its standard output what Immich's own backup would: ownership
    /// kept, and each object dropped before it is made.
    pub(super) fn dump(&self, doing: &str, database: &str) -> Result<Running> {
        let arguments = ["--clean", "--if-exists", "--lock-wait-timeout=600000"];
        self.start("pg_dump", doing, database, &arguments, false)
    }

    /// psql's own version.
    pub(super) fn psql_version(&self) -> Result<PgVersion> {
        let doing = "read psql's version";
        let failed = |why| ToolError {
            tool: "psql",
            doing: doing.to_owned(),
            why,
        };
        let output = self
            .command("psql", self.run_as)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| failed(ToolFailure::NotRun(source)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().rsplit_once("(PostgreSQL) ") {
            Some((_, version)) => Ok(PgVersion(version.to_owned())),
            None => Err(failed(ToolFailure::Answer(text.into_owned()))),
        }
    }

    pub(super) fn program(&self, tool: &str) -> PathBuf {
        match &self.bin_dir {
            Some(folder) => folder.join(tool),
            None => tool.into(),
        }
    }

    fn command(&self, tool: &str, run_as: Option<Owner>) -> Command {
        let mut command = Command::new(self.program(tool));
        // Neither the caller's PG* variables nor its language may change what the tools do.
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PGCONNECT_TIMEOUT", "10")
            // Nothing that lies in Immich's schema may stand in for a function of PostgreSQL.
            .env("PGOPTIONS", "-c search_path=")
            .current_dir("/");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(owner) = run_as {
            command.gid(owner.gid).uid(owner.uid);
        }
        command
    }

    fn start(
        &self,
        tool: &'static str,
        doing: &str,
        database: &str,
        arguments: &[&str],
        input: bool,
    ) -> Result<Running> {
        let superuser = Login {
            role: self.superuser.clone(),
            run_as: self.run_as,
        };
        self.start_as(&superuser, tool, doing, database, arguments, input)
    }

    fn start_as(
        &self,
        login: &Login,
        tool: &'static str,
        doing: &str,
        database: &str,
        arguments: &[&str],
        input: bool,
    ) -> Result<Running> {
        let mut command = self.command(tool, login.run_as);
        command
            .args(arguments)
            .arg("--no-password")
            .arg(format!("--host={}", self.socket_dir.display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--username={}", login.role))
            .arg(format!("--dbname={}", connection_string(database)))
            .stdin(if input { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| ToolError {
            tool,
            doing: doing.to_owned(),
            why: ToolFailure::NotRun(source),
        })?;
        let said = child
            .stderr
            .take()
            .map(|stderr| std::thread::spawn(move || last_words(stderr)));
        Ok(Running {
            tool,
            doing: doing.to_owned(),
            child,
            said,
        })
    }
}

/// The database as a connection string: a bare name with `=` in it would be taken for one.
fn connection_string(database: &str) -> String {
    let name = database.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{name}'")
}

fn psql_arguments<'a>(own: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=on"];
    arguments.extend(own);
    arguments
}

impl Running {
    pub(super) fn stdin(&mut self) -> Result<ChildStdin> {
        let pipe = self.child.stdin.take();
        pipe.ok_or_else(|| self.error_maker()(ToolFailure::Pipe(io::ErrorKind::BrokenPipe.into())))
    }

    pub(super) fn stdout(&mut self) -> Result<ChildStdout> {
        let pipe = self.child.stdout.take();
        pipe.ok_or_else(|| self.error_maker()(ToolFailure::Pipe(io::ErrorKind::BrokenPipe.into())))
    }

    fn error_maker(&self) -> impl Fn(ToolFailure) -> ToolError + use<> {
        let (tool, doing) = (self.tool, self.doing.clone());
        move |why| ToolError {
            tool,
            doing: doing.clone(),
            why,
        }
    }

    /// Waits for the end; its pipes must be closed or read to their end.
    pub(super) fn finish(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let error = self.error_maker();
        let status = self
            .child
            .wait()
            .map_err(|source| error(ToolFailure::Pipe(source)))?;
        let said = self.said.take().and_then(|thread| thread.join().ok());
        match failure(self.tool, status, said.unwrap_or_default()) {
            None => Ok(()),
            Some(why) => Err(error(why)),
        }
    }

    /// Stops it, so that nothing of what it was told is kept. Must come before its input is closed.
    pub(super) fn abort(mut self) {
        // It can only fail for a process that already ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    /// No tool outlives the interest in it: a psql whose input just ends would commit.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn failure(tool: &str, status: ExitStatus, said: String) -> Option<ToolFailure> {
    if status.success() {
        return None;
    }
    // A server that stops tells its clients, or is just gone.
    let stopped = [
        "terminating connection due to administrator command",
        "server closed the connection unexpectedly",
        "the database system is shutting down",
        "connection to server was lost",
    ];
    if stopped.iter().any(|words| said.contains(words)) {
        return Some(ToolFailure::Stopped);
    }
    // What the tool sent is of no use to the reader, and may fill pages.
    let said = match said.split_once("; pg_dump: detail: Command was:") {
        Some((said, _)) => said.to_owned(),
        None if said.is_empty() => status.to_string(),
        None => said,
    };
    // psql's 2 is "the connection went bad"; pg_dump has only words for it.
    let refused = said.contains("connection to server") && said.contains("failed");
    if (tool == "psql" && status.code() == Some(2)) || refused {
        Some(ToolFailure::Unreachable(said))
    } else {
        Some(ToolFailure::Said(said))
    }
}

/// Reads all that a tool says, and keeps the first and the last of it, as one line.
fn last_words(mut stderr: impl Read) -> String {
    const KEPT: usize = 2000;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if text.len() > 2 * KEPT {
            let from = text.len() - KEPT / 2;
            text.drain(KEPT / 2..from);
        }
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_is_not_taken_for_a_connection_string() {
        assert_eq!(connection_string("immich"), "dbname='immich'");
        assert_eq!(connection_string("a=b' c\\"), "dbname='a=b\\' c\\\\'");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let connection = Connection {
            socket_dir: "/nowhere".into(),
            port: 5432,
            superuser: "postgres".into(),
            run_as: None,
            bin_dir: Some("/nowhere".into()),
        };
        let error = connection
            .query("count", "immich", "SELECT 1", 1)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot count: psql could not be run: "),
            "{error}"
        );
        assert!(!error.is_unreachable());
    }

    #[test]
    fn endless_complaints_are_shortened() {
        let said = last_words(&vec![b'x'; 1 << 20][..]);
        assert!(said.len() < 5000);
    }
}
