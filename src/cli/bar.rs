//! The progress bar of the tools: bytes done, of how many, and how fast.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that shows nothing yet, and nothing at all where standard error is no terminal.
pub fn of_bytes() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta}") {
        bar.set_style(style);
    }
    bar
}

/// Shows how far a tool is.
pub fn show(bar: &ProgressBar, bytes: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(bytes);
}
