//! Speculation changes nothing but time: the text with drafts, good ones and bad ones, is the text
//! without, for greedy and for sampled text with every stage that remembers something.

use crate::engine::{Fixture, Setting, architectures, with_owned_session, with_session};
use core::ops::ControlFlow;
use picolm_core::kernels::portable;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::port::{FlashWeights, NoClock, Serial};
use picolm_core::sampler::{Dry, Mirostat, Penalties, Rng, Sampler, SamplerOptions};
use picolm_core::session::speculate::{
    Drafter, MAX_DRAFT, ModelDraft, PromptLookup, Speculated, Speculation,
};
use picolm_core::session::{Generated, How, Options, Output, Session, Shift};
use picolm_core::tokenizer::Tokenizer;

/// Knows how the text goes on, and is wrong now and then.
struct Oracle<'t> {
    text: &'t [u32],
    heard: usize,
    rng: Rng,
    n_vocab: u32,
}

impl Drafter for Oracle<'_> {
    fn accept(&mut self, token: u32) {
        assert_eq!(self.text.get(self.heard), Some(&token), "the text is another one");
        self.heard += 1;
    }

    fn draft(&mut self, draft: &mut [u32]) -> usize {
        let drafted = self.rng.next_u64() as usize % (draft.len() + 1);
        for (place, index) in draft[..drafted].iter_mut().zip(self.heard..) {
            *place = self.text.get(index).copied().unwrap_or(0);
            if self.rng.next_f64() < 0.2 {
                *place = self.rng.next_u64() as u32 % self.n_vocab;
            }
        }
        drafted
    }
}

/// Drafts nothing and writes down what it hears.
#[derive(Default)]
struct Listener(Vec<u32>);

impl Drafter for Listener {
    fn accept(&mut self, token: u32) {
        self.0.push(token);
    }

    fn draft(&mut self, _: &mut [u32]) -> usize {
        0
    }
}

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    tokens_left: usize,
}

impl Output for Text {
    fn text(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        self.tokens_left = self.tokens_left.saturating_sub(1);
        if self.tokens_left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// A run: the prompt, how to choose, and when to stop.
struct Run<'o> {
    prompt: Vec<u32>,
    options: SamplerOptions<'o>,
    max_tokens: u32,
    /// After so many, nobody reads any more.
    read_tokens: usize,
}

impl Run<'_> {
    fn text(
        &self,
        session: &mut Session<'_>,
        tokenizer: &Tokenizer<'_>,
        drafter: Option<&mut dyn Drafter>,
    ) -> (Vec<u8>, Generated, Speculated) {
        let n_vocab = session.config().n_vocab;
        let mut plan = MemoryPlan::new();
        Sampler::plan(&self.options, n_vocab, &mut plan).unwrap();
        let mut memory = vec![0; plan.total().unwrap() as usize + 63];
        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(self.options, n_vocab, &mut arena).unwrap();
        session.rewind(0);
        let dropped = session.dropped();
        session.prefill(&self.prompt, &mut |_| true).unwrap();
        self.prompt.iter().for_each(|&token| sampler.accept(token));
        let mut output = Text { tokens_left: self.read_tokens, ..Text::default() };
        let mut speculation = drafter.map(|drafter| Speculation::new(drafter, &NoClock));
        let generated = session
            .generate_with(
                tokenizer,
                &mut sampler,
                speculation.as_mut(),
                self.max_tokens,
                &mut output,
            )
            .unwrap();
        // Only tokens that are part of the text are evaluated.
        let unread = u32::from(generated.unread.is_some());
        let evaluated = u64::from(session.position()) + session.dropped() - dropped;
        assert_eq!(evaluated, self.prompt.len() as u64 + u64::from(generated.tokens - unread));
        let result = speculation.map(|speculation| speculation.result()).unwrap_or_default();
        (output.bytes, generated, result)
    }
}

fn random_run(seed: u64, n_vocab: u32) -> Run<'static> {
    let mut rng = Rng::new(seed);
    let mut number = |below: u64| rng.next_u64() % below;
    let prompt = (0..2 + number(6)).map(|_| 3 + number(u64::from(n_vocab) - 3) as u32).collect();
    let neutral = SamplerOptions::NEUTRAL;
    let options = SamplerOptions {
        temperature: number(4) as f32 * 0.4,
        top_p: [0.9, 1.0][number(2) as usize],
        top_k: [0, 5][number(2) as usize],
        penalties: Penalties { repeat: [1.0, 1.3][number(2) as usize], ..neutral.penalties },
        dry: Dry { multiplier: [0.0, 0.8][number(2) as usize], ..neutral.dry },
        mirostat: (number(4) == 0).then_some(Mirostat { tau: 4.0, eta: 0.1 }),
        seed,
        ..neutral
    };
    let max_tokens = 1 + number(40) as u32;
    Run { prompt, options, max_tokens, read_tokens: 1 + number(60) as usize }
}

