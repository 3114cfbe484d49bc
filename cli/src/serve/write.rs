//! A text being written: what [`super::batch`] evaluates for it, and what it makes of the scores.
//!
//! A text is a future, because it borrows from itself: a sampler and a constraint live in memory
//! that belongs to the text. It waits for nothing but [`Seat::scores`].

use super::calls::{CallMemory, Calls};
use super::error::ApiError;
use super::job::{Alternative, Event, Finish, Scored, TextJob};
use super::tools::{self, Turn};
use crate::constraint;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::ops::ControlFlow;
use core::task::Poll;
use picolm_core::grammar::{Constrain, Constraint, Grammar, Trie};
use picolm_core::mem::{ARENA_ALIGN, Arena, MemoryPlan};
use picolm_core::num;
use picolm_core::sampler::Sampler;
use picolm_core::session::{Engine, Output, Policy, Sequence, Stop, StopTexts, Writer};
use picolm_core::tokenizer::Tokenizer;

/// What all texts have in common.
pub(super) struct Desk<'d, 'm> {
    pub(super) engine: RefCell<Engine<'m>>,
    pub(super) tokenizer: &'d Tokenizer<'m>,
    /// The vocabulary's tree; empty until a grammar has been asked for.
    pub(super) tree: &'d std::sync::OnceLock<Vec<u32>>,
    pub(super) seats: Vec<Seat<'m>>,
}

/// The place of a text in the engine.
pub(super) struct Seat<'m> {
    pub(super) sequence: RefCell<Sequence<'m>>,
    /// Which of the last pass's logits are those of the sequence's last token.
    scores: Cell<Option<usize>>,
}

impl<'m> Seat<'m> {
    pub(super) fn new(sequence: Sequence<'m>) -> Self {
        Self { sequence: RefCell::new(sequence), scores: Cell::new(None) }
    }

    /// Scores of the sequence's last token are those of index `index`.
    pub(super) fn set_scores(&self, index: usize) {
        self.scores.set(Some(index));
    }

    /// Waits until the whole sequence is evaluated; then its last token's scores have this index.
    async fn scores(&self) -> usize {
        poll_fn(|_| match self.scores.take() {
            Some(index) => Poll::Ready(index),
            None => Poll::Pending,
        })
        .await
    }
}

/// Writes the text of `job`, whose prompt is the sequence in seat `seat`, and reports it.
pub(super) async fn write(desk: &Desk<'_, '_>, seat: usize, job: TextJob) {
    match try_write(desk, &desk.seats[seat], &job).await {
        Ok(finish) => job.events.send(Event::Ended(finish)),
        Err(error) => job.events.send(Event::Failed(error)),
    }
}

async fn try_write(
    desk: &Desk<'_, '_>,
    seat: &Seat<'_>,
    job: &TextJob,
) -> Result<Finish, ApiError> {
    let tokenizer = desk.tokenizer;
    let n_vocab = tokenizer.vocabulary_len();
    let options = job.sampling.options(job.max_tokens);
    let mut plan = MemoryPlan::new();
    Sampler::plan(&options, n_vocab, &mut plan).map_err(ApiError::internal)?;
    let mut memory = vec![0; plan.total() as usize + ARENA_ALIGN];
    let mut sampler =
        Sampler::new(options, n_vocab, &mut Arena::new(&mut memory)).map_err(ApiError::invalid)?;

    let mut grammar = job.grammar.clone();
    let mut masks = if grammar.is_some() { constraint::masks(n_vocab) } else { Vec::new() };
    let tree = desk.tree.get().map_or(&[][..], Vec::as_slice);
    let mut constraint = match &mut grammar {
        Some(words) => {
            let (words, tree) = (Grammar::from_words(words), Trie::from_words(tree));
            let ends = constraint::ends(tokenizer);
            let constraint = Constraint::new(words, tree, n_vocab, ends, &mut masks);
            let constraint = constraint.map_err(ApiError::internal)?;
            let is_json = job.is_json;
            Some(Box::new(if is_json { constraint } else { constraint.narrowed_by(tokenizer) }))
        }
        None => None,
    };
    let offers =
        job.reading.as_ref().filter(|it| it.offer.tools.may_call() && constraint.is_none());
    let mut memory = offers.map(|reading| CallMemory::new(&reading.offer, n_vocab));
    let mut calls = offers.zip(memory.as_mut()).map(|(reading, memory)| {
        let turn = Turn::new(&reading.offer.tools, reading.reasoning, &reading.id);
        Calls::new(tokenizer, tree, &reading.offer, turn, memory)
    });
    let constraint = match (&mut constraint, &mut calls) {
        (Some(constraint), _) => Some(&mut **constraint as &mut dyn Constrain),
        (None, calls) => calls.as_mut().map(|calls| calls as &mut dyn Constrain),
    };
    let mut policy = Policy { tokenizer, sampler: &mut sampler, constraint, speculation: None };

    let shown = RefCell::new(Vec::new());
    let stop: Vec<&[u8]> = job.stop.iter().map(Vec::as_slice).collect();
    let mut sink = Sink(&shown);
    let mut output = StopTexts::new(&stop, &mut sink);
    let mut writer = Writer::new(job.max_tokens);
    let turn = job
        .reading
        .as_ref()
        .map(|reading| Turn::new(&reading.offer.tools, reading.reasoning, &reading.id));
    let mut report = Report { job, tokenizer, shown: &shown, tokens: 0, turn };
    loop {
        let first = seat.scores().await;
        let scored = {
            let engine = desk.engine.borrow();
            let chosen = writer.choose(&mut policy, &|row| engine.logits(first + row), &mut output);
            // Without a draft there is nothing to take back.
            writer.settle(&mut policy);
            chosen.map_err(ApiError::internal)?;
            report.scored(writer.waiting(), engine.logits(first))
        };
        if let Some(stop) = writer.stop() {
            writer.finish(&mut output);
            let found = output.finish().is_some();
            let called = report.end(writer.tokens(), scored);
            let is_full = job.grammar.is_none() && writer.tokens() == job.max_tokens;
            return Ok(match stop {
                _ if called => Finish::ToolCalls,
                Stop::MaxTokens | Stop::ContextFull if !found => Finish::Length,
                Stop::Complete if is_full && !found => Finish::Length,
                _ => Finish::Stop,
            });
        }
        report.send(writer.tokens(), scored);
        let wants = writer.wants(&mut policy, 0);
        seat.sequence.borrow_mut().push(wants.tokens, n_vocab).map_err(ApiError::internal)?;
        writer.evaluated(&mut policy);
    }
}

