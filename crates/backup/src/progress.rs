//! Progress, as a small trait that a terminal, a JSON stream or nothing can stand behind.

use std::fmt::Debug;
use std::sync::Arc;

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

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

/// Shows rustic_core's progress in a [`ProgressSink`].
#[derive(Debug, Clone)]
pub(crate) struct Bridge(pub(crate) Arc<dyn ProgressSink>);

impl ProgressBars for Bridge {
    fn progress(&self, progress_type: ProgressType, prefix: &str) -> Progress {
        let name = prefix.trim_end_matches('.').trim();
        if name.is_empty() {
            return Progress::hidden();
        }
        let unit = match progress_type {
            ProgressType::Spinner => Unit::Nothing,
            ProgressType::Counter => Unit::Items,
            ProgressType::Bytes => Unit::Bytes,
        };
        Progress::new(BridgePhase(self.0.start(&Phase {
            name: name.to_owned(),
            unit,
        })))
    }
}

#[derive(Debug)]
struct BridgePhase(Arc<dyn PhaseSink>);

impl RusticProgress for BridgePhase {
    fn is_hidden(&self) -> bool {
        // A hidden progress is not told the total, which a log of JSON lines wants too.
        false
    }
    fn set_length(&self, len: u64) {
        self.0.set_total(len);
    }
    fn set_title(&self, _title: &str) {}
    fn inc(&self, inc: u64) {
        self.0.advance(inc);
    }
    fn finish(&self) {
        self.0.finish();
    }
}
