//! Conversations with models that have recurrent state: whatever is used on the way, their texts
//! are those of fresh runs, and a second turn evaluates nothing but what is new.

use crate::engine::{Fixture, architectures, is_recurrent};
use crate::file::{fingerprint, restore, saved};
use crate::speculation::{Counted, Run, Text, identical, random_run, runs, with_model_of};
use picolm_core::session::speculate::{Drafter, PromptLookup};
use picolm_core::session::{Output, Session, StopTexts};
use picolm_core::tokenizer::Tokenizer;

/// Positions: both turns fit.
const CONTEXT: u32 = 160;

/// A conversation with one model.
struct Talk<'t, 'm> {
    session: Session<'m>,
    tokenizer: &'t Tokenizer<'t>,
    run: Run<'static>,
    /// The last token of an answer, where it is not evaluated yet.
    unread: Option<u32>,
}

impl Talk<'_, '_> {
    fn begin(&mut self) {
        self.session.rewind(0);
        self.unread = None;
    }

    /// What to evaluate before `tokens` are answered.
    fn new_tokens(&self, tokens: &[u32]) -> Vec<u32> {
        [self.unread.as_slice(), tokens].concat()
    }

    /// All tokens so far.
    fn text(&self) -> Vec<u32> {
        [self.session.tokens(), self.unread.as_slice()].concat()
    }

    /// Evaluates `tokens` and writes an answer, with drafts or without.
    fn turn(&mut self, tokens: &[u32], with_lookup: bool, output: &mut dyn Output) {
        let mut room = [0; 64];
        let mut lookup = PromptLookup::new(&mut room);
        tokens.iter().for_each(|&token| lookup.accept(token));
        let drafter = with_lookup.then_some(&mut lookup as &mut dyn Drafter);
        self.session.prefill(&self.new_tokens(tokens), &mut |_| true).unwrap();
        let (session, tokenizer) = (&mut self.session, self.tokenizer);
        let (generated, _) = self.run.answer(session, tokenizer, tokens, drafter, output);
        self.unread = generated.unread;
    }

    /// The text of [`Self::turn`].
    fn answer(&mut self, tokens: &[u32], with_lookup: bool) -> Vec<u8> {
        let mut text = Text::of(&self.run);
        self.turn(tokens, with_lookup, &mut text);
        text.bytes
    }
}

fn two_turns_and_a_stop_text(fixture: &Fixture, seed: u64) {
    let weights = Counted::new(fixture);
    with_model_of(fixture, &weights, CONTEXT, |session, tokenizer| {
        // Someone who stops reading may come to a constrained text's end elsewhere.
        let mut run = random_run(seed, session.config().n_vocab);
        run.read_tokens = usize::MAX;
        let prompt = run.prompt.clone();
        let user: Vec<u32> = (0..1 + seed as u32 % 7).map(|index| 3 + index * 5).collect();
        let mut talk = Talk { session, tokenizer, run, unread: None };
        let case = format!("{}, seed {seed}", fixture.name);

        let first = talk.answer(&prompt, false);
        let tokens = talk.new_tokens(&user);
        let model = fingerprint(&fixture.file);
        let (begun, unread) = (talk.session.tokens().to_vec(), talk.unread);
        let file = saved(&mut talk.session, model);
        weights.rows.set(0);
        talk.session.prefill(&tokens, &mut |_| true).unwrap();
        assert_eq!(weights.rows.get(), tokens.len() as u32, "{case}: only what is new");

        // The turn again, and both from the beginning.
        talk.session.rewind(talk.session.position() - tokens.len() as u32);
        let second = talk.answer(&user, false);
        let text = talk.text();
        for with_lookup in [false, true] {
            talk.begin();
            assert_eq!(talk.answer(&prompt, with_lookup), first, "{case}");
            assert_eq!(talk.answer(&user, with_lookup), second, "{case}");
            assert_eq!(talk.text(), text, "{case}");
        }

        // Another process, which has the first turn's file.
        for with_lookup in [false, true] {
            talk.begin();
            let both = [&begun[..], &tokens].concat();
            let reused = restore(&mut talk.session, &file, model, &both);
            assert_eq!(reused, Ok(begun.len() as u32), "{case}");
            talk.unread = unread;
            assert_eq!(talk.answer(&user, with_lookup), second, "{case}");
            assert_eq!(talk.text(), text, "{case}");
        }

        // Up to a text that the answer has, without bytes of a character that never became whole.
        let unfinished = first.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        let whole = &first[..first.len() - unfinished];
        if whole.is_empty() {
            return;
        }
        let start = seed as usize % whole.len();
        let stop = &whole[start..whole.len().min(start + 3)];
        let expected = first.windows(stop.len()).position(|text| text == stop).unwrap();
        for with_lookup in [false, true] {
            talk.begin();
            let mut shown = Text::of(&talk.run);
            let texts = [stop];
            let mut output = StopTexts::new(&texts, &mut shown);
            talk.turn(&prompt, with_lookup, &mut output);
            assert!(output.finish().is_some(), "{case}");
            assert_eq!(shown.bytes, first[..expected], "{case}");
        }
    });
}

fn recurrent() -> Vec<Fixture> {
    architectures().into_iter().filter(is_recurrent).collect()
}

#[test]
fn a_conversation_is_the_same_whatever_is_used() {
    for fixture in &recurrent() {
        for seed in 0..u64::from(runs(5).cases) {
            two_turns_and_a_stop_text(fixture, 130 + seed);
        }
    }
}

/// Drafts by one that knows, by lookup and by the model itself; half of the texts are constrained.
#[test]
fn drafts_change_no_text_of_recurrent_models() {
    for fixture in &recurrent() {
        let n_vocab = with_model_of(fixture, &Counted::new(fixture), CONTEXT, |session, _| {
            session.config().n_vocab
        });
        for seed in 0..u64::from(runs(2).cases) {
            identical(fixture, fixture, &random_run(1000 + seed, n_vocab), None);
        }
    }
}
