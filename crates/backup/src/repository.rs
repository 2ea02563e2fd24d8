//! Opening, creating and joining a repository.
//!
//! A repository is a plain restic repository (format version 2). rustic_core takes no locks in it:
//! it is safe beside other writers, and beside itself, because it only ever adds files. What must
//! not run beside a backup is `restic prune` from elsewhere; on this machine the binary's own file
//! lock keeps two runs apart.
//!
//! The calls block, and must not be made from within an async runtime.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustic_core::{
    ConfigOptions, Credentials, FileType, IndexedFullStatus, IndexedIdsStatus, KeyOptions,
    OpenStatus, RepositoryBackends, RepositoryOptions, RusticResult,
};
use secrecy::ExposeSecret;

use crate::cause::{Else, explain, from_fault};
use crate::error::{Error, Result};
use crate::location::Location;
use crate::progress::{Bridge, Phase, PhaseSink, ProgressSink, Silent, Unit};
use crate::storage::{self, Store};
use crate::target::Target;

/// How to open a repository.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Folder for a cache of the repository's index and folder trees (encrypted as in the
    /// repository); `None` for no cache. Not used for a repository in a local folder. Without one,
    /// looking into or restoring from a bucket asks the server once for every folder.
    pub cache_dir: Option<PathBuf>,
    /// Where progress is shown.
    pub progress: Arc<dyn ProgressSink>,
    /// Zstandard's level in a repository that is created, 0 for none; `None` for rustic's own. One
    /// that exists keeps its own.
    pub compression: Option<i32>,
    /// For how long a request to a server that does not answer is repeated. What stops answering
    /// is given up half a minute to a minute after this.
    pub patience: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            progress: Arc::new(Silent),
            compression: None,
            patience: Duration::from_secs(60),
        }
    }
}

/// Whether a repository was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// There was none, and it was created.
    Created,
    /// It was there, and the password opened it.
    Joined,
}

/// An open repository. Once its server or disk has failed for good, every further call fails at
/// once with the same error; open it anew to try again.
#[derive(Debug)]
pub struct Repository {
    inner: rustic_core::Repository<OpenStatus>,
    store: Store,
    remote: bool,
    progress: Arc<dyn ProgressSink>,
    /// The folder for caches, if there is one.
    cache_dir: Option<PathBuf>,
    /// The index, read on first use and forgotten when a backup adds to it.
    index: Mutex<Option<Arc<Indexed>>>,
}

pub(crate) type Indexed = rustic_core::Repository<IndexedFullStatus>;
pub(crate) type IndexedIds = rustic_core::Repository<IndexedIdsStatus>;

impl Repository {
    /// Opens an existing repository.
    ///
    /// # Errors
    /// [`Error`], among others `NoRepository`, `WrongPassword`, `Unreachable`, `Denied`.
    pub fn open(target: &Target, options: &OpenOptions) -> Result<Self> {
        let store = storage::open(&target.address, options.patience)?;
        if !holds_config(&store)? {
            let repository = store.location().to_owned();
            return Err(Error::NoRepository { repository });
        }
        Self::open_in(store, target, options)
    }

    /// Opens the repository, or creates it if there is none. Safe to repeat: a creation that was
    /// interrupted is begun again.
    ///
    /// # Errors
    /// As [`Repository::open`], except that a missing repository is none; `Damaged` if there are
    /// data or snapshots but the repository's config file is missing.
    pub fn init_or_join(target: &Target, options: &OpenOptions) -> Result<(Self, Joined)> {
        let store = storage::open(&target.address, options.patience)?;
        if holds_config(&store)? {
            return Ok((Self::open_in(store, target, options)?, Joined::Joined));
        }
        clear_interrupted_creation(&store)?;

        let credentials = Credentials::password(target.password.expose_secret());
        let key = KeyOptions::default().with_created(true);
        let mut config = ConfigOptions::default();
        config.set_compression = options.compression;
        raw(&store, cache_dir(target, options), &options.progress)
            .and_then(|repo| repo.init(&credentials, &key, &config))
            .map_err(|error| explain(&store, &error, Else::Other("create")))?;
        // Opened like any other, from what is really stored.
        Ok((Self::open_in(store, target, options)?, Joined::Created))
    }

    /// Whether there is a repository, without opening it.
    ///
    /// # Errors
    /// [`Error`] if the place cannot be read.
    pub fn exists(target: &Target, options: &OpenOptions) -> Result<bool> {
        holds_config(&storage::open(&target.address, options.patience)?)
    }

