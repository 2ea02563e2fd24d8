//! Progress bars with rate and time left.

use std::sync::Arc;
use std::time::Duration;

use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Unit};
use appliance_terminal::bar;
use indicatif::ProgressBar;

/// Shows progress as bars on standard error, or not at all.
#[derive(Debug, Clone)]
pub struct Bars {
    shown: bool,
}

impl Bars {
    pub(super) fn new(shown: bool) -> Self {
        Bars { shown }
    }

    /// A spinner for a wait of unknown length.
    pub fn wait(&self, what: impl Into<String>) -> ProgressBar {
        let bar = if self.shown {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(what.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

impl ProgressSink for Bars {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        if !self.shown {
            return Arc::new(Bar(ProgressBar::hidden()));
        }
        let template = match phase.unit {
            Unit::Bytes => {
                "{msg:28} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left"
            }
            Unit::Items => "{msg:28} {bar:30} {pos}/{len} {eta} left",
            Unit::Nothing => "{msg:28} {spinner} {elapsed}",
        };
        Arc::new(Bar(bar(0, template, phase.name.clone())))
    }
}

#[derive(Debug)]
struct Bar(ProgressBar);

impl PhaseSink for Bar {
    fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    fn advance(&self, done: u64) {
        self.0.inc(done);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
