//! Texts of a model whose state cannot go back, and texts that share passes and prefixes: the same
//! logits, bit for bit, as those of a fresh text with the same tokens.

extern crate std;

use super::speculate::{Drafter, Speculation};
use super::*;
use crate::gguf::Gguf;
use crate::grammar::{Constraint, Grammar, SortedTokens, TokenBytes, json};
use crate::kernels::portable;
use crate::mem::Arena;
use crate::model::block_tests::REMEMBERING;
use crate::model::{Build, Family, LayerSet, ModelOptions, Row, family};
use crate::ops::RowPosition;
use crate::port::{CpuFeatures, FlashWeights, Lease, NoClock, ReadError, Serial, Stripe, Weights};
use crate::quant::KvType;
use crate::sampler::{Rng, Sampler, SamplerOptions};
use crate::tokenizer::Tokenizer;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU32, Ordering};
use std::vec::Vec;

const CONTEXT: u32 = 192;

fn file() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/arch/llama.gguf")).unwrap()
}

/// Runs `work` with what a model of `family` is.
fn with_layout<R>(
    file: &[u8],
    families: &[&'static Family],
    work: impl FnOnce(&Layout<'_, '_>) -> R,
) -> R {
    let gguf = Gguf::parse(file, file.len() as u64).unwrap();
    let build = Build {
        formats: portable::ALL,
        vectors: portable::VECTORS,
        families,
        cpu: CpuFeatures::baseline(),
    };
    work(&Layout::of(&gguf, &build, LayerSet::EMPTY).unwrap())
}

/// Runs `work` with a session that can go back to `marks` positions.
fn with_session<R>(file: &[u8], marks: u32, work: impl FnOnce(Session<'_>) -> R) -> R {
    with_session_of(&REMEMBERING, file, &FlashWeights::new(file), marks, work)
}

/// [`with_session`] of a family, whose weights come from `weights`.
fn with_session_of<R>(
    family: &'static Family,
    file: &[u8],
    weights: &dyn Weights,
    marks: u32,
    work: impl FnOnce(Session<'_>) -> R,
) -> R {
    with_layout(file, &[family], |layout| {
        let options = Options {
            context: CONTEXT,
            batch: 7,
            logit_rows: 6,
            marks: Some(marks),
            ..Options::default()
        };
        let mut plan = MemoryPlan::new();
        Session::plan(layout, &options, &mut plan).unwrap();
        let mut memory = std::vec![0xa5; plan.total() as usize + 63];
        let mut arena = Arena::new(&mut memory);
        let session = Session::new(layout, weights, &Serial, &options, &mut arena).unwrap();
        assert_eq!(arena.used_bytes(), plan.total());
        work(session)
    })
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// The last logits of a fresh text.
fn fresh(file: &[u8], tokens: &[u32]) -> Vec<u32> {
    with_session(file, 0, |mut session| {
        session.prefill(tokens, &mut |_| true).unwrap();
        bits(session.logits())
    })
}

fn text(length: u32, seed: u64) -> Vec<u32> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| 3 + (rng.next_u64() % 250) as u32).collect()
}

/// Going back reaches the nearest mark, and what is missing is evaluated with what comes next.
#[test]
fn going_back_evaluates_what_is_missing() {
    let file = file();
    for marks in [0, 1, 3] {
        with_session(&file, marks, |mut session| {
            let tokens = text(60, 1);
            // Each prefill ends with a mark.
            for part in tokens.chunks(20) {
                session.prefill(part, &mut |_| true).unwrap();
            }
            let reached = session.rewind(45);
            assert_eq!(reached, if marks > 1 { 40 } else { 0 });
            assert_eq!((session.position(), session.tokens()), (45, &tokens[..45]));
            assert!(session.logits().is_empty());
            session.decode(9).unwrap();
            let expected = [&tokens[..45], &[9]].concat();
            assert_eq!((session.tokens(), session.position()), (&expected[..], 46));
            assert!(bits(session.logits()) == fresh(&file, &expected), "{marks} marks");
            // Behind the end nothing happens, and at the beginning all is gone.
            assert_eq!(session.rewind(100), 46);
            assert_eq!(session.rewind(0), 0);
            session.prefill(&tokens[..5], &mut |_| true).unwrap();
            assert!(bits(session.logits()) == fresh(&file, &tokens[..5]));
        });
    }
}

/// Random walks of going back and on, with every number of marks.
#[test]
fn any_order_of_going_back_and_on_is_a_fresh_text() {
    let file = file();
    for seed in 0..6 {
        with_session(&file, seed as u32, |mut session| {
            let mut rng = Rng::new(seed);
            let mut below = |limit: u64| (rng.next_u64() % limit) as u32;
            for step in 0..12 {
                let free = u64::from(CONTEXT - session.position());
                match below(3) {
                    0 if session.position() > 0 => {
                        let position = below(u64::from(session.position()));
                        assert!(session.rewind(position) <= position);
                    }
                    1 if free > 2 => {
                        let tokens = text(1 + below(free.min(40) - 1), u64::from(below(1 << 20)));
                        // Now and then it is left before the end.
                        let most = if below(4) == 0 { 7 } else { usize::MAX };
                        session.prefill(&tokens, &mut |done| done < most).unwrap();
                    }
                    _ if free > 0 => session.decode(3 + below(200)).unwrap(),
                    _ => {}
                }
                if !session.logits().is_empty() {
                    let expected = fresh(&file, session.tokens());
                    assert!(bits(session.logits()) == expected, "seed {seed}, step {step}");
                }
            }
        });
    }
}

/// Guesses tokens at random, so that nearly none comes.
struct Guess(Rng);

impl Drafter for Guess {
    fn accept(&mut self, _: u32) {}

    fn forget(&mut self) {}

    fn draft(&mut self, draft: &mut [u32]) -> usize {
        let count = self.0.next_u64() as usize % (draft.len() + 1);
        draft[..count].iter_mut().for_each(|token| *token = (self.0.next_u64() % 250) as u32);
        count
    }
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
}

impl Output for Written {
    fn text(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn with_tokenizer<R>(file: &[u8], work: impl FnOnce(&Tokenizer<'_>) -> R) -> R {
    let gguf = Gguf::parse(file, file.len() as u64).unwrap();
    let mut memory = std::vec![0; 1 << 20];
    work(&Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap())
}

fn with_sampler<R>(seed: u64, n_vocab: u32, work: impl FnOnce(&mut Sampler<'_>) -> R) -> R {
    let choice = SamplerOptions { temperature: 1.2, seed, ..SamplerOptions::NEUTRAL };
    let mut memory = std::vec![0; 1 << 20];
    work(&mut Sampler::new(choice, n_vocab, &mut Arena::new(&mut memory)).unwrap())
}

fn with_json<R>(tokenizer: &Tokenizer<'_>, work: impl FnOnce(&mut Constraint<'_>) -> R) -> R {
    let vocabulary: &dyn TokenBytes = tokenizer;
    let tokens = vocabulary.len();
    let mut scratch = std::vec![0; SortedTokens::scratch_words(tokens)];
    let sorted = SortedTokens::new(vocabulary, &mut scratch).unwrap();
    let mut trie = std::vec![0; sorted.trie_words()];
    let trie = sorted.build(vocabulary, &mut trie).unwrap();
    let (mut words, mut masks) =
        (std::vec![0; 1 << 15], std::vec![0; Constraint::words(tokens, 8)]);
    let ends = (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token));
    let grammar: Grammar<'_> = json::compact(json::Root::Value, &mut words).unwrap();
    work(&mut Constraint::new(grammar, trie, tokens, ends, &mut masks).unwrap())
}

/// Drafts, constraints and a context that shifts: the same text, and then the same logits.
#[test]
fn texts_of_state_that_cannot_go_back_are_the_same_with_drafts() {
    let file = file();
    let mut rejected = 0;
    for (seed, constrained, shifts) in
        [(1, false, false), (2, true, false), (3, false, true), (4, true, false)]
    {
        let run = |drafts: bool| {
            with_tokenizer(&file, |tokenizer| {
                with_session(&file, if drafts { 2 } else { 0 }, |mut session| {
                    with_sampler(seed, session.config().n_vocab, |sampler| {
                        if shifts {
                            let shift = Shift { keep: 5, how: How::Again };
                            session.shift_when_full(shift).unwrap();
                            let fast = Shift { keep: 5, how: How::Turned };
                            assert_eq!(session.shift_when_full(fast), Err(ShiftError::State));
                        }
                        session.prefill(&text(30, seed), &mut |_| true).unwrap();
                        let mut guess = Guess(Rng::new(seed));
                        let mut speculation = Speculation::new(&mut guess, &NoClock);
                        let mut policy = Policy::new(tokenizer, sampler);
                        if drafts {
                            policy.speculation = Some(&mut speculation);
                        }
                        let mut output = Written::default();
                        let most = if shifts { 300 } else { 100 };
                        let written = if constrained {
                            with_json(tokenizer, |constraint| {
                                let mut policy = policy.constrained(constraint);
                                session.generate(&mut policy, most, &mut output)
                            })
                        } else {
                            session.generate(&mut policy, most, &mut output)
                        };
                        let unread = written.unwrap().unread.unwrap_or(7);
                        let result = speculation.result();
                        if session.position() < CONTEXT {
                            session.decode(unread).unwrap();
                            let expected = fresh(&file, session.tokens());
                            assert!(bits(session.logits()) == expected, "seed {seed}");
                        }
                        (output.bytes, session.tokens().to_vec(), result)
                    })
                })
            })
        };
        let (plain, drafted) = (run(false), run(true));
        assert!(plain.0 == drafted.0 && plain.1 == drafted.1, "seed {seed}");
        rejected += drafted.2.drafted - drafted.2.accepted;
    }
    assert!(rejected > 20, "{rejected}");
}

/// A file whose reading fails now and then: `left` leases go well before one fails.
struct Flaky<'a> {
    file: FlashWeights<'a>,
    left: AtomicU32,
    failures: AtomicU32,
}

impl Weights for Flaky<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        match self.left.load(Ordering::Relaxed) {
            0 => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed);
                // A pass has fewer leases than this.
                self.left.store(100 + 37 * (failures % 11), Ordering::Relaxed);
                Err(ReadError::Io { offset: stripe.offset, code: 5 })
            }
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                self.file.lease(index, stripe)
            }
        }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read(offset, into)
    }
}

