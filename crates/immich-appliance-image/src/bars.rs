//! Progress bars with rate and time left.

use std::sync::{Mutex, PoisonError};

use appliance_image::{Phase, Progress};
use appliance_terminal::bar;
use indicatif::ProgressBar;

/// Shows progress as bars on standard error, or not at all.
#[derive(Debug)]
pub struct Bars {
    shown: bool,
    bar: Mutex<ProgressBar>,
}

impl Bars {
    /// Bars, or nothing.
    pub fn new(shown: bool) -> Self {
        Self {
            shown,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    fn with(&self, act: impl FnOnce(&mut ProgressBar)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bars {
    fn begin(&self, phase: Phase, total: Option<u64>) {
        if !self.shown {
            return;
        }
        let template = match total {
            Some(_) => {
                "{msg:12} {bar:30} {decimal_bytes}/{decimal_total_bytes} \
                 {decimal_bytes_per_sec} {eta} left"
            }
            None => "{msg:12} {spinner} {decimal_bytes} {decimal_bytes_per_sec}",
        };
        let name = match phase {
            Phase::Fetching => "Fetching",
            Phase::Writing => "Writing",
            Phase::Comparing => "Reading back",
            Phase::Checking => "Checking",
        };
        let bar = bar(total.unwrap_or(0), template, name);
        self.with(|current| *current = bar);
    }

    fn advance(&self, bytes: u64) {
        self.with(|bar| bar.inc(bytes));
    }

    fn end(&self) {
        self.with(|bar| bar.finish_and_clear());
    }
}
