//! Faults of the disk that is backed up.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::Node;

use super::{Call, Script, Tally, fresh, judge, library, long, originals, plan};
use crate::Repository;
use crate::snapshot::run_on;
use crate::source::disk::{Content, Disk, FileStamp, Folder, FolderStamp, RealDisk};

/// What happens at the call whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The disk has a bad spot. In a listing: after half of it.
    BadSpot,
    /// It says that there is nothing.
    SaysGone,
    /// It is removed at that moment.
    Removed,
    /// A listing or a reading fails at its beginning, or ends early without an error.
    Short,
}

#[derive(Debug, Clone)]
struct Faulty {
    real: RealDisk,
    script: Arc<Script>,
    kind: Kind,
    /// Called before each call.
    meddler: Meddler,
}

/// What meddles: it is told of each call and its path.
pub(super) type Meddle = dyn Fn(&str, &Path) + Send + Sync;

/// Does something to the files at a certain call.
#[derive(Clone)]
pub(super) struct Meddler(pub(super) Arc<Meddle>);

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler")
    }
}

/// A disk on which something else happens meanwhile, and that has no fault of its own.
pub(super) fn meddled(meddle: impl Fn(&str, &Path) + Send + Sync + 'static) -> Arc<dyn Disk> {
    Arc::new(Faulty {
        real: RealDisk::default(),
        script: Arc::default(),
        kind: Kind::BadSpot,
        meddler: Meddler(Arc::new(meddle)),
    })
}

fn undisturbed() -> Meddler {
    Meddler(Arc::new(|_, _| {}))
}

impl Faulty {
    fn pass(&self, call: &str, path: &Path) -> io::Result<()> {
        (self.meddler.0)(call, path);
        if !self.script.turn(&format!("{call} {}", path.display())) {
            return Ok(());
        }
        match self.kind {
            Kind::SaysGone => Err(io::Error::from_raw_os_error(nix::libc::ENOENT)),
            Kind::BadSpot | Kind::Short => Err(io::Error::from_raw_os_error(nix::libc::EIO)),
            Kind::Removed => {
                if std::fs::remove_file(path).is_err() {
                    let _ = std::fs::remove_dir_all(path);
                }
                Ok(())
            }
        }
    }
}

impl Disk for Faulty {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Folder>> {
        self.pass("open", path)?;
        Ok(Arc::new(FaultyFolder {
            disk: self.clone(),
            path: path.to_path_buf(),
            real: self.real.open(path)?,
        }))
    }

    fn stamp(&self, path: &Path) -> io::Result<FolderStamp> {
        self.pass("stamp", path)?;
        self.real.stamp(path)
    }
}

#[derive(Debug)]
struct FaultyFolder {
    disk: Faulty,
    path: PathBuf,
    real: Arc<dyn Folder>,
}

impl Folder for FaultyFolder {
    fn stamp(&self) -> io::Result<FolderStamp> {
        self.disk.pass("stamp of open", &self.path)?;
        self.real.stamp()
    }

    fn names(&self) -> io::Result<Vec<io::Result<OsString>>> {
        match (self.disk.pass("list", &self.path), self.disk.kind) {
            // In its middle, while opening it worked.
            (Err(error), Kind::BadSpot) => {
                let mut names = self.real.names()?;
                names.truncate(names.len() / 2);
                names.push(Err(error));
                Ok(names)
            }
            (Err(error), _) => Err(error),
            (Ok(()), _) => self.real.names(),
        }
    }

    fn look(&self, name: &OsStr) -> io::Result<Node> {
        self.disk.pass("look at", &self.path.join(name))?;
        self.real.look(name)
    }

    fn add_attributes(&self, name: &OsStr, node: &mut Node) -> io::Result<()> {
        self.disk.pass("attributes of", &self.path.join(name))?;
        self.real.add_attributes(name, node)
    }

    fn open_folder(&self, name: &OsStr) -> io::Result<Arc<dyn Folder>> {
        let path = self.path.join(name);
        self.disk.pass("open folder", &path)?;
        Ok(Arc::new(Self {
            real: self.real.open_folder(name)?,
            disk: self.disk.clone(),
            path,
        }))
    }

    fn open_file(&self, name: &OsStr) -> io::Result<Box<dyn Content>> {
        let path = self.path.join(name);
        self.disk.pass("open file", &path)?;
        Ok(Box::new(FaultyContent {
            real: self.real.open_file(name)?,
            disk: self.disk.clone(),
            path,
        }))
    }
}

#[derive(Debug)]
struct FaultyContent {
    disk: Faulty,
    path: PathBuf,
    real: Box<dyn Content>,
}

impl Read for FaultyContent {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match (self.disk.pass("read", &self.path), self.disk.kind) {
            (Err(_), Kind::Short) => return Ok(0),
            (result, _) => result?,
        }
        // In small parts, so that there are a first, a middle and a last one.
        let most = buf.len().min(1_024);
        self.real.read(buf.get_mut(..most).unwrap_or_default())
    }
}

impl Content for FaultyContent {
    fn stamp(&self) -> io::Result<FileStamp> {
        self.disk.pass("stamp of file", &self.path)?;
        self.real.stamp()
    }
}

fn enumerate(kinds: &[Kind]) {
    let mut tally = Tally::default();
    for kind in kinds {
        let mut the_box = library();
        let calls = {
            fresh(&the_box);
            let faulty = Faulty {
                real: RealDisk::default(),
                script: Arc::default(),
                kind: *kind,
                meddler: undisturbed(),
            };
            let repository = the_box.open();
            run_on(&repository, &plan(&the_box), Arc::new(faulty.clone())).unwrap();
            // The folder of the test is another one each time something was removed.
            let media = the_box.media().display().to_string();
            let relative = |(what, nth): Call| (what.replace(&media, "MEDIA"), nth);
            faulty
                .script
                .calls()
                .into_iter()
                .map(relative)
                .collect::<Vec<Call>>()
        };
        for (what, nth) in calls {
            // What is above the library is not for the test to remove.
            if *kind == Kind::Removed && (!what.contains("MEDIA/") || what.contains("open ")) {
                continue;
            }
            if *kind == Kind::Removed {
                the_box = library();
            }
            fresh(&the_box);
            let media = the_box.media().display().to_string();
            let victim = (what.replace("MEDIA", &media), nth);
            let faulty = Faulty {
                real: RealDisk::default(),
                script: Script::failing(victim),
                kind: *kind,
                meddler: undisturbed(),
            };
            let repository: Repository = the_box.open();
            let result = run_on(&repository, &plan(&the_box), Arc::new(faulty));
            // What was removed was there; what is there now is what a restore is held against.
            let was = originals(&the_box.media());
            tally.add(judge(
                &the_box,
                &format!("{kind:?} at {what} ({nth})"),
                &was,
                result,
            ));
        }
    }
    tally.print("the disk");
}

#[test]
fn no_single_fault_of_the_disk_is_taken_for_a_good_backup() {
    if long() {
        enumerate(&[Kind::BadSpot, Kind::SaysGone, Kind::Removed, Kind::Short]);
    } else {
        enumerate(&[Kind::BadSpot]);
    }
}