    pub(crate) fn open_in(store: Store, target: &Target, options: &OpenOptions) -> Result<Self> {
        let credentials = Credentials::password(target.password.expose_secret());
        let cache_dir = cache_dir(target, options);
        let inner = raw(&store, cache_dir.clone(), &options.progress)
            .and_then(|repo| repo.open(&credentials))
            .map_err(|error| explain(&store, &error, Else::Damaged))?;
        Ok(Self {
            inner,
            store,
            remote: matches!(target.address.location, Location::S3(_)),
            progress: Arc::clone(&options.progress),
            cache_dir,
            index: Mutex::new(None),
        })
    }

    /// The repository's own id, 64 hexadecimal digits.
    pub fn id(&self) -> String {
        self.inner.config().id.to_hex().as_str().to_owned()
    }

    /// The address, without secrets.
    pub fn location(&self) -> &str {
        self.store.location()
    }

    /// Whether reading waits for a server rather than for a disk.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote
    }

    pub(crate) fn raw(&self) -> &rustic_core::Repository<OpenStatus> {
        &self.inner
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Begins a phase of our own.
    pub(crate) fn phase(&self, name: &str, unit: Unit) -> Arc<dyn PhaseSink> {
        self.progress.start(&Phase {
            name: name.to_owned(),
            unit,
        })
    }

    /// The repository with its whole index, for reading.
    pub(crate) fn indexed(&self) -> Result<Arc<Indexed>> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = index.as_ref() {
            return Ok(Arc::clone(index));
        }
        let fresh = Arc::new(self.reading(|| self.again()?.to_indexed())?);
        *index = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// The repository with the part of its index that a backup needs.
    pub(crate) fn indexed_ids(&self) -> Result<IndexedIds> {
        self.reading(|| self.again()?.to_indexed_ids())
    }

    /// The repository once more, as reading its index uses it up. The key is known by now.
    fn again(&self) -> RusticResult<rustic_core::Repository<OpenStatus>> {
        raw(&self.store, self.cache_dir.clone(), &self.progress)?
            .open(&Credentials::Masterkey(self.inner.key()))
    }

    /// Forgets the index, as something was added to the repository.
    pub(crate) fn forget_index(&self) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads something, and if it is damaged reads it again without what the cache has of it: a
    /// power cut can leave a cached file in its full length but empty.
    pub(crate) fn reading<T>(&self, read: impl Fn() -> RusticResult<T>) -> Result<T> {
        let failure = match read() {
            Ok(value) => return Ok(value),
            Err(error) => explain(&self.store, &error, Else::Damaged),
        };
        if matches!(failure, Error::Damaged { .. }) && self.drop_cache() {
            return read().map_err(|error| explain(&self.store, &error, Else::Damaged));
        }
        Err(failure)
    }

    /// Removes the cache of this repository; whether there was one.
    pub(crate) fn drop_cache(&self) -> bool {
        let dropped = self
            .cache_dir
            .as_ref()
            .is_some_and(|dir| fs::remove_dir_all(dir.join(self.id())).is_ok());
        if dropped {
            tracing::warn!("dropped the cache of the backup repository, it may be damaged");
        }
        dropped
    }
}

fn cache_dir(target: &Target, options: &OpenOptions) -> Option<PathBuf> {
    match target.address.location {
        Location::Local(_) => None,
        Location::S3(_) => options.cache_dir.clone(),
    }
}

fn raw(
    store: &Store,
    cache_dir: Option<PathBuf>,
    progress: &Arc<dyn ProgressSink>,
) -> RusticResult<rustic_core::Repository<()>> {
    let backends = RepositoryBackends::new(Arc::new(store.clone()), None);
    let mut options = RepositoryOptions::default().no_cache(cache_dir.is_none());
    options.cache_dir = cache_dir;
    let progress = Bridge(Arc::clone(progress));
    rustic_core::Repository::new_with_progress(&options, &backends, progress)
}

fn holds_config(store: &Store) -> Result<bool> {
    store
        .files(FileType::Config)
        .map(|found| !found.is_empty())
        .map_err(|fault| from_fault(store.location(), fault))
}

/// A creation writes the key first and the config last. Cut in between, it leaves a key that the
/// password would open later, to find a config it does not fit: such keys go. But a config that is
/// missing from among data was lost, and then nothing is touched.
fn clear_interrupted_creation(store: &Store) -> Result<()> {
    let list = |tpe| {
        store
            .files(tpe)
            .map_err(|fault| from_fault(store.location(), fault))
    };
    for tpe in [FileType::Snapshot, FileType::Index, FileType::Pack] {
        if !list(tpe)?.is_empty() {
            return Err(Error::Damaged {
                repository: store.location().to_owned(),
                cause: "its config file is missing, though it holds backups".to_owned(),
            });
        }
    }
    for (id, _) in list(FileType::Key)? {
        store
            .delete(FileType::Key, &id)
            .map_err(|fault| from_fault(store.location(), fault))?;
    }
    Ok(())
}
