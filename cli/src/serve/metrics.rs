//! What the server has done so far, in the text format of Prometheus.

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

/// Counters of one server.
#[derive(Default)]
pub(super) struct Metrics {
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    passes: AtomicU64,
    rows: AtomicU64,
    pass_ns: AtomicU64,
    running: AtomicU64,
    waiting: AtomicU64,
    connections: AtomicU64,
    /// By the status's first digit.
    answers: [AtomicU64; 5],
    abandoned: AtomicU64,
    loads: AtomicU64,
    saves: AtomicU64,
    saved_bytes: AtomicU64,
}

impl Metrics {
    pub(super) fn add_prompt(&self, tokens: u32, cached: u32) {
        self.prompt_tokens.fetch_add(tokens.into(), Ordering::Relaxed);
        self.cached_tokens.fetch_add(cached.into(), Ordering::Relaxed);
    }

    pub(super) fn add_generated(&self, tokens: u32) {
        self.generated_tokens.fetch_add(tokens.into(), Ordering::Relaxed);
    }

    pub(super) fn add_pass(&self, rows: usize, duration: Duration) {
        self.passes.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.pass_ns.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Texts that are being read or written, and those that wait for a slot.
    pub(super) fn set_texts(&self, running: usize, waiting: usize) {
        self.running.store(running as u64, Ordering::Relaxed);
        self.waiting.store(waiting as u64, Ordering::Relaxed);
    }

    pub(super) fn set_connections(&self, count: usize) {
        self.connections.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn add_answer(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status / 100).wrapping_sub(1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client left before its answer was whole.
    pub(super) fn add_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// A text was read from a file.
    pub(super) fn add_load(&self) {
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    /// A text was written to a file of `bytes`.
    pub(super) fn add_save(&self, bytes: u64) {
        self.saves.fetch_add(1, Ordering::Relaxed);
        self.saved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All of it as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        for (name, kind, help, number) in [
            ("prompt_tokens_total", "counter", "Tokens of prompts.", &self.prompt_tokens),
            (
                "cached_tokens_total",
                "counter",
                "Tokens of prompts that were not computed again.",
                &self.cached_tokens,
            ),
            ("generated_tokens_total", "counter", "Tokens written.", &self.generated_tokens),
            ("passes_total", "counter", "Passes over the model.", &self.passes),
            ("rows_total", "counter", "Rows of all passes.", &self.rows),
            ("texts_running", "gauge", "Texts that are read or written.", &self.running),
            ("texts_waiting", "gauge", "Texts that wait for a slot.", &self.waiting),
            ("connections", "gauge", "Open connections.", &self.connections),
            (
                "abandoned_total",
                "counter",
                "Requests whose client left before the answer was whole.",
                &self.abandoned,
            ),
            ("cache_loads_total", "counter", "Texts read from --cache-dir.", &self.loads),
            ("cache_saves_total", "counter", "Texts written to --cache-dir.", &self.saves),
            ("cache_saved_bytes_total", "counter", "Bytes of these.", &self.saved_bytes),
        ] {
            let number = load(number);
            let _ = write!(
                text,
                "# HELP picolm_{name} {help}\n# TYPE picolm_{name} {kind}\npicolm_{name} {number}\n"
            );
        }
        let seconds = load(&self.pass_ns) as f64 * 1e-9;
        let _ = write!(
            text,
            "# HELP picolm_pass_seconds_total Time in passes.\n\
             # TYPE picolm_pass_seconds_total counter\npicolm_pass_seconds_total {seconds}\n\
             # HELP picolm_answers_total Answers by their status.\n\
             # TYPE picolm_answers_total counter\n"
        );
        for (digit, number) in (1..).zip(&self.answers) {
            let number = load(number);
            let _ = writeln!(text, "picolm_answers_total{{status=\"{digit}xx\"}} {number}");
        }
        text
    }
}
