//! What the database knows, held against what a snapshot holds.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use rustic_core::repofile::Node;
use sha1::{Digest, Sha1};

/// An original that the snapshot has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its path, relative to the plan's media folder; an absolute one is taken as it is.
    pub path: PathBuf,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// The SHA-1 of its content, where it is known: a file that moved is recognised by it.
    pub sha1: Option<[u8; 20]>,
}

/// An original that the snapshot does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingOriginal {
    /// Where the database says it is, by absolute path.
    pub path: PathBuf,
    /// Why it is not in the snapshot, in plain words.
    pub why: String,
}

/// An original that moved while the backup ran, and is in the snapshot at its new place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedOriginal {
    /// Where the database says it was.
    pub from: PathBuf,
    /// Where it is in the snapshot.
    pub to: PathBuf,
}

/// What came of holding the list against a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many originals the list named.
    pub expected: usize,
    /// Those that are in the snapshot neither at their place nor at another.
    pub missing: Vec<MissingOriginal>,
    /// Those that moved.
    pub moved: Vec<MovedOriginal>,
    /// Those that are there with another size than the database says.
    pub other_size: Vec<PathBuf>,
}

/// What tells a file from all others, wherever it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// The list, and what stood at its paths before the backup looked at anything.
#[derive(Debug)]
pub(crate) struct Expectation {
    originals: Vec<(PathBuf, Expected)>,
    identities: HashMap<PathBuf, Identity>,
}

/// The files of a snapshot, as far as the comparison needs them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    files: HashMap<PathBuf, Identity>,
}

impl Held {
    pub(crate) fn add(&mut self, path: &Path, node: &Node) {
        let modified = node.meta.mtime.unwrap_or_default();
        let identity = Identity {
            inode: node.meta.inode,
            size: node.meta.size,
            seconds: modified.as_second(),
            nanoseconds: i64::from(modified.subsec_nanosecond()),
        };
        self.files.insert(path.to_path_buf(), identity);
    }
}

impl Expectation {
    /// Looks at what the list names.
    pub(crate) fn new(expected: &[Expected], media: Option<&Path>) -> Self {
        let originals: Vec<_> = expected
            .iter()
            .map(|original| {
                let path =
                    media.map_or_else(|| original.path.clone(), |media| media.join(&original.path));
                (path.components().collect(), original.clone())
            })
            .collect();
        let identities = originals
            .iter()
            .filter_map(|(path, _): &(PathBuf, _)| Some((path.clone(), identity(path)?)))
            .collect();
        Self {
            originals,
            identities,
        }
    }

    /// Whether an original that is missing was there, or is: then it may be found by walking
    /// once more.
    pub(crate) fn may_be_found(&self, missing: &MissingOriginal) -> bool {
        self.identities.contains_key(&missing.path) || identity(&missing.path).is_some()
    }

    /// Holds the list against the files of a snapshot.
    pub(crate) fn compare(&self, held: &Held) -> Comparison {
        let mut comparison = Comparison {
            expected: self.originals.len(),
            ..Comparison::default()
        };
        let mut absent = Vec::new();
        let mut claimed: HashSet<&Path> = HashSet::new();
        for (path, original) in &self.originals {
            match held.files.get(path) {
                Some(found) => {
                    claimed.insert(path);
                    match original.size {
                        Some(size) if size > 0 && found.size == 0 => {
                            comparison.missing.push(MissingOriginal {
                                path: path.clone(),
                                why: format!("it is empty and should have {size} bytes"),
                            });
                        }
                        Some(size) if size != found.size => {
                            comparison.other_size.push(path.clone());
                        }
                        _ => {}
                    }
                }
                None => absent.push((path, original)),
            }
        }
        self.find_moved(held, absent, &claimed, &mut comparison);
        comparison
    }

