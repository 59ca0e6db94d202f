//! The progress bar: bytes, rows a second, time left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use logseal::work::Progress;

/// A bar on stderr, where that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    rows: Arc<AtomicU64>,
}

impl Bar {
    pub fn new(bytes: u64, is_hidden: bool) -> Self {
        let target = if is_hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let rows = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&rows);
        let rate = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let rate = counted.load(Ordering::Relaxed) as f64 / state.elapsed().as_secs_f64().max(0.001) / 1e6;
            let _ = write!(text, "{rate:.2} M rows/s");
        };
        let template = "{wide_bar} {percent:>3} %  {bytes} of {total_bytes}  {rate}  {eta} left";
        // The template is fixed: were it wrong, the default would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, rows }
    }

    /// For work of which nobody knows how much there is: how many are done, and how fast.
    pub fn open_ended(what: &'static str, is_hidden: bool) -> Self {
        let target = if is_hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        let rows = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&rows);
        let rate = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let done = counted.load(Ordering::Relaxed);
            let rate = done as f64 / state.elapsed().as_secs_f64().max(0.001);
            let _ = write!(text, "{done} {what}, {rate:.0} a second");
        };
        // The template is fixed: were it wrong, the default would do.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} read  {rate}  {elapsed}") {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, rows }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn expect(&self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    fn advance(&self, bytes: u64, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        if bytes > 0 {
            self.bar.inc(bytes);
        }
    }
}
