use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::{MAX_BYTES, Secret};

/// Why a person was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The process has no terminal to ask on.
    #[error("there is no terminal to ask on")]
    NoTerminal(#[source] io::Error),
    /// The person pressed Ctrl-C or Ctrl-D.
    #[error("cancelled at the prompt")]
    Cancelled,
    /// The terminal failed.
    #[error("cannot read from the terminal")]
    Io(#[source] io::Error),
}

/// Asks on the process's terminal, whatever standard input and output are, without showing what
/// is typed. `question` is shown as it is. An empty answer is an answer.
///
/// # Errors
/// When there is no terminal, or the person cancels.
pub fn prompt(question: &str) -> Result<Secret, PromptError> {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NOCTTY.bits())
        .open("/dev/tty")
        .map_err(PromptError::NoTerminal)?;
    ask(terminal, question)
}

fn ask(terminal: File, question: &str) -> Result<Secret, PromptError> {
    let mut silent = Silent::new(terminal).map_err(PromptError::Io)?;
    match silent.ask(question) {
        Ok(Answer::Line(secret)) => Ok(secret),
        Ok(Answer::EndOfFile) => Err(PromptError::Cancelled),
        Ok(Answer::Interrupt) => {
            // First the terminal is itself again, then the signal does what it would have done.
            drop(silent);
            let _ = raise(Signal::SIGINT);
            Err(PromptError::Cancelled)
        }
        Err(error) => Err(PromptError::Io(error)),
    }
}

enum Answer {
    Line(Secret),
    EndOfFile,
    Interrupt,
}

/// A terminal that does not echo, until dropped.
///
/// The kernel still edits the line. Its interrupt character ends a line here instead of raising
/// a signal: dying at once would leave the terminal mute.
struct Silent {
    terminal: File,
    before: Termios,
    interrupt: u8,
}

impl Silent {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let interrupt = before.control_chars[SpecialCharacterIndices::VINTR as usize];
        let mut silent = before.clone();
        silent
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ISIG);
        silent
            .local_flags
            .insert(LocalFlags::ICANON | LocalFlags::ECHONL);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = interrupt;
        // Drops what was typed before the question: it was not meant as its answer.
        tcsetattr(terminal.as_fd(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self {
            terminal,
            before,
            interrupt,
        })
    }

    fn ask(&mut self, question: &str) -> io::Result<Answer> {
        self.terminal.write_all(question.as_bytes())?;
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let mut length = 0;
        loop {
            let count = match self.terminal.read(&mut buffer[length..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            length += count;
            match buffer[..length].last() {
                _ if count == 0 && length < MAX_BYTES => return Ok(Answer::EndOfFile),
                _ if count == 0 => return Err(io::ErrorKind::FileTooLarge.into()),
                Some(b'\n') => return Ok(Answer::Line(Secret::copy_from(&buffer[..length - 1]))),
                Some(&last) if last == self.interrupt => {
                    self.terminal.write_all(b"\n")?;
                    return Ok(Answer::Interrupt);
                }
                // Ctrl-D in the middle of a line hands over what there is: the line goes on.
                _ => {}
            }
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal.as_fd(), SetArg::TCSANOW, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use std::thread;

    /// Answers a question on a pseudo-terminal with these keys; gives the answer, all that the
    /// terminal showed, and whether it echoes again afterwards.
    fn answered(keys: &[u8]) -> (Result<Answer, io::Error>, String, bool) {
        let pair = openpty(None, None).unwrap();
        let (mut person, terminal) = (File::from(pair.master), File::from(pair.slave));
        let kept = terminal.try_clone().unwrap();
        let asking = thread::spawn(move || Silent::new(terminal)?.ask("Passphrase: "));
        let mut shown = String::new();
        let mut byte = [0];
        while !shown.ends_with("Passphrase: ") {
            person.read_exact(&mut byte).unwrap();
            shown.push(byte[0].into());
        }
        person.write_all(keys).unwrap();
        let answer = asking.join().unwrap();
        let echoes = tcgetattr(&kept)
            .unwrap()
            .local_flags
            .contains(LocalFlags::ECHO | LocalFlags::ISIG);
        // The end of what is shown is marked by a line of our own.
        (&kept).write_all(b"END").unwrap();
        while !shown.ends_with("END") {
            person.read_exact(&mut byte).unwrap();
            shown.push(byte[0].into());
        }
        (answer, shown, echoes)
    }

    #[test]
    fn what_is_typed_is_not_shown_and_the_terminal_echoes_again_afterwards() {
        let (answer, shown, echoes) = answered(b"open sesame\n");
        let Ok(Answer::Line(secret)) = answer else {
            panic!("no line");
        };
        assert_eq!(secret.expose_text().unwrap(), "open sesame");
        assert_eq!(shown, "Passphrase: \r\nEND");
        assert!(echoes);
    }

    #[test]
    fn a_slip_can_be_erased() {
        let (answer, ..) = answered(b"wrong\x15open sesamee\x7f\n");
        let Ok(Answer::Line(secret)) = answer else {
            panic!("no line");
        };
        assert_eq!(secret.expose_text().unwrap(), "open sesame");
    }

    #[test]
    fn ctrl_c_cancels_and_leaves_the_terminal_as_it_was() {
        let (answer, shown, echoes) = answered(b"open\x03");
        assert!(matches!(answer, Ok(Answer::Interrupt)));
        assert!(!shown.contains("open") && echoes);
    }

    #[test]
    fn ctrl_d_cancels_an_empty_line() {
        let (answer, _, echoes) = answered(b"\x04");
        assert!(matches!(answer, Ok(Answer::EndOfFile)) && echoes);
    }

    #[test]
    fn an_empty_line_is_an_answer() {
        let (answer, ..) = answered(b"\n");
        assert!(matches!(answer, Ok(Answer::Line(secret)) if secret.is_empty()));
    }
}
