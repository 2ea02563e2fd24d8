//! Programs that run beside a test and end with it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to be there: generous, for machines that do much else.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running program with its log; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("making the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle of the log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Asks until there is an answer; fails with the log when the program ended before.
    pub(crate) fn until<T>(&mut self, what: &str, mut ask: impl FnMut(&str) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            let log = self.log();
            if let Some(answer) = ask(&log) {
                return answer;
            }
            let ended = self.child.try_wait().expect("looking after a child");
            assert!(
                ended.is_none() && begin.elapsed() < PATIENCE,
                "{what}: {ended:?}\n{log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
