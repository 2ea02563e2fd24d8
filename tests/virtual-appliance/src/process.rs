//! Programs of the host: looked up, run, and never left behind.

use std::{
    env,
    ffi::OsStr,
    io,
    path::PathBuf,
    process::{Child, Command, Output},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{self, Sender},
    },
    thread,
};

use crate::error::{Doing, Error, Result};

/// Programs the driver cannot do without, and the Debian packages they are in.
pub(crate) const PROGRAMS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("setpriv", "util-linux"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
];

/// Where a program lies. Administrators' folders count even for ordinary users.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A program by its name, or the error that names its package.
pub(crate) fn program(name: &'static str, package: &'static str) -> Result<Command> {
    find(name).map(Command::new).ok_or(Error::Missing {
        program: name,
        package,
    })
}

/// Runs a program to its end and demands success.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().doing(|| format!("running {program}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Program {
        program,
        status: output.status.to_string(),
        stderr: tail(&String::from_utf8_lossy(&output.stderr), 30),
    })
}

/// The beginning of a command for [`spawn_tied`].
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Starts a program that ends when this process does, however this process ends.
///
/// The kernel ties a parent-death signal to the thread that forked, so one
/// thread that lives as long as the process does all the forking.
pub(crate) fn spawn_tied(command: Command) -> io::Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static FORKER: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();

    let forker = FORKER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, answer) = mpsc::channel();
    forker
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A word that the shell reads back as it stands.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_words_survive_the_shell() {
        let word = "it's $HOME \"and\" `more`\n\\";
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("printf %s {}", quote(word)))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = program("no-such-program-here", "some-package").unwrap_err();
        assert!(error.to_string().contains("some-package"), "{error}");
    }
}
