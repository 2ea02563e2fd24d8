//! Commands in the machine: run to their end, or watched and talked to.

use std::{
    io::{self, Read, Write},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    error::{Doing, Error, Result},
    process::quote,
    ssh::Ssh,
};

/// How long a command may run unless it is told otherwise.
const LIMIT: Duration = Duration::from_secs(600);

/// SSH's exit status when the connection is the trouble.
const CONNECTION_LOST: i32 = 255;

/// A command to run in the machine.
#[must_use = "a command does nothing until it is run or spawned"]
#[derive(Debug)]
pub struct Command<'a> {
    ssh: &'a Ssh,
    line: String,
    user: Option<String>,
    stdin: Vec<u8>,
    terminal: bool,
    shown: bool,
    limit: Duration,
}

impl<'a> Command<'a> {
    pub(crate) fn new(ssh: &'a Ssh, line: &str) -> Self {
        Self {
            ssh,
            line: line.to_owned(),
            user: None,
            stdin: Vec::new(),
            terminal: false,
            shown: false,
            limit: LIMIT,
        }
    }

    /// Runs it as this user, with that user's login environment.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Gives it this on standard input; by default standard input is empty.
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.stdin = content.into();
        self
    }

    /// Gives it a terminal, as a person has; standard error then comes with
    /// standard output, and what is on standard input is typed.
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Copies what it writes to standard output to this program's own, as it comes.
    pub fn shown(mut self) -> Self {
        self.shown = true;
        self
    }

    /// How long it may run (10 minutes unless told otherwise).
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it and returns at once.
    ///
    /// # Errors
    /// [`Error::Io`] when ssh cannot be started.
    pub fn spawn(self) -> Result<Running> {
        let line = quote(&self.line);
        let inner = match &self.user {
            // Not with `-c`: it would take the terminal away.
            Some(user) => format!("runuser -l {} --session-command={line}", quote(user)),
            None => format!("bash -c {line}"),
        };
        let mut command = self.ssh.client();
        if self.terminal {
            command.arg("-tt");
        }
        // The outer shell turns a death by signal into a status: ssh itself
        // would report it as it reports a lost connection.
        let mut child = command
            .args(["root@127.0.0.1", "--", &format!("{inner}; exit $?")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(|| "starting ssh".into())?;
        let mut running = Running {
            stdin: child.stdin.take(),
            stdout: Collector::start(child.stdout.take(), self.shown),
            stderr: Collector::start(child.stderr.take(), false),
            seen: 0,
            child,
            line: self.line,
            deadline: Instant::now() + self.limit,
            limit: self.limit,
        };
        if self.terminal {
            // Closing standard input would hang the terminal up.
            running.say(&self.stdin)?;
        } else if let Some(mut pipe) = running.stdin.take() {
            // A command may well end without reading what it was given.
            thread::spawn(move || pipe.write_all(&self.stdin));
        }
        Ok(running)
    }

    /// Runs it to its end, whatever its exit status.
    ///
    /// # Errors
    /// [`Error::Lost`] when the connection breaks, [`Error::Stuck`] past the limit.
    pub fn run(self) -> Result<Output> {
        self.spawn()?.wait()
    }
}

/// A command that runs in the machine.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
    stdin: Option<ChildStdin>,
    stdout: Collector,
    stderr: Collector,
    /// How much of standard output has been expected and seen.
    seen: usize,
    deadline: Instant,
    limit: Duration,
}

