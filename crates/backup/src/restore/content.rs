use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use rustic_core::repofile::BlobType;
use rustic_core::{BlobId, DataId};

use super::job::{Failure, Item, Job, clear};
use crate::cause::{Else, brief, explain, from_fault};

/// What became of a file's content.
#[derive(Default)]
pub(super) struct Done {
    /// Whether anything was written.
    pub(super) written: bool,
    pub(super) bytes_written: u64,
    pub(super) bytes_kept: u64,
}

impl Job<'_> {
    /// Brings a file's content to what it was: part by part, keeping parts that are right. So a
    /// large file that was half restored is not begun anew.
    ///
    /// What is not whole yet goes by another name, which a later run finds again.
    pub(super) fn content(&self, item: &Item) -> Result<Done, Failure> {
        let path = item.path.as_path();
        let failed = |what: &'static str| move |error| Failure::io(what, path, error);
        let parts = item.node.content.as_deref().unwrap_or_default();
        let existing = clear(path, fs::Metadata::is_file)?;
        if let Some(meta) = &existing
            && self.is_whole(path, meta.len(), parts)
        {
            self.phase.advance(meta.len());
            return Ok(Done {
                bytes_kept: meta.len(),
                ..Done::default()
            });
        }
        let partial = partial_name(path);
        // What a run before has begun; it may be further on than what stands in the file's place.
        let begun = clear(&partial, |meta| meta.is_file() && meta.nlink() == 1)?;
        match existing {
            // A file with several names may have one outside of what is restored: it is not
            // written to.
            Some(meta) if meta.nlink() == 1 && begun.is_none() => {
                fs::rename(path, &partial).map_err(failed("replace"))?;
            }
            Some(_) => fs::remove_file(path).map_err(failed("replace"))?,
            None => {}
        }
        let done = self.fill(&partial, path, parts);
        match done {
            Ok(done) => {
                fs::rename(&partial, path).map_err(failed("name"))?;
                Ok(done)
            }
            Err(Failure::Loss(why)) => {
                // Nobody else knows what it is; what is right in it is in the repository.
                let _ = fs::remove_file(&partial);
                Err(Failure::Loss(why))
            }
            Err(fatal) => Err(fatal),
        }
    }

    fn fill(&self, partial: &Path, path: &Path, parts: &[DataId]) -> Result<Done, Failure> {
        let failed = |what: &'static str| move |error| Failure::io(what, path, error);
        let file = open(partial).map_err(failed("open"))?;
        let there = file.metadata().map_err(failed("look at"))?.len();
        let mut done = Done {
            written: true,
            ..Done::default()
        };
        let mut at = 0;
        for id in parts {
            let length = self.length(id)?;
            // A spot that cannot be read is written anew.
            if at + length <= there && matches(&file, at, length, id).unwrap_or(false) {
                done.bytes_kept += length;
            } else {
                let data = self.fetch(id, length)?;
                // A hole where there is nothing yet reads as zeros.
                if at < there || data.iter().any(|byte| *byte != 0) {
                    file.write_all_at(&data, at).map_err(failed("write"))?;
                }
                done.bytes_written += length;
            }
            at += length;
            self.phase.advance(length);
        }
        if there != at {
            file.set_len(at).map_err(failed("write"))?;
        }
        Ok(done)
    }

    /// Whether a file has the right content.
    fn is_whole(&self, path: &Path, there: u64, parts: &[DataId]) -> bool {
        let Ok(file) = File::open(path) else {
            return false;
        };
        let mut at = 0;
        let right = parts.iter().all(|id| {
            self.length(id).is_ok_and(|length| {
                let right = matches(&file, at, length, id).unwrap_or(false);
                at += length;
                right
            })
        });
        right && at == there
    }

    fn length(&self, id: &DataId) -> Result<u64, Failure> {
        self.index
            .get_index_entry(id)
            .map(|entry| entry.location.data_length().into())
            .map_err(|_| Failure::Loss("a part of its content is not in the repository".to_owned()))
    }

    /// A part of a file's content from the repository, compared with its checksum.
    fn fetch(&self, id: &DataId, length: u64) -> Result<bytes::Bytes, Failure> {
        let store = self.repository.store();
        let data = self
            .index
            .get_blob_cached(&BlobId::from(*id), BlobType::Data)
            .map_err(|error| match store.fault() {
                Some(fault) => Failure::Fatal(from_fault(store.location(), fault)),
                None => Failure::Loss(format!(
                    "a part of its content cannot be read: {}",
                    brief(&explain(store, &error, Else::Damaged).to_string())
                )),
            })?;
        if data.len() as u64 == length && id.blob_matches_reader(length, &mut data.as_ref()) {
            Ok(data)
        } else {
            let what = "a part of its content does not match its checksum";
            Err(Failure::Loss(what.to_owned()))
        }
    }
}

/// The name beside a file's own under which it is put together; the same in each run, and never
/// too long.
fn partial_name(path: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    path.file_name().hash(&mut hasher);
    path.with_file_name(format!(".restoring-{:016x}", hasher.finish()))
}

fn open(path: &Path) -> io::Result<File> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
            .open(path)
    };
    match open() {
        // Restored before, without write permission; as root this does not happen.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            open()
        }
        result => result,
    }
}

/// Whether the file holds the right bytes there already.
fn matches(file: &File, at: u64, length: u64, id: &DataId) -> io::Result<bool> {
    let mut found = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    match file.read_exact_at(&mut found, at) {
        Ok(()) => Ok(id.blob_matches_reader(length, &mut found.as_slice())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
