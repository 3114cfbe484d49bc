//! Contexts that were full: what follows is what a fresh run over the kept tokens writes.

use crate::engine::{Fixture, Setting, architectures, with_session};
use crate::file::{bits, fingerprint, prefill, restore, saved};
use crate::tiny::Tiny;
use core::ops::ControlFlow;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::port::FlashWeights;
use picolm_core::quant::KvType;
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::session::{
    How, Options, Output, Policy, SaveError, Session, Shift, ShiftError, Stop, Unsaved,
};
use picolm_core::tokenizer::Tokenizer;

const CONTEXT: u32 = 96;

/// Counts tokens and stops where it is told to.
#[derive(Default)]
struct Counting {
    shifted: Vec<(usize, usize)>,
    stops_shifting_at: Option<usize>,
}

impl Output for Counting {
    fn text(&mut self, _bytes: &[u8]) {}

    fn token_done(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn shifting(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        self.shifted.push((done, total));
        match self.stops_shifting_at {
            Some(at) if done >= at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn prompt() -> Vec<u32> {
    (0..60).map(|index| 5 + index * 13 % 300).collect()
}

/// Runs `work` on a session that has read the prompt, with what generation needs.
fn with_text<R>(
    fixture: &Fixture,
    prompt: &[u32],
    work: impl FnOnce(&mut Session<'_>, &Tokenizer<'_>, &mut Sampler<'_>) -> R,
) -> R {
    let options = Options { context: CONTEXT, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    let gguf = fixture.gguf();
    with_session(fixture, &FlashWeights::new(&fixture.file), &setting, |session| {
        let n_vocab = session.config().n_vocab;
        let mut plan = MemoryPlan::new();
        Tokenizer::plan(&gguf, &mut plan).unwrap();
        let choice = SamplerOptions { temperature: 1.5, seed: 3, ..SamplerOptions::NEUTRAL };
        Sampler::plan(&choice, n_vocab, &mut plan).unwrap();
        let mut memory = vec![0; plan.total() as usize + 63];
        let mut arena = Arena::new(&mut memory);
        let tokenizer = Tokenizer::new(&gguf, &mut arena).unwrap();
        let mut sampler = Sampler::new(choice, n_vocab, &mut arena).unwrap();
        prefill(session, prompt);
        work(session, &tokenizer, &mut sampler)
    })
}

/// Goes on until `count` tokens are written, whatever the model says of its end.
fn generate(
    session: &mut Session<'_>,
    tokenizer: &Tokenizer<'_>,
    sampler: &mut Sampler<'_>,
    count: u32,
) -> (u32, Stop) {
    let mut output = Counting::default();
    let mut left = count;
    loop {
        let part =
            session.generate(&mut Policy::new(tokenizer, sampler), left, &mut output).unwrap();
        left -= part.tokens;
        if left == 0 || part.stop != Stop::EndOfGeneration {
            return (count - left, part.stop);
        }
    }
}

/// Three shifts on; then the logits are those of a fresh session that has read the tokens that are
/// there now and nothing else, bit for bit.
#[test]
fn a_shifted_text_is_a_function_of_the_kept_tokens() {
    let keeps = [0, 4, 31, CONTEXT - 2];
    for (index, fixture) in architectures().iter().enumerate() {
        // Two for each model, and all of them.
        for keep in [keeps[index % 4], keeps[(index + 1) % 4]] {
            let shift = Shift { keep, how: How::Again };
            let dropped = shift.dropped(CONTEXT);
            let before = with_text(fixture, &prompt(), |session, _, _| session.tokens().to_vec());
            let (tokens, ours, count) =
                with_text(fixture, &prompt(), |session, tokenizer, sampler| {
                    session.shift_when_full(shift).unwrap();
                    // To just beyond the third shift.
                    let count = CONTEXT - 60 + 2 * dropped + 2;
                    let end = generate(session, tokenizer, sampler, count);
                    assert_eq!(end, (count, Stop::MaxTokens));
                    assert_eq!(session.dropped(), 3 * u64::from(dropped), "{}", fixture.name);
                    (session.tokens().to_vec(), bits(session), count)
                });
            // All but the last token were evaluated, and three times some were dropped.
            assert_eq!(tokens.len() as u32, 60 + count - 1 - 3 * dropped);
            assert_eq!(tokens[..keep.min(60) as usize], before[..keep.min(60) as usize]);
            let fresh = with_text(fixture, &tokens, |session, _, _| bits(session));
            assert!(ours == fresh, "{} keeping {keep}", fixture.name);
        }
    }
}

/// The tokens that stay are the first ones and the newest half of the others.
#[test]
fn the_first_and_the_newest_half_stay() {
    let fixture = &architectures()[0];
    with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        session.shift_when_full(Shift { keep: 7, how: How::Again }).unwrap();
        let (_, stop) = generate(session, tokenizer, sampler, CONTEXT - 60);
        assert_eq!(stop, Stop::MaxTokens);
        let full = [session.tokens(), &[99]].concat();
        assert_eq!(full.len() as u32, CONTEXT);
        session.decode(99).unwrap();
        let mut output = Counting::default();
        let end = session.generate(&mut Policy::new(tokenizer, sampler), 2, &mut output).unwrap();
        // 89 need not stay, 44 of them go.
        assert_eq!(session.dropped(), 44);
        assert_eq!(session.tokens()[..7], full[..7]);
        assert_eq!(session.tokens()[7..7 + 45], full[7 + 44..]);
        assert_eq!((session.tokens().len(), end.tokens), (7 + 45 + 1, 2));
        assert_eq!(output.shifted.last(), Some(&(45, 45)));
    });
}

#[test]
fn without_a_shift_a_full_context_ends_the_text() {
    let fixture = &architectures()[0];
    with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        let end = generate(session, tokenizer, sampler, 1000);
        assert_eq!(end, (CONTEXT - 60 + 1, Stop::ContextFull));
        assert_eq!((session.position(), session.dropped()), (CONTEXT, 0));
    });
}

/// A shift takes long on a slow machine: it can be left, and what is there then is sound.
#[test]
fn a_shift_can_be_interrupted() {
    let fixture = &architectures()[0];
    let tokens = with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        session.shift_when_full(Shift { keep: 4, how: How::Again }).unwrap();
        let mut output = Counting { stops_shifting_at: Some(1), ..Counting::default() };
        let mut end = None;
        while end != Some(Stop::Output) {
            end = Some(
                session
                    .generate(&mut Policy::new(tokenizer, sampler), 1000, &mut output)
                    .unwrap()
                    .stop,
            );
        }
        let last = session.tokens()[session.tokens().len() - 1];
        session.rewind(session.position() - 1);
        session.decode(last).unwrap();
        (session.tokens().to_vec(), bits(session))
    });
    let fresh = with_text(fixture, &tokens.0, |session, _, _| bits(session));
    assert!(tokens.1 == fresh);
}

