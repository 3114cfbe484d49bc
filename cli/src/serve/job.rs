//! What the threads of the server hand to each other.

use super::calls::Offer;
use super::error::ApiError;
use super::request::Sampling;
use super::tools::{self, Reasoning};
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most bytes that a client may be behind what is written for it. One that is further behind does
/// not read, or not in time: what the system holds for it comes on top.
const MAX_BEHIND_BYTES: usize = 1 << 20;

/// When the thread that computes is to end.
#[derive(Default)]
pub(super) struct Quit {
    now: AtomicBool,
    deadline: OnceLock<Instant>,
}

impl Quit {
    /// The server ends until `deadline`.
    pub(super) fn begin(&self, deadline: Instant) {
        // Only the first counts.
        let _ = self.deadline.set(deadline);
    }

    /// No more is to be computed.
    pub(super) fn end(&self) {
        self.now.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_now(&self) -> bool {
        self.now.load(Ordering::Relaxed)
    }

    /// Until when the server ends; now, where nobody has said so.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline.get().copied().unwrap_or_else(Instant::now)
    }
}

/// A body to be understood.
pub(super) struct Task {
    pub(super) endpoint: Endpoint,
    pub(super) body: Vec<u8>,
    pub(super) events: Events,
    pub(super) place: Option<Place>,
}

/// A place in the queue. It is free again as soon as one of its holders is gone: the work is done,
/// however long its client takes to read the answer, or the client has left.
#[derive(Clone)]
pub(super) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What a body asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completion,
    Embeddings,
    Tokenize,
    Detokenize,
}

impl Endpoint {
    /// Whether the engine is needed, so that there is a queue.
    pub(super) const fn computes(self) -> bool {
        matches!(self, Self::Chat | Self::Completion | Self::Embeddings)
    }
}

/// Work for the thread that computes.
pub(super) enum Job {
    Text(Box<TextJob>),
    Vectors(VectorJob),
}

/// A text to write.
pub(super) struct TextJob {
    pub(super) prompt: Vec<u32>,
    /// Most tokens to write: there are positions for all but the last, which needs none.
    pub(super) max_tokens: u32,
    pub(super) sampling: Sampling,
    /// Texts that end it.
    pub(super) stop: Vec<Vec<u8>>,
    /// A compiled grammar that it keeps to.
    pub(super) grammar: Option<Vec<u32>>,
    /// Whether that is of any JSON: the text is the command line's.
    pub(super) is_json: bool,
    /// How the answer of a conversation is read; `None` for a text that goes on a prompt.
    pub(super) reading: Option<Reading>,
    /// How many alternatives of each token are reported; `None` where no scores are.
    pub(super) top_logprobs: Option<u32>,
    pub(super) events: Events,
    pub(super) _place: Option<Place>,
}

/// How an answer is read: thoughts, text and calls of tools.
pub(super) struct Reading {
    pub(super) offer: Offer,
    pub(super) reasoning: Reasoning,
    /// What the ids of its calls begin with.
    pub(super) id: String,
}

/// Texts to turn into vectors.
pub(super) struct VectorJob {
    pub(super) texts: Vec<Vec<u32>>,
    pub(super) events: Events,
    pub(super) _place: Option<Place>,
}

/// What becomes of a request, in order.
pub(super) enum Event {
    /// It is refused, or has failed.
    Failed(ApiError),
    /// This JSON answers it.
    Answer(Vec<u8>),
    /// It is understood, and waits for its turn.
    Understood(Form),
    /// Its prompt has been read.
    Read { prompt_tokens: u32, cached_tokens: u32 },
    /// More of the text.
    Text { said: Vec<tools::Event>, tokens: u32, scored: Vec<Scored> },
    /// The text has ended.
    Ended(Finish),
    /// The vectors, and the tokens that they were made from.
    Vectors { vectors: Vec<Vec<f32>>, tokens: u32 },
}

impl Event {
    /// Bytes of memory, roughly.
    fn bytes(&self) -> usize {
        let mut bytes = size_of::<Self>();
        if let Self::Text { said, scored, .. } = self {
            bytes += said.iter().map(tools::Event::bytes).sum::<usize>();
            let scored = scored.iter().flat_map(|it| it.top.iter().chain([&it.token]));
            bytes += scored.map(|it| size_of_val(it) + it.bytes.len()).sum::<usize>();
        }
        bytes
    }
}

/// In which form an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text {
        is_chat: bool,
        streams: bool,
        /// Whether a stream ends with the numbers of tokens.
        wants_usage: bool,
        /// Whether the answer says what scores its tokens had.
        is_scored: bool,
    },
    Vectors {
        is_base64: bool,
    },
}

/// Why a text has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
}

impl Finish {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

/// A token with its probability.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) token: Alternative,
    pub(super) top: Vec<Alternative>,
}

/// A token that could have come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alternative {
    pub(super) bytes: Vec<u8>,
    /// The logarithm of its probability.
    pub(super) logprob: f32,
}

/// The way back to a request's connection.
#[derive(Clone)]
pub(super) struct Events {
    sender: UnboundedSender<Event>,
    /// Bytes that are sent and not received.
    behind: Arc<AtomicUsize>,
}

/// What comes back.
pub(super) struct Received {
    receiver: UnboundedReceiver<Event>,
    behind: Arc<AtomicUsize>,
}

/// Both ends of a way back.
pub(super) fn events() -> (Events, Received) {
    let (sender, receiver) = unbounded_channel();
    let behind = Arc::new(AtomicUsize::new(0));
    (Events { sender, behind: behind.clone() }, Received { receiver, behind })
}

impl Events {
    /// Whether nobody waits for the answer any more, or not as one who reads it.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.behind.load(Ordering::Relaxed) > MAX_BEHIND_BYTES
    }

    pub(super) fn send(&self, event: Event) {
        self.behind.fetch_add(event.bytes(), Ordering::Relaxed);
        // Who has gone needs no answer; `is_closed` is looked at before each pass.
        let _ = self.sender.send(event);
    }
}

impl Received {
    /// The next event; `None` once there will be no more.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(event)) = &event {
            self.behind.fetch_sub(event.bytes(), Ordering::Relaxed);
        }
        event
    }

    /// As [`Self::poll`], and waits for it.
    pub(super) async fn recv(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll(context)).await
    }
}
