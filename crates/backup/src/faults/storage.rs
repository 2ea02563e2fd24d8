//! Faults of the place that the repository is in.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id};

use super::common::options;
use super::{Script, Tally, fresh, judge, library, long, originals, plan};
use crate::storage::{self, Fault, FaultKind, Storage, Store};
use crate::{Repository, snapshot};

/// What happens at the call whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nobody answers.
    Silence,
    /// This one file cannot be had or written.
    NoSuchFile,
    /// Half of it: of a content that is read or written, or of a listing.
    Half,
    /// It is written, and then not there.
    Vanishes,
}

#[derive(Debug)]
struct Faulty {
    real: std::boxed::Box<dyn Storage>,
    script: Arc<Script>,
    kind: Kind,
}

impl Faulty {
    fn pass(&self, call: &str, tpe: FileType) -> Result<bool, Fault> {
        if !self.script.turn(&format!("{call} {}", tpe.dirname())) {
            return Ok(false);
        }
        match self.kind {
            Kind::Silence => Err(Fault::new(FaultKind::Unreachable, "nobody answers")),
            Kind::NoSuchFile => Err(Fault::new(FaultKind::File, "no such file")),
            Kind::Half | Kind::Vanishes => Ok(true),
        }
    }
}

impl Storage for Faulty {
    fn list(&self, tpe: FileType) -> Result<Vec<(Id, u32)>, Fault> {
        let hit = self.pass("list", tpe)?;
        let mut files = self.real.list(tpe)?;
        if hit {
            files.sort_unstable();
            files.truncate(files.len() / 2);
        }
        Ok(files)
    }

    fn read(&self, tpe: FileType, id: &Id, range: Option<Range<u32>>) -> Result<Bytes, Fault> {
        let hit = self.pass("read", tpe)?;
        let content = self.real.read(tpe, id, range)?;
        Ok(if hit {
            content.slice(..content.len() / 2)
        } else {
            content
        })
    }

    fn write(&self, tpe: FileType, id: &Id, content: BytesList) -> Result<(), Fault> {
        match (self.pass("write", tpe)?, self.kind) {
            (true, Kind::Half) => {
                let content = Bytes::from(content.into_vec().concat());
                let half = content.slice(..content.len() / 2);
                self.real.write(tpe, id, half.into())
            }
            (true, _) => Ok(()),
            (false, _) => self.real.write(tpe, id, content),
        }
    }

    fn remove(&self, tpe: FileType, id: &Id) -> Result<(), Fault> {
        self.pass("remove", tpe)?;
        self.real.remove(tpe, id)
    }

    fn create(&self) -> Result<(), Fault> {
        self.real.create()
    }
}

fn enumerate(kinds: &[Kind]) {
    let the_box = library();
    let target = the_box.target();
    let open = |script: &Arc<Script>, kind: Kind| {
        let real = storage::local(&the_box.repo());
        let faulty = Faulty {
            real,
            script: Arc::clone(script),
            kind,
        };
        let store = Store::new(std::boxed::Box::new(faulty), "the repository".to_owned());
        Repository::open_in(store, &target, &options())
    };
    let run = |script: &Arc<Script>, kind: Kind| {
        // A snapshot is there already, and a photo has come since.
        fresh(&the_box);
        let _ = std::fs::remove_file(the_box.media().join("upload/new.jpg"));
        snapshot::run(&the_box.open(), &plan(&the_box)).unwrap();
        the_box.write("upload/new.jpg", super::noise(9, 1_500));
        open(script, kind).and_then(|repository| snapshot::run(&repository, &plan(&the_box)))
    };
    let mut tally = Tally::default();
    for kind in kinds {
        let script = Arc::new(Script::default());
        run(&script, *kind).unwrap();
        for (what, nth) in script.calls() {
            if *kind == Kind::Vanishes && !what.starts_with("write") {
                continue;
            }
            let result = run(&Script::failing((what.clone(), nth)), *kind);
            let was = originals(&the_box.media());
            let name = format!("{kind:?} at {what} ({nth})");
            tally.add(judge(&the_box, &name, &was, result));
        }
    }
    tally.print("the storage");
}

#[test]
fn no_single_fault_of_the_storage_is_taken_for_a_good_backup() {
    if long() {
        enumerate(&[Kind::Silence, Kind::NoSuchFile, Kind::Half, Kind::Vanishes]);
    } else {
        enumerate(&[Kind::Half, Kind::Vanishes]);
    }
}