/// What is shown of a text, until it is reported.
struct Sink<'s>(&'s RefCell<Vec<u8>>);

impl Output for Sink<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    /// JSON is UTF-8: half a character is left out.
    fn unfinished(&mut self, _: &[u8]) {}

    fn token_done(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// What has been reported of a text.
struct Report<'r, 'm> {
    job: &'r TextJob,
    tokenizer: &'r Tokenizer<'m>,
    shown: &'r RefCell<Vec<u8>>,
    tokens: u32,
    /// Reads the answer of a conversation.
    turn: Option<Turn<'r>>,
}

impl Report<'_, '_> {
    /// Reports what is shown of `tokens` tokens by now.
    fn send(&mut self, tokens: u32, scored: Vec<Scored>) {
        let bytes = self.shown.take();
        let new = tokens - core::mem::replace(&mut self.tokens, tokens);
        if new == 0 && bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        let said = match &mut self.turn {
            Some(turn) => {
                turn.push(&text);
                turn.events()
            }
            None if text.is_empty() => Vec::new(),
            None => vec![tools::Event::Content(text.into_owned())],
        };
        self.job.events.send(Event::Text { said, tokens: new, scored });
    }

    /// Reports all that is left. Returns whether tools were called.
    fn end(&mut self, tokens: u32, scored: Vec<Scored>) -> bool {
        self.send(tokens, scored);
        let Some(turn) = &mut self.turn else { return false };
        turn.finish();
        let said = turn.events();
        if !said.is_empty() {
            self.job.events.send(Event::Text { said, tokens: 0, scored: Vec::new() });
        }
        turn.calls() > 0
    }

    /// The scores of tokens, the first of which was chosen by `logits`, if they are wanted. Those
    /// after it could be no others.
    fn scored(&self, tokens: &[u32], logits: &[f32]) -> Vec<Scored> {
        let Some(top) = self.job.top_logprobs else { return Vec::new() };
        let alternative = |token: u32, logprob: f32| {
            let mut bytes = Vec::new();
            self.tokenizer.token_bytes(token, &mut |part| bytes.extend_from_slice(part));
            Alternative { bytes, logprob }
        };
        let mut scored = Vec::new();
        for (index, &token) in tokens.iter().enumerate() {
            let (logprob, best) = match index {
                0 => probabilities(logits, token, top as usize),
                _ => (0.0, Vec::new()),
            };
            let top = best.into_iter().map(|(token, logprob)| alternative(token, logprob));
            scored.push(Scored { token: alternative(token, logprob), top: top.collect() });
        }
        scored
    }
}

/// The logarithm of the probability of `token` and those of the `top` likeliest tokens.
fn probabilities(logits: &[f32], token: u32, top: usize) -> (f32, Vec<(u32, f32)>) {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(num::exp(logit - highest))).sum();
    let total = highest + sum.ln() as f32;
    // What is impossible has no logarithm that JSON could write.
    let logprob = |logit: f32| (logit - total).max(-9999.0);
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(top + 1);
    for (id, &logit) in (0..).zip(logits).filter(|_| top > 0) {
        if best.len() == top && best.last().is_some_and(|&(_, last)| logit <= last) {
            continue;
        }
        let place = best.partition_point(|&(_, other)| other >= logit);
        best.insert(place, (id, logit));
        best.truncate(top);
    }
    best.iter_mut().for_each(|(_, logit)| *logit = logprob(*logit));
    (logits.get(token as usize).copied().map_or(-9999.0, logprob), best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_and_the_likeliest_come_first() {
        let logits = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 0.5];
        let (own, best) = probabilities(&logits, 4, 5);
        let order: Vec<u32> = best.iter().map(|&(id, _)| id).collect();
        assert_eq!(order, [1, 3, 0, 4, 2]);
        let sum: f32 = best.iter().map(|&(_, logprob)| num::exp(logprob)).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert_eq!((own, best[4].1), (best[3].1, -9999.0));
        assert_eq!(probabilities(&logits, 1, 2).1, best[..2]);
        assert!(probabilities(&logits, 1, 0).1.is_empty());
    }
}
