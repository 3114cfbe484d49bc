//! One line a request on stderr.

use super::answer::Counts;
use super::connections::Busy;
use super::job::Place;
use super::metrics::Metrics;
use crate::report::{self, Fixed};
use std::sync::Arc;
use std::time::Instant;

/// The line of a request, which is written when its answer is over, and what it holds until then.
pub(super) struct Line {
    /// `None` where nobody reads them.
    request: Option<String>,
    began: Instant,
    status: u16,
    counts: Counts,
    is_done: bool,
    metrics: Arc<Metrics>,
    /// Its place in the queue.
    place: Option<Place>,
    _busy: Busy,
}

impl Line {
    /// The line of a request that begins now.
    pub(super) fn new(request: Option<String>, metrics: Arc<Metrics>, busy: Busy) -> Self {
        let (began, counts) = (Instant::now(), Counts::default());
        let (status, is_done, place) = (0, false, None);
        Self { request, began, status, counts, is_done, metrics, place, _busy: busy }
    }

    /// Keeps a place in the queue until the answer is over.
    pub(super) fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The answer has this status.
    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
        self.metrics.add_answer(status);
    }

    pub(super) fn counted(&mut self, counts: Counts) {
        self.counts = counts;
    }

    /// The answer is whole.
    pub(super) fn done(&mut self, counts: Counts) {
        self.counts = counts;
        self.is_done = true;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Counts { prompt, cached, written } = self.counts;
        self.metrics.add_generated(written);
        if !self.is_done {
            self.metrics.add_abandoned();
        }
        let Some(request) = &self.request else { return };
        let (status, end) = (self.status, if self.is_done { "" } else { ", client left" });
        let seconds = Fixed::<3>(self.began.elapsed().as_secs_f64());
        if prompt == 0 {
            return report::line(format_args!("picolm: {request} {status}: {seconds} s{end}"));
        }
        report::line(format_args!(
            "picolm: {request} {status}: {prompt} tokens read ({cached} cached), {written} \
             written, {seconds} s{end}"
        ));
    }
}
