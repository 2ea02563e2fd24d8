//! Where images, snapshots and runs lie, and who is using them.
//!
//! Everything is under `virtual-appliance/` in Cargo's target folder. Folders
//! of finished things are named by a hash of all they were made from; they are
//! made under another name and renamed, so a folder that is there is whole.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use crate::error::{Doing, Error, Result};

/// How many images or snapshots of each kind stay when newer ones are made.
const KEPT: usize = 3;

/// The folder of this crate's sources, image recipe and units.
pub(crate) fn sources() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    sources().join("../..")
}

/// The folder that everything generated lies in.
pub fn folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from)
        .join("virtual-appliance")
}

/// A folder under [`folder`], made if it is not there, as an absolute path.
pub(crate) fn subfolder(name: &str) -> Result<PathBuf> {
    let path = folder().join(name);
    fs::create_dir_all(&path)
        .and_then(|()| path.canonicalize())
        .doing(|| format!("making {}", path.display()))
}

/// A folder in use: nobody clears it away while this lives.
#[derive(Debug)]
pub(crate) struct InUse {
    path: PathBuf,
    _lock: File,
}

impl InUse {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Marks an existing folder as used, and as used just now.
    pub(crate) fn mark(path: PathBuf) -> io::Result<Self> {
        let lock = File::create(path.join("in-use"))?;
        lock.lock_shared()?;
        lock.set_modified(SystemTime::now())?;
        Ok(Self { path, _lock: lock })
    }
}

/// Returns the finished thing `kind/key`, making it first if it is not there.
/// Only one process makes things of a kind at a time; the others wait for it.
pub(crate) fn ensure<E: From<Error>>(
    kind: &str,
    key: &str,
    make: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<InUse, E> {
    let shelf = subfolder(kind)?;
    let path = shelf.join(key);
    let doing = || format!("looking after {}", path.display());

    let _lock = lock(&shelf)?;
    if !path.is_dir() {
        let unfinished = shelf.join("unfinished");
        remove(&unfinished)?;
        fs::create_dir(&unfinished).doing(doing)?;
        make(&unfinished)?;
        fs::rename(&unfinished, &path).doing(doing)?;
    }
    let used = InUse::mark(path.clone()).doing(doing)?;
    sweep(&shelf, KEPT)?;
    Ok(used)
}

/// Makes a new folder `kind/name…` of this process, cleared away once it is
/// not in use any more; clears away those that other processes left.
pub(crate) fn claim(kind: &str, name: &str) -> Result<InUse> {
    let shelf = subfolder(kind)?;
    let doing = || format!("making a folder in {}", shelf.display());
    let _lock = lock(&shelf)?;
    sweep(&shelf, 0)?;
    let folder = tempfile::Builder::new()
        .prefix(&format!("{name}."))
        .tempdir_in(&shelf)
        .doing(doing)?;
    InUse::mark(folder.keep()).doing(doing)
}

fn lock(shelf: &Path) -> Result<File> {
    let path = shelf.join("lock");
    let doing = || format!("locking {}", path.display());
    let lock = File::create(&path).doing(doing)?;
    lock.lock().doing(doing)?;
    Ok(lock)
}

/// Removes what nobody uses from a shelf, except the `keep` last used.
pub(crate) fn sweep(shelf: &Path, keep: usize) -> Result<()> {
    let doing = || format!("clearing {}", shelf.display());
    let mut folders: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(shelf).doing(doing)? {
        let path = entry.doing(doing)?.path();
        if let Ok(mark) = fs::metadata(path.join("in-use")) {
            folders.push((mark.modified().doing(doing)?, path));
        }
    }
    folders.sort();
    folders.reverse();
    for (_, path) in folders.into_iter().skip(keep) {
        // Another process may have cleared it away between the listing and now.
        let Ok(mark) = File::open(path.join("in-use")) else {
            continue;
        };
        match mark.try_lock() {
            Ok(()) => remove(&path)?,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(source).doing(doing),
        }
    }
    Ok(())
}

/// Removes a folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Hashes named parts, so that neither a name nor a border between two parts
/// can change unnoticed.
#[derive(Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub(crate) fn add_file(&mut self, name: &str, path: &Path) -> Result<()> {
        let content = fs::read(path).doing(|| format!("reading {}", path.display()))?;
        self.add(name, &content);
        Ok(())
    }

    /// The first 16 hexadecimal digits: plenty among the few that are kept.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize()[..8])
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a folder, sorted by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("listing {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        if entry.file_type().doing(doing)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Removes everything generated that is not in use.
///
/// # Errors
/// [`Error::Io`] when a folder cannot be removed, or while a machine runs.
pub fn clean() -> Result<()> {
    let folder = folder();
    for kind in ["runs", "backed-up-homes", "homes", "snapshots", "images"] {
        let shelf = folder.join(kind);
        if !shelf.is_dir() {
            continue;
        }
        sweep(&shelf, 0)?;
        let in_use = fs::read_dir(&shelf).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|e| e.path().join("in-use").exists()))
        });
        if in_use {
            return Err(Error::Io {
                doing: format!("clearing {}", shelf.display()),
                source: io::Error::other("a machine is running"),
            });
        }
    }
    remove(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_tells_borders_apart() {
        let key = |parts: &[(&str, &str)]| {
            let mut key = Key::default();
            for (name, content) in parts {
                key.add(name, content.as_bytes());
            }
            key.finish()
        };
        assert_ne!(key(&[("ab", "c")]), key(&[("a", "bc")]));
        assert_eq!(key(&[("ab", "c")]), key(&[("ab", "c")]));
    }

    #[test]
    fn what_is_in_use_is_never_swept_away() {
        let shelf = tempfile::tempdir().unwrap();
        for name in ["used", "idle"] {
            fs::create_dir(shelf.path().join(name)).unwrap();
        }
        let used = InUse::mark(shelf.path().join("used")).unwrap();
        drop(InUse::mark(shelf.path().join("idle")).unwrap());
        sweep(shelf.path(), 0).unwrap();
        assert!(used.path().exists());
        assert!(!shelf.path().join("idle").exists());
    }

    #[test]
    fn the_last_used_stay() {
        let shelf = tempfile::tempdir().unwrap();
        for (name, age) in [("old", 100), ("older", 200), ("new", 0)] {
            let path = shelf.path().join(name);
            fs::create_dir(&path).unwrap();
            let used = InUse::mark(path).unwrap();
            used._lock
                .set_modified(SystemTime::now() - std::time::Duration::from_secs(age))
                .unwrap();
        }
        sweep(shelf.path(), 2).unwrap();
        let left: Vec<bool> = ["new", "old", "older"]
            .map(|name| shelf.path().join(name).exists())
            .to_vec();
        assert_eq!(left, [true, true, false]);
    }
}