/// A pass that fails leaves the text as it was, and its step can be tried again; a text that has
/// ended stays ended.
#[test]
fn a_failed_step_can_be_tried_again() {
    let file = file();
    for (family, drafts) in [
        (&REMEMBERING, false),
        (&REMEMBERING, true),
        (&family::LLAMA, false),
        (&family::LLAMA, true),
    ] {
        let run = |left: u32| {
            let (left, failures) = (AtomicU32::new(left), AtomicU32::new(0));
            let weights = Flaky { file: FlashWeights::new(&file), left, failures };
            let written = with_session_of(family, &file, &weights, 2, |mut session| {
                with_tokenizer(&file, |tokenizer| {
                    with_sampler(3, session.config().n_vocab, |sampler| {
                        let prompt = text(30, 3);
                        while session.prefill(&prompt, &mut |_| true).is_err() {
                            session.rewind(0);
                        }
                        let mut guess = Guess(Rng::new(3));
                        let mut speculation = Speculation::new(&mut guess, &NoClock);
                        let mut policy = Policy::new(tokenizer, sampler);
                        policy.speculation = drafts.then_some(&mut speculation);
                        let mut output = Written::default();
                        let mut writer = session.begin(&policy, 100).unwrap();
                        let generated = loop {
                            match session.step(&mut writer, &mut policy, &mut output) {
                                Ok(None) => {}
                                Ok(Some(generated)) => break generated,
                                Err(error) => assert!(matches!(error, SessionError::Forward(_))),
                            }
                        };
                        let again = session.step(&mut writer, &mut policy, &mut output);
                        assert_eq!(again, Ok(Some(generated)));
                        (output.bytes, session.tokens().to_vec(), generated)
                    })
                })
            });
            (written, weights.failures.into_inner())
        };
        let ((expected, none), (written, failures)) = (run(u32::MAX), run(0));
        assert!(none == 0 && failures > 5, "{failures}");
        assert!(written == expected);
    }
}

