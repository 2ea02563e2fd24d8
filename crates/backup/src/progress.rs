//! Progress, as a small trait that a terminal, a JSON stream or nothing can stand behind.

use std::fmt::Debug;
use std::sync::Arc;

/// What the numbers of a phase count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of content.
    Bytes,
    /// Things: index files, snapshots, folders.
    Items,
    /// Nothing: the phase only starts and ends.
    Nothing,
}

/// A stretch of work with a beginning and an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What is being done, in lower case and without dots: "backing up".
    pub name: String,
    /// What its numbers count.
    pub unit: Unit,
}

/// Where progress is shown. Called from several threads at once.
pub trait ProgressSink: Debug + Send + Sync + 'static {
    /// A phase begins; what happens in it goes to the returned [`PhaseSink`].
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink>;
}

/// Where the progress of one phase is shown.
pub trait PhaseSink: Debug + Send + Sync + 'static {
    /// The total is known (it may become known only while the phase runs), in the phase's unit.
    fn set_total(&self, total: u64);
    /// This much more is done, in the phase's unit.
    fn advance(&self, done: u64);
    /// The phase is over.
    fn finish(&self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl ProgressSink for Silent {
    fn start(&self, _phase: &Phase) -> Arc<dyn PhaseSink> {
        Arc::new(Self)
    }
}

impl PhaseSink for Silent {
    fn set_total(&self, _total: u64) {}
    fn advance(&self, _done: u64) {}
    fn finish(&self) {}
}
