//! Where a run is cut short: each thing that a fake is asked to do is counted, and one of them
//! goes wrong.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::resume_unwind;

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and an error is told.
    FailsBefore,
    /// It is done, and an error is told all the same.
    FailsAfter,
    /// The process is killed before it is done.
    KilledBefore,
    /// The process is killed once it is done.
    KilledAfter,
}

impl Fault {
    pub const ALL: [Fault; 4] = [
        Fault::FailsBefore,
        Fault::FailsAfter,
        Fault::KilledBefore,
        Fault::KilledAfter,
    ];
}

/// What a killed run unwinds with.
pub struct Killed;

/// The counter of everything that the fakes are asked to do.
#[derive(Debug, Default)]
pub struct Faults {
    count: Cell<usize>,
    planned: Cell<Option<(usize, Fault)>>,
    asked: RefCell<Vec<String>>,
    changed: RefCell<Vec<String>>,
}

impl Faults {
    /// From now on counts anew; the one of this number, from 0, goes wrong.
    pub fn plan(&self, planned: Option<(usize, Fault)>) {
        self.count.set(0);
        self.asked.borrow_mut().clear();
        self.planned.set(planned);
    }

    /// Everything that was asked for since [`Faults::plan`].
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Everything that changed the box, since it was made.
    pub fn changed(&self) -> Vec<String> {
        self.changed.borrow().clone()
    }

    /// Something is looked at.
    pub fn look<T, E>(
        &self,
        what: &str,
        refused: impl FnOnce(io::Error) -> E,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let number = self.count.replace(self.count.get() + 1);
        self.asked.borrow_mut().push(what.to_owned());
        let fault = self.planned.get().filter(|(at, _)| *at == number);
        let error = || io::Error::other(format!("{what}: made to fail by the test"));
        match fault.map(|(_, fault)| fault) {
            Some(Fault::FailsBefore) => return Err(refused(error())),
            // It runs no panic hook, so nothing is printed.
            Some(Fault::KilledBefore) => resume_unwind(Box::new(Killed)),
            _ => {}
        }
        let done = work();
        match fault.map(|(_, fault)| fault) {
            Some(Fault::FailsAfter) => Err(refused(error())),
            Some(Fault::KilledAfter) => resume_unwind(Box::new(Killed)),
            _ => done,
        }
    }

    /// Something is changed.
    pub fn change<T, E>(
        &self,
        what: &str,
        refused: impl FnOnce(io::Error) -> E,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.look(what, refused, || {
            self.changed.borrow_mut().push(what.to_owned());
            work()
        })
    }
}