/// A shifted text is saved and restored as any other.
#[test]
fn a_shifted_text_can_be_saved() {
    let fixture = &architectures()[0];
    let model = fingerprint(&fixture.file);
    let (tokens, file) = with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        session.shift_when_full(Shift { keep: 4, how: How::Again }).unwrap();
        saved(session, model);
        generate(session, tokenizer, sampler, 50);
        let position = session.position();
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Positions(position));
        (session.tokens().to_vec(), saved(session, model))
    });
    let longer = [&tokens[..], &[7]].concat();
    let fresh = with_text(fixture, &longer, |session, _, _| bits(session));
    with_text(fixture, &longer, |session, _, _| {
        session.rewind(0);
        assert_eq!(restore(session, &file, model, &longer), Ok(tokens.len() as u32));
        assert!(prefill(session, &[7]) == fresh);
    });
}

/// Turned keys are never saved; going back before them heals.
#[test]
fn a_text_that_was_shifted_fast_is_not_saved() {
    let fixture = &architectures()[0];
    let model = fingerprint(&fixture.file);
    with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        session.shift_when_full(Shift { keep: 4, how: How::Turned }).unwrap();
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Positions(60));
        generate(session, tokenizer, sampler, 50);
        assert_eq!(session.dropped(), 46);
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Inexact);
        let mut kept = crate::file::Kept(Vec::new());
        assert_eq!(session.save(&mut kept, model, 3), Err(SaveError::Inexact));
        assert!(kept.0.is_empty());
        session.rewind(5);
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Inexact);
        session.rewind(4);
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Positions(4));
    });
}

/// A tiny model's first layer only: there keys and values depend on token and position alone.
fn one_layer() -> Tiny {
    let tiny = Tiny::new().u32("llama.block_count", 1);
    let second: Vec<_> =
        tiny.tensor_names().into_iter().filter(|name| name.starts_with("blk.1.")).collect();
    second.iter().fold(tiny, |tiny, name| tiny.without_tensor(name))
}