fn identical(fixture: &Fixture, runs: core::ops::Range<u64>, shift: Option<How>) -> Speculated {
    let gguf = fixture.gguf();
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).unwrap();
    let mut memory = vec![0; plan.total().unwrap() as usize + 63];
    let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
    let rows = MAX_DRAFT as u32 + 1;
    // So short that some texts fill it.
    let options = Options { context: 40, batch: 16, logit_rows: rows, ..Options::default() };
    let setting = Setting { formats: portable::ALL, options, parallel: &Serial };
    let weights = FlashWeights::new(&fixture.file);
    let mut sum = Speculated::default();
    with_session(fixture, &weights, &setting, |session| {
        let n_vocab = session.config().n_vocab;
        if let Some(how) = shift {
            session.shift_when_full(Shift { keep: 4, how }).unwrap();
        }
        for seed in runs {
            let run = random_run(seed, n_vocab);
            let (bytes, plain, _) = run.text(session, &tokenizer, None);
            let mut listener = Listener::default();
            let (heard, ..) = run.text(session, &tokenizer, Some(&mut listener));
            assert_eq!(heard, bytes);
            let mut oracle = Oracle { text: &listener.0, heard: 0, rng: Rng::new(!seed), n_vocab };
            let mut room = [0; 64];
            let mut lookup = PromptLookup::new(&mut room);
            run.prompt.iter().for_each(|&token| lookup.accept(token));
            let drafters: [&mut dyn Drafter; 2] = [&mut oracle, &mut lookup];
            for drafter in drafters {
                let (drafted_bytes, drafted, result) = run.text(session, &tokenizer, Some(drafter));
                assert_eq!(drafted_bytes, bytes, "seed {seed}");
                assert_eq!((drafted.tokens, drafted.stop), (plain.tokens, plain.stop), "{seed}");
                sum.passes += result.passes;
                sum.drafted += result.drafted;
                sum.accepted += result.accepted;
            }
        }
    });
    sum
}

#[test]
fn drafts_change_no_text() {
    for fixture in architectures() {
        let is_first = fixture.name == "llama";
        let runs = if is_first { 0..80 } else { 0..8 };
        let result = identical(&fixture, runs, None);
        // Both kinds of drafts were met, many times.
        assert!(result.accepted > 20, "{}: {result:?}", fixture.name);
        assert!(result.drafted > result.accepted + 10, "{}: {result:?}", fixture.name);
        if is_first {
            // A context that is full goes on at the same token.
            for how in [How::Again, How::Turned] {
                identical(&fixture, 80..110, Some(how));
            }
        }
    }
}

/// A model that drafts for itself is always right where the text is greedy, and other models and
/// temperatures change nothing.
#[test]
fn a_model_drafts_for_another_one() {
    let fixtures = architectures();
    let fixture = fixtures.iter().find(|fixture| fixture.name == "llama").unwrap();
    let options = Options { context: 60, batch: 16, ..Options::default() };
    let setting = Setting { formats: portable::ALL, options, parallel: &Serial };
    let weights = FlashWeights::new(&fixture.file);
    let gguf = fixture.gguf();
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).unwrap();
    let mut memory = vec![0; plan.total().unwrap() as usize + 63];
    let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
    for seed in 0..12 {
        let (plain, drafts) = [None, Some(60), Some(9)]
            .map(|drafting_context: Option<u32>| {
                let rows = MAX_DRAFT as u32 + 1;
                let setting =
                    Setting { options: Options { logit_rows: rows, ..options }, ..setting };
                with_session(fixture, &weights, &setting, |session| {
                    let mut run = random_run(seed, session.config().n_vocab);
                    run.options.temperature = if seed % 2 == 0 { 0.0 } else { 0.7 };
                    run.options.penalties = SamplerOptions::NEUTRAL.penalties;
                    run.options.dry = SamplerOptions::NEUTRAL.dry;
                    run.options.mirostat = None;
                    let Some(context) = drafting_context else {
                        return run.text(session, &tokenizer, None);
                    };
                    let setting = Setting { options: Options { context, ..options }, ..setting };
                    with_owned_session(fixture, &weights, &setting, |drafting| {
                        let mut room = vec![0; context as usize];
                        let mut drafter = ModelDraft::new(drafting, &mut room);
                        run.prompt.iter().for_each(|&token| drafter.accept(token));
                        run.text(session, &tokenizer, Some(&mut drafter))
                    })
                })
            })
            .split_first()
            .map(|(plain, drafts)| (plain.clone(), drafts.to_vec()))
            .unwrap();
        for (bytes, generated, result) in &drafts {
            assert_eq!(bytes, &plain.0, "{seed}");
            assert_eq!((generated.tokens, generated.stop), (plain.1.tokens, plain.1.stop));
            if seed % 2 == 0 {
                let rest = result.drafted - result.accepted;
                assert!(rest < MAX_DRAFT as u32, "wrong about itself: {result:?}");
            }
        }
    }
}
