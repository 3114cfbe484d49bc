//! Bodies of answers: bytes, or a stream that follows a text as it is written.

use super::answer::{Answer, Step};
use super::job::Received;
use super::log::Line;
use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// Longest silence of a stream: a client must see that it is not forgotten.
const SILENCE: Duration = Duration::from_secs(10);

/// A line that clients skip.
const COMMENT: &[u8] = b": still working\n\n";

/// The body of an answer.
pub(super) enum Reply {
    Whole(Option<Bytes>),
    Stream(Box<Stream>),
}

/// A stream of events to come.
pub(super) struct Stream {
    events: Received,
    answer: Answer,
    silence: Pin<Box<Sleep>>,
    has_ended: bool,
    line: Line,
}

impl Reply {
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// What `answer` makes of `events`; `line` is written when it is over.
    pub(super) fn stream(events: Received, answer: Answer, line: Line) -> Self {
        let silence = Box::pin(tokio::time::sleep(SILENCE));
        Self::Stream(Box::new(Stream { events, answer, silence, has_ended: false, line }))
    }
}

impl Stream {
    /// The next bytes; `None` at the end.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        while let Poll::Ready(event) = self.events.poll(context) {
            let step = match event {
                Some(event) => self.answer.take(event),
                // The server ends.
                None => Step::End(Ok(Vec::new())),
            };
            let bytes = match step {
                Step::Nothing => continue,
                Step::Part(bytes) => bytes,
                Step::End(bytes) => {
                    self.has_ended = true;
                    self.line.done(self.answer.counts);
                    // A stream has its errors in its parts.
                    bytes.unwrap_or_default()
                }
            };
            self.line.counted(self.answer.counts);
            self.silence.as_mut().reset(Instant::now() + SILENCE);
            return Poll::Ready(Some(bytes));
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
                // Polled once more, so that it wakes this stream again.
                let _ = self.silence.as_mut().poll(context);
                Poll::Ready(Some(COMMENT.to_vec()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream
                .poll_bytes(context)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(stream) => stream.has_ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