/// The greatest difference between the logits of a text that was shifted fast and of a fresh run
/// over its tokens, and the greatest logit.
fn error_of_turned_keys(tiny: &Tiny) -> (f32, f32) {
    let model = tiny.bytes();
    let text: Vec<u32> = (0..64).map(|index| 3 + index * 7 % 9).collect();
    let (tokens, ours) = crate::tiny::with_tokenizer(&model, |tokenizer| {
        let tokenizer = tokenizer.unwrap();
        crate::tiny::with_session(&model, |session| {
            let mut memory = vec![0; 1 << 16];
            let n_vocab = session.config().n_vocab;
            let choice = SamplerOptions { temperature: 0.0, ..SamplerOptions::NEUTRAL };
            let mut sampler = Sampler::new(choice, n_vocab, &mut Arena::new(&mut memory)).unwrap();
            session.shift_when_full(Shift { keep: 4, how: How::Turned }).unwrap();
            prefill(session, &text);
            let mut output = Counting::default();
            session.generate(&mut Policy::new(&tokenizer, &mut sampler), 2, &mut output).unwrap();
            assert_eq!(session.dropped(), 30);
            assert!(output.shifted.is_empty());
            assert_eq!(session.tokens()[..34], [&text[..4], &text[34..]].concat());
            (session.tokens().to_vec(), session.logits().to_vec())
        })
        .unwrap()
    });
    assert_eq!(tokens.len(), 35);
    let fresh = crate::tiny::with_session(&model, |session| {
        prefill(session, &tokens);
        session.logits().to_vec()
    });
    let fresh = fresh.unwrap();
    let most = |numbers: &mut dyn Iterator<Item = f32>| numbers.fold(0f32, |a, b| a.max(b.abs()));
    let difference = most(&mut ours.iter().zip(&fresh).map(|(ours, fresh)| ours - fresh));
    (difference, most(&mut fresh.iter().copied()))
}

/// In a model of one layer a fast shift is right but for two roundings of keys to 11 bits; in one
/// of two layers the upper one has seen what was dropped.
#[test]
fn turned_keys_are_those_of_their_new_positions() {
    let yarn = one_layer()
        .string("llama.rope.scaling.type", "yarn")
        .f32("llama.rope.scaling.factor", 4.0)
        .u32("llama.rope.scaling.original_context_length", 16);
    for tiny in [one_layer(), yarn] {
        let (error, largest) = error_of_turned_keys(&tiny);
        assert!(error < largest / 1000.0, "{error} of {largest}");
    }
    let (error, largest) = error_of_turned_keys(&Tiny::new());
    assert!(error > largest / 1000.0, "{error} of {largest}");
}

#[test]
fn what_leaves_nothing_to_drop_is_refused() {
    let fixture = &architectures()[0];
    with_text(fixture, &prompt(), |session, tokenizer, sampler| {
        for keep in [CONTEXT - 1, CONTEXT, u32::MAX] {
            let result = session.shift_when_full(Shift { keep, how: How::Again });
            assert_eq!(result, Err(ShiftError::Keep { keep, context: CONTEXT }));
        }
        let (_, stop) = generate(session, tokenizer, sampler, 1000);
        assert_eq!(stop, Stop::ContextFull);
    });
}

/// Keys that are stored in blocks, mixed, cannot be turned; they can be computed again.
#[test]
fn only_f16_keys_can_be_turned() {
    let fixture =
        architectures().into_iter().find(|fixture| fixture.name == "llama_linear").unwrap();
    for kv_type in KvType::ALL {
        let options = Options { context: CONTEXT, kv_type, ..Options::default() };
        let setting = Setting { options, ..Setting::PLAIN };
        with_session(&fixture, &FlashWeights::new(&fixture.file), &setting, |session| {
            let fast = session.shift_when_full(Shift { keep: 4, how: How::Turned });
            let expected = if kv_type == KvType::F16 { Ok(()) } else { Err(ShiftError::KvType) };
            assert_eq!(fast, expected, "{}", kv_type.name());
            assert_eq!(session.shift_when_full(Shift { keep: 4, how: How::Again }), Ok(()));
        });
    }
}

/// Room for a longer text: what stays is the first tokens and the newest, and what follows is what
/// a fresh run over them writes.
#[test]
fn room_is_made_for_what_is_to_come() {
    let fixture = architectures().into_iter().find(|fixture| fixture.name == "llama").unwrap();
    let (text, more) = (prompt(), [7, 8, 9, 10]);
    for (tokens, dropped) in [(36, 0), (37, 28), (64, 28), (65, 28 + 14), (92, 0)] {
        let (made, position, shifted) = with_text(&fixture, &text, |session, _, _| {
            let again = Shift { keep: 4, how: How::Again };
            assert_eq!(session.make_room_for(37, &mut |_| true), Ok(false), "not asked for");
            session.shift_when_full(again).unwrap();
            let made = session.make_room_for(tokens, &mut |_| true).unwrap();
            let position = session.position();
            prefill(session, &more);
            (made, position, bits(session))
        });
        assert_eq!((made, position), (tokens <= 91, 60 - dropped), "{tokens}");
        if !made {
            continue;
        }
        let kept = text[4 + dropped as usize..].iter().chain(&more);
        let kept: Vec<u32> = text[..4].iter().chain(kept).copied().collect();
        let fresh = with_text(&fixture, &kept, |session, _, _| bits(session));
        assert_eq!(shifted, fresh, "{tokens}");
    }
}
