use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use appliance_files::{Lock, LockError, create_dir_durably, write_durably};
use serde::{Deserialize, Serialize};

use crate::State;

/// The name of the file in the state directory.
pub const FILE_NAME: &str = "state.toml";
/// The version of the file's form that this program writes.
const VERSION: u32 = 1;
/// Another run holds the lock only while it writes a small file.
const PATIENCE: Duration = Duration::from_secs(30);
const HEADING: &str = "\
# What immich-appliance remembers about this machine. It writes this file itself.
# It may be deleted: the next unlock and the next backup write it anew.

";

/// Reads and writes the state in its directory.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// Why the state was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds something else than a state.
    #[error(
        "{}:{line} is damaged ({reason}); put it aside with: mv {0} {0}.damaged — \
         the next unlock and the next backup write a new one", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The file was written by a newer version of the program.
    #[error(
        "{} was written by a newer version of this program (form {found}, this one knows \
         {VERSION}); install that version again, or put the file aside with: mv {0} {0}.newer",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its form.
        found: u32,
    },
    /// The file could not be written.
    #[error("cannot keep the state")]
    Write(#[from] appliance_files::Error),
    /// Another run keeps the file locked.
    #[error("cannot change the state")]
    Lock(#[from] LockError),
    /// The state has a value that the file's form cannot hold.
    #[error("cannot write the state as TOML")]
    Form(#[from] toml::ser::Error),
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize)]
struct Versioned<'a> {
    version: u32,
    #[serde(flatten)]
    state: &'a State,
}