impl Running {
    /// Whether it still runs.
    ///
    /// # Errors
    /// [`Error::Io`] when the system does not say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.ended()?.is_none())
    }

    /// Types something; only a command that was given a terminal hears it.
    ///
    /// # Errors
    /// [`Error::Io`] when it has ended.
    pub fn say(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        let Some(pipe) = &mut self.stdin else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe))
                .doing(|| format!("typing into `{}`", self.line));
        };
        pipe.write_all(text.as_ref())
            .and_then(|()| pipe.flush())
            .doing(|| format!("typing into `{}`", self.line))
    }

    /// Waits until its standard output holds a text after what was expected before, and
    /// returns all of it so far.
    ///
    /// # Errors
    /// [`Error::Failed`] when it ends without saying so, [`Error::Stuck`] past
    /// the limit.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        if self.expect_any(&[text])?.is_some() {
            return Ok(self.stdout.text());
        }
        let status = self.ended()?.and_then(|status| status.code());
        Err(Error::Failed {
            command: self.line.clone(),
            status: status.unwrap_or(CONNECTION_LOST),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        })
    }

    /// Waits until one of these texts is on standard output after what was expected
    /// before, and says which; [`None`] when it ends without.
    ///
    /// # Errors
    /// [`Error::Stuck`] past the limit.
    pub fn expect_any(&mut self, texts: &[&str]) -> Result<Option<usize>> {
        loop {
            // In this order: what it said last is there once it has ended.
            let ended = self.ended()?;
            let stdout = self.stdout.text();
            let new = stdout.get(self.seen..).unwrap_or_default();
            let found = texts.iter().enumerate().filter_map(|(which, text)| {
                let start = new.find(text)?;
                Some((start, start + text.len(), which))
            });
            if let Some((_, end, which)) = found.min() {
                self.seen += end;
                return Ok(Some(which));
            }
            if ended.is_some() {
                return Ok(None);
            }
            if Instant::now() >= self.deadline {
                return Err(Error::Stuck {
                    command: self.line.clone(),
                    limit: self.limit,
                    stdout,
                    stderr: self.stderr.text(),
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has written to standard output so far.
    pub fn so_far(&self) -> String {
        self.stdout.text()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`Error::Lost`] when the connection breaks, [`Error::Stuck`] past the limit.
    pub fn wait(mut self) -> Result<Output> {
        let mut pause = Duration::from_millis(2);
        let status = loop {
            if let Some(status) = self.ended()? {
                break status;
            }
            if Instant::now() >= self.deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(Error::Stuck {
                    limit: self.limit,
                    stdout: self.stdout.text(),
                    stderr: self.stderr.text(),
                    command: self.line,
                });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        match status.code() {
            None | Some(CONNECTION_LOST) => Err(Error::Lost { command: self.line }),
            Some(status) => Ok(Output {
                command: self.line,
                status,
                stdout: self.stdout.bytes(),
                stderr: self.stderr.text(),
            }),
        }
    }

    /// How it ended, once it has and all that it wrote is collected.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().doing(|| "waiting for ssh".into())?;
        if status.is_some() {
            self.stdout.finish();
            self.stderr.finish();
        }
        Ok(status)
    }
}

/// Reads a pipe while it is written, so that the writer never has to wait.
#[derive(Debug)]
struct Collector {
    content: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collector {
    fn start(pipe: Option<impl Read + Send + 'static>, shown: bool) -> Self {
        let content = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&content);
        let reader = pipe.map(|mut pipe| {
            thread::spawn(move || {
                let mut buffer = [0; 65536];
                while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                    if shown {
                        let mut own = io::stdout().lock();
                        let _ = own.write_all(&buffer[..count]).and_then(|()| own.flush());
                    }
                    written
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend_from_slice(&buffer[..count]);
                }
            })
        });
        Self { content, reader }
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// How a command in the machine ended.
#[derive(Clone, Debug)]
pub struct Output {
    command: String,
    /// The exit status; 128 and more where a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output of a command that succeeded, without the last line break.
    ///
    /// # Errors
    /// [`Error::Failed`] with all that it said when its status is not 0.
    pub fn ok(self) -> Result<String> {
        if self.status == 0 {
            return Ok(self.text().trim_end_matches('\n').to_owned());
        }
        Err(Error::Failed {
            stdout: self.text(),
            command: self.command,
            status: self.status,
            stderr: self.stderr,
        })
    }
}
