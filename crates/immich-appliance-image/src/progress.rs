//! Shows the progress of the work on images as bars.

use appliance_image::{Phase, Progress};
use appliance_terminal::{Counted, OneBar, Ui};

/// One bar at a time, on standard error.
#[derive(Debug)]
pub struct Shown(OneBar);

impl Shown {
    /// Bars where somebody is watching.
    pub fn new(ui: Ui) -> Self {
        Self(OneBar::new(ui.bars()))
    }
}

impl Progress for Shown {
    fn begin(&self, phase: Phase, total: Option<u64>) {
        let name = match phase {
            Phase::Fetching => "Downloading",
            Phase::Probing => "Checking the capacity",
            Phase::Writing => "Writing",
            Phase::Comparing => "Reading back",
            Phase::Checking => "Checking",
        };
        self.0.begin(name, Counted::Bytes, total);
    }

    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }

    fn end(&self) {
        self.0.end();
    }
}
