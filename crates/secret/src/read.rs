use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Secret;

/// The longest secret that is read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// Something a person should know about a secret that was read all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Other users of the machine can read the file.
    #[error(
        "{} can be read by other users of this machine; close it with: chmod 600 {}",
        path.display(), path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
    },
    /// The secret has a line break inside, so nobody can type it at a prompt.
    #[error("the secret from {from} holds a line break; it cannot be typed at a prompt")]
    LineBreak {
        /// Where the secret was read from.
        from: String,
    },
}

/// Why a secret was not read from a file or file descriptor.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be opened or read.
    #[error("cannot read the secret from {from}")]
    Io {
        /// Where it should have come from.
        from: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing was there, or only a newline.
    #[error("the secret from {from} is empty")]
    Empty {
        /// Where it came from.
        from: String,
    },
    /// It goes on for more than [`MAX_BYTES`]: most likely the wrong file.
    #[error("the secret from {from} is longer than {MAX_BYTES} bytes: is this the right one?")]
    TooLong {
        /// Where it came from.
        from: String,
    },
}

/// Reads a secret from a file, without one trailing newline.
pub(crate) fn from_file(path: &Path) -> Result<(Secret, Vec<Warning>), ReadError> {
    let from = path.display().to_string();
    let opened = File::open(path).and_then(|file| {
        let mode = file.metadata()?.permissions().mode();
        Ok((file, mode))
    });
    let (file, mode) = opened.map_err(|source| ReadError::Io {
        from: from.clone(),
        source,
    })?;
    let (secret, mut warnings) = from_reader(file, from)?;
    if mode & 0o004 != 0 {
        warnings.push(Warning::ReadableByOthers {
            path: path.to_path_buf(),
        });
    }
    Ok((secret, warnings))
}

/// Reads a secret from an open file descriptor up to its end, without one trailing newline.
pub(crate) fn from_descriptor(fd: RawFd) -> Result<(Secret, Vec<Warning>), ReadError> {
    let from = format!("file descriptor {fd}");
    match duplicate(fd) {
        Ok(file) => from_reader(file, from),
        Err(source) => Err(ReadError::Io { from, source }),
    }
}

/// A second handle on an open file descriptor, past the buffer that the standard library keeps
/// for standard input: it would not be wiped.
fn duplicate(fd: RawFd) -> io::Result<File> {
    let owned = if fd == 0 {
        io::stdin().as_fd().try_clone_to_owned()?
    } else {
        // Also keeps out −1, which `BorrowedFd` forbids.
        std::fs::symlink_metadata(format!("/proc/self/fd/{fd}"))
            .map_err(|_| io::Error::from(nix::errno::Errno::EBADF))?;
        // SAFETY: the descriptor is open, as just seen, and is duplicated at once. It was named
        // on the command line, so it is the parent's: nothing in this process owns or closes it.
        unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?
    };
    Ok(File::from(owned))
}

fn from_reader(reader: impl Read, from: String) -> Result<(Secret, Vec<Warning>), ReadError> {
    // Room for all that is ever read, so that no reallocation leaves a copy behind:
    // the longest secret, its newline, and one byte that proves it too long.
    const ROOM: usize = MAX_BYTES + 3;
    let mut buffer = Zeroizing::new(vec![0; ROOM]);
    let length = match fill(reader, &mut buffer) {
        Ok(length) => length,
        Err(source) => return Err(ReadError::Io { from, source }),
    };
    let secret = without_newline(&buffer[..length]);
    if secret.is_empty() {
        return Err(ReadError::Empty { from });
    }
    if secret.len() > MAX_BYTES {
        return Err(ReadError::TooLong { from });
    }
    let mut warnings = Vec::new();
    if secret.contains(&b'\n') && std::str::from_utf8(secret).is_ok() {
        warnings.push(Warning::LineBreak { from });
    }
    Ok((Secret::copy_from(secret), warnings))
}

fn fill(mut reader: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn without_newline(bytes: &[u8]) -> &[u8] {
    match bytes {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn read(bytes: &[u8]) -> Result<(Secret, Vec<Warning>), ReadError> {
        from_reader(bytes, String::from("here"))
    }

    #[test]
    fn exactly_one_trailing_newline_is_dropped() {
        for (given, kept) in [
            ("word", "word"),
            ("word\n", "word"),
            ("word\r\n", "word"),
            (" two words \n", " two words "),
            ("word\n\n", "word\n"),
        ] {
            let (secret, _) = read(given.as_bytes()).unwrap();
            assert_eq!(secret.expose_text().unwrap(), kept, "{given:?}");
        }
    }

    #[test]
    fn a_line_break_inside_is_warned_about() {
        let (_, warnings) = read(b"word\n\n").unwrap();
        assert!(matches!(warnings[..], [Warning::LineBreak { .. }]));
        let (_, warnings) = read(b"word\n").unwrap();
        assert_eq!(warnings, []);
        // A key of random bytes was never meant to be typed.
        let (_, warnings) = read(b"\xff\n\xff").unwrap();
        assert_eq!(warnings, []);
    }

    #[test]
    fn an_empty_secret_is_refused() {
        for given in ["", "\n", "\r\n"] {
            assert!(matches!(
                read(given.as_bytes()),
                Err(ReadError::Empty { .. })
            ));
        }
    }

    #[test]
    fn a_secret_longer_than_allowed_is_refused_not_cut() {
        let mut given = vec![b'x'; MAX_BYTES];
        given.extend(b"\r\n");
        assert_eq!(read(&given).unwrap().0.len(), MAX_BYTES);
        given.insert(0, b'x');
        assert!(matches!(read(&given), Err(ReadError::TooLong { .. })));
        assert!(matches!(
            from_reader(io::repeat(b'x'), String::new()),
            Err(ReadError::TooLong { .. })
        ));
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, "word\n").unwrap();
        for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let (secret, warnings) = from_file(&path).unwrap();
            assert_eq!(secret.expose_text().unwrap(), "word");
            assert_eq!(!warnings.is_empty(), warned, "{mode:o}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = from_file(Path::new("/absent/passphrase")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the secret from /absent/passphrase"
        );
    }

    #[test]
    fn a_descriptor_is_read_from_where_it_stands_and_stays_open() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"from a pipe\n").unwrap();
        drop(writer);
        let (secret, _) = from_descriptor(reader.as_raw_fd()).unwrap();
        assert_eq!(secret.expose_text().unwrap(), "from a pipe");
        reader.try_clone().unwrap();
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_an_error() {
        for fd in [-1, 1_000_000] {
            assert!(matches!(from_descriptor(fd), Err(ReadError::Io { .. })));
        }
    }
}
