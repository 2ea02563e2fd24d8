//! The look of a progress bar.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error that looks like `template` (of `indicatif`) and moves by itself.
pub fn bar(length: u64, template: &str, message: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // A template that does not parse costs the looks, not the work.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(message.into());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
