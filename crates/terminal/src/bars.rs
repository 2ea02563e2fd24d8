//! Progress bars with rate and time left, on standard error.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(250);

/// What the numbers of a phase count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Bytes of content.
    Bytes,
    /// Things: files, snapshots, folders.
    Items,
    /// Nothing: the phase only begins and ends.
    Nothing,
}

impl Counted {
    fn template(self, total_known: bool) -> &'static str {
        match (self, total_known) {
            (Counted::Bytes, true) => {
                "{msg:28} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} \
                 {eta} left"
            }
            (Counted::Bytes, false) => "{msg:28} {spinner} {decimal_bytes} {decimal_bytes_per_sec}",
            (Counted::Items, true) => "{msg:28} {bar:30} {pos}/{len} {eta} left",
            (Counted::Items, false) => "{msg:28} {spinner} {pos}",
            (Counted::Nothing, _) => "{msg:28} {spinner} {elapsed}",
        }
    }
}

/// Makes bars, or ones that nobody sees where nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Bars {
    shown: bool,
}

impl Bars {
    /// Bars that are shown, or not.
    pub fn new(shown: bool) -> Self {
        Bars { shown }
    }

    /// The bar of a phase. Its total may be given later with [`Bar::set_total`].
    pub fn phase(&self, name: impl Into<String>, counted: Counted, total: Option<u64>) -> Bar {
        let bar = if self.shown {
            ProgressBar::no_length()
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(name.into());
        let bar = Bar { bar, counted };
        bar.style(false);
        if let Some(total) = total {
            bar.set_total(total);
        }
        if self.shown {
            bar.bar.enable_steady_tick(TICK);
        }
        bar
    }

    /// A spinner for a wait of unknown length.
    pub fn wait(&self, what: impl Into<String>) -> Bar {
        self.phase(what, Counted::Nothing, None)
    }
}

/// A bar on standard error. It is gone when it is finished or dropped.
#[derive(Debug, Clone)]
pub struct Bar {
    bar: ProgressBar,
    counted: Counted,
}

impl Bar {
    /// The total is known, in what the phase counts.
    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
        self.style(true);
    }

    /// This much more is done, in what the phase counts.
    pub fn advance(&self, done: u64) {
        self.bar.inc(done);
    }

    /// Says something else beside the bar.
    pub fn set_message(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Takes the bar away while something else is written to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn style(&self, total_known: bool) {
        // A template that does not parse costs the looks, not the work.
        if let Ok(style) = ProgressStyle::with_template(self.counted.template(total_known)) {
            self.bar.set_style(style);
        }
    }
}

/// One bar at a time, for work whose phases follow each other: a new one takes the place of the
/// last.
#[derive(Debug)]
pub struct OneBar {
    bars: Bars,
    current: Mutex<Option<Bar>>,
}

impl OneBar {
    /// Nothing is shown yet.
    pub fn new(bars: Bars) -> Self {
        OneBar {
            bars,
            current: Mutex::new(None),
        }
    }

    /// The next phase begins.
    pub fn begin(&self, name: &str, counted: Counted, total: Option<u64>) {
        let bar = self.bars.phase(name, counted, total);
        if let Some(last) = self.lock().replace(bar) {
            last.finish();
        }
    }

    /// This much more of the phase is done.
    pub fn advance(&self, done: u64) {
        if let Some(bar) = &*self.lock() {
            bar.advance(done);
        }
    }

    /// The phase is over.
    pub fn end(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Bar>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_understood() {
        for counted in [Counted::Bytes, Counted::Items, Counted::Nothing] {
            for total_known in [false, true] {
                let template = counted.template(total_known);
                assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
            }
        }
    }

    #[test]
    fn a_total_may_come_later_and_work_done_before_counts() {
        let bar = Bars::new(false).phase("copying", Counted::Bytes, None);
        bar.advance(3);
        bar.set_total(10);
        bar.advance(4);
        assert_eq!((bar.bar.position(), bar.bar.length()), (7, Some(10)));
    }

    #[test]
    fn phases_that_follow_each_other_begin_at_nothing() {
        let bars = OneBar::new(Bars::new(false));
        bars.advance(1);
        bars.begin("writing", Counted::Bytes, Some(10));
        bars.advance(7);
        bars.begin("reading", Counted::Bytes, None);
        bars.advance(2);
        assert_eq!(bars.lock().as_ref().unwrap().bar.position(), 2);
        bars.end();
        bars.advance(1);
        assert!(bars.lock().is_none());
    }
}