    fn find_moved(
        &self,
        held: &Held,
        absent: Vec<(&PathBuf, &Expected)>,
        claimed: &HashSet<&Path>,
        comparison: &mut Comparison,
    ) {
        if absent.is_empty() {
            return;
        }
        let mut unclaimed: Vec<(&Path, Identity)> = held
            .files
            .iter()
            .map(|(path, identity)| (path.as_path(), *identity))
            .filter(|(path, _)| !claimed.contains(path))
            .collect();
        unclaimed.sort_by_key(|(path, _)| *path);
        let mut moved: HashMap<&Path, &Path> = HashMap::new();
        let mut taken: HashSet<&Path> = HashSet::new();
        let mut hashes: HashMap<&Path, Option<[u8; 20]>> = HashMap::new();
        let mut rest = Vec::new();
        for (from, original) in absent {
            let known = self.identities.get(from);
            let found = unclaimed.iter().find(|(to, identity)| {
                !taken.contains(to)
                    && (known == Some(identity)
                        || original.sha1.is_some_and(|sha1| {
                            original.size.is_none_or(|size| size == identity.size)
                                && *hashes.entry(to).or_insert_with(|| sha1_of(to)) == Some(sha1)
                        }))
            });
            match found {
                Some((to, _)) => {
                    taken.insert(to);
                    moved.insert(from, to);
                }
                None => rest.push((from, original)),
            }
        }
        // A sidecar goes with its photo, whose name it begins with: nothing else is known of it.
        for (from, _) in rest {
            let beside = moved.iter().find_map(|(photo, to)| {
                let suffix = from.as_os_str().as_encoded_bytes();
                let suffix = suffix.strip_prefix(photo.as_os_str().as_encoded_bytes())?;
                let mut beside = to.as_os_str().to_owned();
                beside.push(std::str::from_utf8(suffix).ok()?);
                let beside = PathBuf::from(beside);
                held.files.contains_key(&beside).then_some(beside)
            });
            match beside {
                Some(to) => comparison.moved.push(MovedOriginal {
                    from: from.clone(),
                    to,
                }),
                None => comparison.missing.push(MissingOriginal {
                    path: from.clone(),
                    why: why_absent(from),
                }),
            }
        }
        comparison
            .moved
            .extend(moved.into_iter().map(|(from, to)| MovedOriginal {
                from: from.to_path_buf(),
                to: to.to_path_buf(),
            }));
        comparison.moved.sort_by(|a, b| a.from.cmp(&b.from));
        comparison.missing.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let meta = fs::symlink_metadata(path).ok()?;
    meta.is_file().then(|| Identity {
        inode: meta.ino(),
        size: meta.size(),
        seconds: meta.mtime(),
        nanoseconds: meta.mtime_nsec(),
    })
}

/// What stands where an original should be that the snapshot does not hold.
fn why_absent(path: &Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => "it is a link, and only the link was saved".to_owned(),
        Ok(meta) if meta.is_file() => {
            "it is there, and was not among what was backed up".to_owned()
        }
        Ok(_) => "what is in its place is no file".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "it is not there, and was found nowhere else".to_owned()
        }
        Err(error) => format!("it cannot be reached: {error}"),
    }
}

fn sha1_of(path: &Path) -> Option<[u8; 20]> {
    let mut file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut hasher = Sha1::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).ok()?;
        if count == 0 {
            return Some(hasher.finalize().into());
        }
        hasher.update(buffer.get(..count)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(paths: &[(&str, u64, u64)]) -> Held {
        let mut held = Held::default();
        for (path, inode, size) in paths {
            let identity = Identity {
                inode: *inode,
                size: *size,
                seconds: 1,
                nanoseconds: 0,
            };
            held.files.insert(PathBuf::from(path), identity);
        }
        held
    }

    fn expectation(originals: &[(&str, Option<u64>)], known: &[(&str, u64, u64)]) -> Expectation {
        Expectation {
            originals: originals
                .iter()
                .map(|(path, size)| {
                    let expected = Expected {
                        path: PathBuf::from(path),
                        size: *size,
                        sha1: None,
                    };
                    (expected.path.clone(), expected)
                })
                .collect(),
            identities: held(known).files,
        }
    }

    #[test]
    fn a_file_that_moved_is_found_by_what_it_is_and_its_sidecar_goes_with_it() {
        let list = expectation(
            &[("/m/upload/a.jpg", Some(5)), ("/m/upload/a.jpg.xmp", None)],
            &[("/m/upload/a.jpg", 7, 5)],
        );
        let found = list.compare(&held(&[
            ("/m/library/x.jpg", 7, 5),
            ("/m/library/x.jpg.xmp", 8, 1),
        ]));
        assert!(found.missing.is_empty(), "{found:?}");
        assert_eq!(found.moved.len(), 2);
        assert_eq!(found.moved[0].to, Path::new("/m/library/x.jpg"));
        assert_eq!(found.moved[1].to, Path::new("/m/library/x.jpg.xmp"));
    }

    #[test]
    fn another_file_is_not_taken_for_one_that_moved() {
        let list = expectation(
            &[("/m/upload/a.jpg", None), ("/m/upload/b.jpg", None)],
            &[("/m/upload/a.jpg", 7, 5)],
        );
        let found = list.compare(&held(&[("/m/library/x.jpg", 9, 5)]));
        assert_eq!(found.missing.len(), 2);
    }

    #[test]
    fn an_empty_file_is_not_the_photo_it_should_be() {
        let list = expectation(&[("/m/a.jpg", Some(5)), ("/m/b.jpg", Some(5))], &[]);
        let found = list.compare(&held(&[("/m/a.jpg", 1, 0), ("/m/b.jpg", 2, 4)]));
        assert_eq!(found.missing[0].path, Path::new("/m/a.jpg"));
        assert_eq!(found.other_size, [PathBuf::from("/m/b.jpg")]);
    }
}