impl Store {
    /// The state in this directory. Nothing is read yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self { directory }
    }

    /// The file that holds the state.
    pub fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    /// Reads the state. Where there is none yet, it is empty.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged; the error says how to mend it.
    pub fn load(&self) -> Result<State, Error> {
        let path = self.path();
        match fs::read(&path) {
            Ok(bytes) => parse(&path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Reads the state, changes it and writes it durably, while no other run does. Gives the new
    /// state. The directory is made where missing (mode 0700).
    ///
    /// # Errors
    /// When it cannot be read, locked or written; the file is then as it was.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<State, Error> {
        if !self.directory.is_dir() {
            create_dir_durably(&self.directory, 0o700, None)?;
        }
        let _lock = Lock::acquire(&self.directory.join("state.lock"), Some(PATIENCE))?;
        let before = self.load()?;
        let mut state = before.clone();
        change(&mut state);
        let path = self.path();
        if state != before || !path.exists() {
            write_durably(&path, form(&state)?.as_bytes(), 0o600)?;
        }
        Ok(state)
    }
}

fn form(state: &State) -> Result<String, toml::ser::Error> {
    let text = toml::to_string(&Versioned {
        version: VERSION,
        state,
    })?;
    Ok(format!("{HEADING}{text}"))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<State, Error> {
    let damaged = |at: usize, reason: &str| Error::Damaged {
        path: path.to_path_buf(),
        line: bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1,
        reason: reason.trim().to_owned(),
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| damaged(error.valid_up_to(), "this is no text"))?;
    let toml = |error: toml::de::Error| {
        damaged(error.span().map_or(0, |span| span.start), error.message())
    };
    // The version first: a newer form may not be readable as this one.
    let Version { version } = toml::from_str(text).map_err(toml)?;
    if version > VERSION {
        return Err(Error::Newer {
            path: path.to_path_buf(),
            found: version,
        });
    }
    toml::from_str(text).map_err(toml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailedBackup, GoodBackup, RememberedDrive};
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;
    use uuid::Uuid;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("immich-appliance"));
        (folder, store)
    }

    fn full() -> State {
        State {
            drive: Some(RememberedDrive {
                uuid: Uuid::from_u128(7),
                label: Some("photos \"2026\"".into()),
                first_used: "2026-11-21T01:02:03.5Z".parse().unwrap(),
            }),
            last_good_backup: Some(GoodBackup {
                time: "2026-11-22T00:00:00Z".parse().unwrap(),
                snapshot: "0123abcd".into(),
                repository: "s3:photos/immich".into(),
                files: 50,
                bytes: 123_456_789,
                counts: [("assets".to_owned(), 50), ("albums".to_owned(), 2)].into(),
            }),
            last_failed_backup: Some(FailedBackup {
                time: "2026-11-21T00:00:00Z".parse().unwrap(),
                reason: "the disk\nis full".into(),
            }),
        }
    }

    #[test]
    fn before_the_first_use_the_state_is_empty_and_reading_writes_nothing() {
        let (_folder, store) = store();
        assert_eq!(store.load().unwrap(), State::default());
        assert!(!store.path().parent().unwrap().exists());
    }

    #[test]
    fn what_is_written_is_read_back_and_only_root_can_read_it() {
        let (_folder, store) = store();
        let written = store.update(|state| *state = full()).unwrap();
        assert_eq!(written, full());
        assert_eq!(store.load().unwrap(), full());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
    }

    #[test]
    fn the_form_of_version_1_stays_readable() {
        let text = r#"
            version = 1
            [drive]
            uuid = "00000000-0000-0000-0000-000000000007"
            label = "photos \"2026\""
            first_used = "2026-11-21T01:02:03.5Z"
            [last_good_backup]
            time = "2026-11-22T00:00:00Z"
            snapshot = "0123abcd"
            repository = "s3:photos/immich"
            files = 50
            bytes = 123456789
            [last_good_backup.counts]
            albums = 2
            assets = 50
            [last_failed_backup]
            time = "2026-11-21T00:00:00Z"
            reason = "the disk\nis full"
        "#;
        assert_eq!(
            parse(Path::new("state.toml"), text.as_bytes()).unwrap(),
            full()
        );
    }

    #[test]
    fn a_damaged_file_is_named_with_its_line_and_how_to_mend_it() {
        let path = Path::new("/s/state.toml");
        let cut = b"version = 1\n[drive]\nuuid = \"0000";
        let said = parse(path, cut).unwrap_err().to_string();
        assert!(said.starts_with("/s/state.toml:3 is damaged ("), "{said}");
        assert!(
            said.contains("mv /s/state.toml /s/state.toml.damaged"),
            "{said}"
        );
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"version = 1\n\xff",
            b"[drive]",
            b"version = 1\ndrive = 1",
        ] {
            assert!(
                matches!(parse(path, bytes), Err(Error::Damaged { .. })),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_damaged_file_is_never_overwritten() {
        let (_folder, store) = store();
        fs::create_dir(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), "damaged").unwrap();
        assert!(matches!(
            store.update(|state| *state = full()),
            Err(Error::Damaged { .. })
        ));
        assert_eq!(fs::read_to_string(store.path()).unwrap(), "damaged");
    }

    #[test]
    fn a_newer_form_is_refused_and_one_more_key_is_not() {
        let path = Path::new("/s/state.toml");
        let newer = parse(path, b"version = 2\ndrive = 'elsewhere'").unwrap_err();
        assert!(matches!(newer, Error::Newer { found: 2, .. }));
        assert_eq!(
            parse(path, b"version = 1\nmore = 1").unwrap(),
            State::default()
        );
    }

    #[test]
    fn two_runs_do_not_lose_each_others_changes() {
        let (_folder, store) = store();
        let tried = |number: u64| {
            store
                .update(|state| {
                    let backup = state.last_good_backup.get_or_insert_with(|| GoodBackup {
                        files: 0,
                        ..full().last_good_backup.unwrap()
                    });
                    backup.files += number;
                })
                .unwrap();
        };
        thread::scope(|scope| {
            for number in 1..=8 {
                scope.spawn(move || tried(number));
            }
        });
        assert_eq!(store.load().unwrap().last_good_backup.unwrap().files, 36);
    }

    proptest! {
        #[test]
        fn any_reason_and_counts_are_read_back(
            reason in any::<String>(),
            counts in prop::collection::btree_map(any::<String>(), 0..=i64::MAX as u64, 0..4),
            bytes in 0..=i64::MAX as u64,
        ) {
            let mut state = full();
            if let Some(backup) = &mut state.last_good_backup {
                backup.counts = counts;
                backup.bytes = bytes;
            }
            if let Some(backup) = &mut state.last_failed_backup {
                backup.reason = reason;
            }
            let text = form(&state).unwrap();
            prop_assert_eq!(parse(Path::new("x"), text.as_bytes()).unwrap(), state);
        }

        #[test]
        fn a_file_cut_or_changed_anywhere_is_read_or_refused(
            cut in 0..600usize, at in 0..600usize, byte in any::<u8>(),
        ) {
            let mut bytes = form(&full()).unwrap().into_bytes();
            if let Some(one) = bytes.get_mut(at) {
                *one = byte;
            }
            bytes.truncate(cut);
            let _ = parse(Path::new("x"), &bytes);
        }
    }
}