/// Several texts, each with a writer of its own, in one engine and in the same passes; two of them
/// share the blocks of a prompt that only one has evaluated. Each is what it is alone.
#[test]
fn texts_that_share_passes_and_prefixes_are_the_texts_alone() {
    const TEXTS: u32 = 3;
    let file = file();
    let prompts = [text(70, 5), text(70, 5), text(23, 6)];
    let alone = |slot: usize| {
        with_layout(&file, family::ALL, |layout| {
            with_engine(layout, &file, 1, |engine| {
                write_all(engine, &file, &prompts[slot..=slot], 0)
            })
        })
    };
    let expected: Vec<_> = (0..prompts.len()).flat_map(alone).collect();
    assert!(expected.iter().all(|text| text.len() > 10) && expected[0] != expected[2]);
    let together = |shared: usize| {
        with_layout(&file, family::ALL, |layout| {
            with_engine(layout, &file, TEXTS, |engine| write_all(engine, &file, &prompts, shared))
        })
    };
    for shared in [0, 1] {
        assert!(together(shared) == expected, "{shared} blocks shared");
    }
}

fn with_engine<R>(
    layout: &Layout<'_, '_>,
    file: &[u8],
    sequences: u32,
    work: impl FnOnce(&mut Engine<'_>) -> R,
) -> R {
    let options = ModelOptions {
        context: CONTEXT,
        kv_type: KvType::F16,
        sequences,
        batch: 16,
        logit_rows: 16,
        marks: 0,
        workers: 1,
        stripe_bytes: u64::MAX,
    };
    let mut memory = std::vec![0xa5; 4 << 20];
    let weights = FlashWeights::new(file);
    let mut arena = Arena::new(&mut memory);
    work(&mut Engine::new(layout, &weights, &Serial, &options, &mut arena).unwrap())
}

/// Writes 40 tokens after each prompt, all texts in the same passes. With `shared` blocks the
/// second text has those of the first one's prompt.
fn write_all(
    engine: &mut Engine<'_>,
    file: &[u8],
    prompts: &[Vec<u32>],
    shared: usize,
) -> Vec<Vec<u32>> {
    let n_vocab = engine.config().n_vocab;
    let mut memory = std::vec![0; 1 << 20];
    let mut arena = Arena::new(&mut memory);
    let mut texts: Vec<_> = (0..prompts.len())
        .map(|slot| Sequence::take(slot as u32, CONTEXT, &mut arena).unwrap())
        .collect();
    let choice = SamplerOptions { temperature: 1.0, seed: 8, ..SamplerOptions::NEUTRAL };
    let mut samplers: Vec<_> =
        prompts.iter().map(|_| Sampler::new(choice, n_vocab, &mut arena).unwrap()).collect();
    for (slot, (text, prompt)) in texts.iter_mut().zip(prompts).enumerate() {
        text.push(prompt, n_vocab).unwrap();
        if slot == 1 && shared > 0 {
            assert!(engine.share(0, 1, shared) && !engine.share(0, 9, 1));
            text.evaluated(64 * shared);
        }
        while text.pending() > 0 {
            let count = text.pending().min(16);
            engine.pass(text.rows(count, usize::MAX)).unwrap();
            text.evaluated(count);
        }
    }
    with_tokenizer(file, |tokenizer| {
        let mut writers: Vec<_> = prompts.iter().map(|_| Writer::new(40)).collect();
        let mut outputs: Vec<_> = prompts.iter().map(|_| Written::default()).collect();
        // The last token once more, for its logits.
        let mut next: Vec<Vec<u32>> = Vec::new();
        for (text, prompt) in texts.iter_mut().zip(prompts) {
            text.rewind(engine, prompt.len() as u32 - 1);
            next.push(std::vec![prompt[prompt.len() - 1]]);
        }
        while writers.iter().any(|writer| writer.stop().is_none()) {
            let mut rows = Vec::new();
            for (text, tokens) in texts.iter_mut().zip(&next) {
                if !tokens.is_empty() {
                    text.push(tokens, n_vocab).unwrap();
                    rows.extend(text.rows(text.pending(), text.pending() - 1));
                    text.evaluated(text.pending());
                }
            }
            engine.pass(rows.into_iter()).unwrap();
            let mut row = 0;
            for (slot, writer) in writers.iter_mut().enumerate() {
                if next[slot].is_empty() {
                    continue;
                }
                let mut policy = Policy::new(tokenizer, &mut samplers[slot]);
                writer.evaluated(&mut policy);
                let engine = &*engine;
                writer.choose(&mut policy, &|_| engine.logits(row), &mut outputs[slot]).unwrap();
                assert_eq!(writer.settle(&mut policy), 0);
                row += 1;
                next[slot] = match writer.stop() {
                    None => writer.wants(&mut policy, 0).tokens.to_vec(),
                    Some(_) => Vec::new(),
                };
            }
        }
    });
    texts.iter().map(|text| text.tokens().to_vec()).collect()
}

/// A sequence that had shared blocks writes to its own again, and leaves the others' alone.
#[test]
fn blocks_can_be_unshared() {
    let file = file();
    with_layout(&file, family::ALL, |layout| {
        with_engine(layout, &file, 2, |engine| {
            let row = |sequence, position, token| Row {
                token,
                at: RowPosition { sequence, position },
                wants_logits: true,
            };
            let pass = |engine: &mut Engine<'_>, sequence, position, token| {
                engine.pass([row(sequence, position, token)].into_iter()).unwrap();
                bits(engine.logits(0))
            };
            pass(engine, 0, 0, 5);
            let expected = pass(engine, 0, 1, 6);
            pass(engine, 1, 0, 9);
            let own = pass(engine, 1, 1, 6);
            assert!(own != expected);
            assert!(engine.share(0, 1, 1));
            assert!(pass(engine, 1, 1, 6) == expected);
            engine.unshare(1);
            assert!(pass(engine, 1, 1, 6) == own);
            assert!(pass(engine, 0, 1, 6) == expected);
            assert!(!engine.share(0, 1, 4) && engine.share(0, 1, 3) && !engine.share(2, 0, 1));
        });
    });
}
