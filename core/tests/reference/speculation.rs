//! Speculation changes nothing but time: the text with drafts, good ones and bad ones, is the text
//! without, for greedy and for sampled text with every stage that remembers something, free and
//! under a constraint.

use crate::engine::{Fixture, Setting, architectures, is_recurrent, with_owned_session};
use core::cell::Cell;
use core::ops::ControlFlow;
use picolm_core::grammar::{
    Constrain, Constraint, Grammar, GrammarError, SortedTokens, TokenBytes, gbnf, json, schema,
};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::port::{FlashWeights, Lease, NoClock, ReadError, Stripe, Weights};
use picolm_core::sampler::{
    Dry, DynamicTemperature, Mirostat, Penalties, Rng, Sampler, SamplerOptions, Xtc,
};
use picolm_core::session::speculate::{
    Drafter, MAX_DRAFT, ModelDraft, PromptLookup, Speculate, Speculated, Speculation,
};
use picolm_core::session::{Generated, How, Options, Output, Policy, Session, Shift, ShiftError};
use picolm_core::tokenizer::Tokenizer;
use proptest::prelude::*;
use std::sync::OnceLock;

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

    fn forget(&mut self) {
        self.heard = 0;
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

    fn forget(&mut self) {
        self.0.clear();
    }

    fn draft(&mut self, _: &mut [u32]) -> usize {
        0
    }
}

pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    tokens_left: usize,
}

impl Text {
    /// Reads as many tokens as the run says.
    pub(crate) fn of(run: &Run<'_>) -> Self {
        Self { bytes: Vec::new(), tokens_left: run.read_tokens }
    }
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

/// Compiles into the words given.
type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;

/// Texts that may be much, that are mostly forced, and that are forced but for short choices.
const GRAMMARS: [Compile; 4] = [
    |words| json::compact(json::Root::Object, words),
    |words| gbnf(br#"root ::= ("abcabc" | "abd")+ "; the end""#, words),
    |words| gbnf(br#"root ::= ([a-c] "fixed " [0-9]?){1,9}"#, words),
    |words| {
        let source = br#"{"type": "object", "properties": {"a": {"type": "boolean"},
            "b": {"type": "array", "items": {"enum": ["x", "yz"]}}}, "required": ["a"]}"#;
        schema(source, false, words)
    },
];

/// Calls `test` with the constraint that `compile` makes for a model's vocabulary.
fn with_constraint<R>(
    tokenizer: &Tokenizer<'_>,
    compile: Compile,
    test: impl FnOnce(&mut Constraint<'_>) -> R,
) -> R {
    let vocabulary: &dyn TokenBytes = tokenizer;
    let tokens = vocabulary.len();
    let mut scratch = vec![0; SortedTokens::scratch_words(tokens)];
    let sorted = SortedTokens::new(vocabulary, &mut scratch).unwrap();
    let mut trie = vec![0; sorted.trie_words()];
    let trie = sorted.build(vocabulary, &mut trie).unwrap();
    let (mut words, mut masks) = (vec![0; 1 << 15], vec![0; Constraint::words(tokens, 8)]);
    let ends = (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token));
    let grammar = compile(&mut words).unwrap();
    test(&mut Constraint::new(grammar, trie, tokens, ends, &mut masks).unwrap())
}

/// A run: the prompt, how to choose, and when to stop.
pub(crate) struct Run<'o> {
    pub(crate) prompt: Vec<u32>,
    options: SamplerOptions<'o>,
    constraint: Option<Compile>,
    max_tokens: u32,
    /// After so many, nobody reads any more.
    pub(crate) read_tokens: usize,
}

impl Run<'_> {
    fn text(
        &self,
        session: &mut Session<'_>,
        tokenizer: &Tokenizer<'_>,
        drafter: Option<&mut dyn Drafter>,
    ) -> (Vec<u8>, Generated, Speculated) {
        session.rewind(0);
        let dropped = session.dropped();
        session.prefill(&self.prompt, &mut |_| true).unwrap();
        let mut output = Text::of(self);
        let (generated, result) =
            self.answer(session, tokenizer, &self.prompt, drafter, &mut output);
        // Only tokens that are part of the text are evaluated.
        let unread = u32::from(generated.unread.is_some());
        let evaluated = u64::from(session.position()) + session.dropped() - dropped;
        assert_eq!(evaluated, self.prompt.len() as u64 + u64::from(generated.tokens - unread));
        (output.bytes, generated, result)
    }

    /// Goes on from the last token of the session, after the prompt `tokens`.
    pub(crate) fn answer(
        &self,
        session: &mut Session<'_>,
        tokenizer: &Tokenizer<'_>,
        tokens: &[u32],
        drafter: Option<&mut dyn Drafter>,
        output: &mut dyn Output,
    ) -> (Generated, Speculated) {
        let n_vocab = session.config().n_vocab;
        let mut plan = MemoryPlan::new();
        Sampler::plan(&self.options, n_vocab, &mut plan).unwrap();
        let mut memory = vec![0; plan.total() as usize + 63];
        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(self.options, n_vocab, &mut arena).unwrap();
        tokens.iter().for_each(|&token| sampler.accept(token));
        let mut speculation = drafter.map(|drafter| Speculation::new(drafter, &NoClock));
        let mut policy = Policy::new(tokenizer, &mut sampler);
        policy.speculation = speculation.as_mut().map(|it| it as &mut dyn Speculate);
        let most = self.max_tokens;
        let generated = match self.constraint {
            None => session.generate(&mut policy, most, output),
            Some(compile) => with_constraint(tokenizer, compile, |constraint| {
                let most = most.max(constraint.tokens_to_close());
                session.generate(&mut policy.constrained(constraint), most, output)
            }),
        };
        let result = speculation.map(|speculation| speculation.result()).unwrap_or_default();
        (generated.unwrap(), result)
    }
}

pub(crate) fn random_run(seed: u64, n_vocab: u32) -> Run<'static> {
    let mut rng = Rng::new(seed);
    let mut number = |below: u64| rng.next_u64() % below;
    let prompt = (0..2 + number(6)).map(|_| 3 + number(u64::from(n_vocab) - 3) as u32).collect();
    let neutral = SamplerOptions::NEUTRAL;
    let mut rng = Rng::new(!seed);
    // Each stage off as often as on.
    let mut either = |off: f32, on: f32| if rng.next_f64() < 0.5 { off } else { on };
    let options = SamplerOptions {
        temperature: number(4) as f32 * 0.4,
        top_p: either(1.0, 0.9),
        top_k: either(0.0, 5.0) as u32,
        typical_p: either(1.0, 0.8),
        min_p: either(0.0, 0.05),
        penalties: Penalties {
            last: 64,
            repeat: either(1.0, 1.3),
            frequency: either(0.0, 0.4),
            presence: either(0.0, -0.3),
        },
        dry: Dry { multiplier: either(0.0, 0.8), ..neutral.dry },
        xtc: Xtc { probability: either(0.0, 0.5), threshold: 0.1 },
        dynamic: DynamicTemperature { range: either(0.0, 0.3), ..neutral.dynamic },
        bias: if either(0.0, 1.0) == 0.0 { &[] } else { &[(5, 2.0), (7, f32::NEG_INFINITY)] },
        mirostat: (number(4) == 0).then_some(Mirostat { tau: 4.0, eta: 0.1 }),
        seed,
    };
    let max_tokens = 1 + number(40) as u32;
    let read_tokens = 1 + number(60) as usize;
    let constraint = GRAMMARS.get(number(2 * GRAMMARS.len() as u64) as usize).copied();
    Run { prompt, options, constraint, max_tokens, read_tokens }
}

/// As many runs as the environment asks for, within reason.
pub(crate) fn runs(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.map_or(default, |cases: u32| cases.min(1000)))
}

/// Read once for all runs.
static MODELS: OnceLock<Vec<Fixture>> = OnceLock::new();

/// Calls `test` with the tokenizer of `fixture` and a session so short that some texts fill it.
fn with_model<R>(
    fixture: &Fixture,
    context: u32,
    test: impl FnOnce(Session<'_>, &Tokenizer<'_>) -> R,
) -> R {
    with_model_of(fixture, &FlashWeights::new(&fixture.file), context, test)
}

/// [`with_model`] with weights from a source of the fixture's file.
pub(crate) fn with_model_of<R>(
    fixture: &Fixture,
    weights: &dyn Weights,
    context: u32,
    test: impl FnOnce(Session<'_>, &Tokenizer<'_>) -> R,
) -> R {
    let gguf = fixture.gguf();
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).unwrap();
    let mut memory = vec![0; plan.total() as usize + 63];
    let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
    let rows = MAX_DRAFT as u32 + 1;
    let options = Options { context, batch: 16, logit_rows: rows, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    with_owned_session(fixture, weights, &setting, |session| test(session, &tokenizer))
}

/// Runs with drafts by one that knows, by lookup and by `other`, against one without.
pub(crate) fn identical(
    fixture: &Fixture,
    other: &Fixture,
    run: &Run<'_>,
    shift: Option<How>,
) -> Speculated {
    let seed = run.options.seed;
    let mut sum = Speculated::default();
    with_model(fixture, 40, |mut session, tokenizer| {
        let n_vocab = session.config().n_vocab;
        if let Some(how) = shift {
            let asked = session.shift_when_full(Shift { keep: 4, how });
            if asked == Err(ShiftError::State) {
                // Such state cannot be turned.
                session.shift_when_full(Shift { keep: 4, how: How::Again }).unwrap();
            } else {
                asked.unwrap();
            }
        }
        let (bytes, plain, _) = run.text(&mut session, tokenizer, None);
        let mut listener = Listener::default();
        let (heard, ..) = run.text(&mut session, tokenizer, Some(&mut listener));
        assert_eq!(heard, bytes);
        let mut oracle = Oracle { text: &listener.0, heard: 0, rng: Rng::new(!seed), n_vocab };
        let mut room = [0; 64];
        let mut lookup = PromptLookup::new(&mut room);
        run.prompt.iter().for_each(|&token| lookup.accept(token));
        // A context that is too short now and then.
        with_model(other, [9, 60][seed as usize % 2], |drafting, _| {
            let mut room = vec![0; drafting.context() as usize];
            let mut model = ModelDraft::new(drafting, &mut room);
            run.prompt.iter().for_each(|&token| model.accept(token));
            let drafters: [&mut dyn Drafter; 3] = [&mut oracle, &mut lookup, &mut model];
            for drafter in drafters {
                let (drafted_bytes, drafted, result) =
                    run.text(&mut session, tokenizer, Some(drafter));
                assert_eq!(drafted_bytes, bytes, "seed {seed}");
                assert_eq!((drafted.tokens, drafted.stop), (plain.tokens, plain.stop), "{seed}");
                sum.passes += result.passes;
                sum.drafted += result.drafted;
                sum.accepted += result.accepted;
            }
        });
    });
    sum
}

#[test]
fn drafts_change_no_text() {
    let models = MODELS.get_or_init(architectures);
    let first = models.iter().find(|fixture| fixture.name == "llama").unwrap();
    for fixture in models {
        let n_vocab = with_model(fixture, 40, |session, _| session.config().n_vocab);
        let mut sum = Speculated::default();
        for seed in 0..5 {
            let run = Run { constraint: None, ..random_run(seed, n_vocab) };
            let result = identical(fixture, fixture, &run, None);
            sum.accepted += result.accepted;
            sum.drafted += result.drafted;
        }
        // Both kinds of drafts were met, many times.
        assert!(sum.accepted > 12, "{}: {sum:?}", fixture.name);
        assert!(sum.drafted > sum.accepted + 10, "{}: {sum:?}", fixture.name);
    }
    // Under a constraint, too.
    for (number, compile) in (0..).zip(GRAMMARS) {
        let mut accepted = 0;
        for seed in 0..8 {
            let run = random_run(100 + 8 * number + seed, 384);
            let run = Run { constraint: Some(compile), max_tokens: 33, read_tokens: 99, ..run };
            accepted += identical(first, first, &run, None).accepted;
        }
        assert!(accepted > 20, "{number}: {accepted}");
    }
}

proptest! {
    #![proptest_config(runs(60))]

    /// Any model that drafts for any other, any way to choose, any constraint, also where the
    /// context gets full.
    #[test]
    fn drafts_change_no_random_text(
        seed: u64,
        pick in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        shift in prop::sample::select(vec![None, None, Some(How::Again), Some(How::Turned)]),
    ) {
        let models = MODELS.get_or_init(architectures);
        let fixture = &models[pick.index(models.len())];
        let n_vocab = with_model(fixture, 40, |session, _| session.config().n_vocab);
        let same: Vec<_> = models
            .iter()
            .filter(|model| n_vocab == with_model(model, 40, |session, _| session.config().n_vocab))
            .collect();
        identical(fixture, same[other.index(same.len())], &random_run(seed, n_vocab), shift);
    }
}

/// A model that drafts for itself is always right where the text is greedy.
#[test]
fn a_model_knows_itself() {
    let models = MODELS.get_or_init(architectures);
    let fixture = models.iter().find(|fixture| fixture.name == "llama").unwrap();
    for seed in 0..6 {
        let neutral = SamplerOptions::NEUTRAL;
        let options = SamplerOptions { temperature: 0.0, seed, ..neutral };
        let run = Run { options, constraint: None, ..random_run(seed, 384) };
        with_model(fixture, 60, |mut session, tokenizer| {
            with_model(fixture, 60, |drafting, _| {
                let mut room = [0; 60];
                let mut drafter = ModelDraft::new(drafting, &mut room);
                run.prompt.iter().for_each(|&token| drafter.accept(token));
                let (.., result) = run.text(&mut session, tokenizer, Some(&mut drafter));
                let rest = result.drafted - result.accepted;
                assert!(rest < MAX_DRAFT as u32, "wrong about itself: {result:?}");
            });
        });
    }
}

/// Counts rows: each reads one of the embedding.
pub(crate) struct Counted<'m> {
    file: FlashWeights<'m>,
    pub(crate) rows: Cell<u32>,
}

impl<'m> Counted<'m> {
    pub(crate) fn new(fixture: &'m Fixture) -> Self {
        Self { file: FlashWeights::new(&fixture.file), rows: Cell::new(0) }
    }
}

impl Weights for Counted<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        self.file.lease(index, stripe)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.rows.set(self.rows.get() + 1);
        self.file.read(offset, into)
    }
}

/// State that cannot go back into a draft is kept before it: what was right of a wrong draft is
/// evaluated once more, with the next one, and never again.
#[test]
fn wrong_drafts_cost_their_own_rows() {
    let models = MODELS.get_or_init(architectures);
    for fixture in models.iter().filter(|fixture| is_recurrent(fixture)) {
        let weights = Counted::new(fixture);
        with_model_of(fixture, &weights, 60, |mut session, tokenizer| {
            let n_vocab = session.config().n_vocab;
            for seed in 0..4 {
                let run = random_run(seed, n_vocab);
                let run = Run { constraint: None, max_tokens: 48, read_tokens: 99, ..run };
                let mut listener = Listener::default();
                run.text(&mut session, tokenizer, Some(&mut listener));
                let text = &listener.0;
                let mut oracle = Oracle { text, heard: 0, rng: Rng::new(seed), n_vocab };
                weights.rows.set(0);
                let (.., result) = run.text(&mut session, tokenizer, Some(&mut oracle));
                let most = result.passes + result.drafted + result.accepted;
                let rows = weights.rows.get() - run.prompt.len() as u32;
                assert!(rows <= most, "{}, seed {seed}: {rows} of {result:?}", fixture.name);
            }
        });
    }
}

/// What is forgotten leaves no trace in what is drafted, also where it had filled the context.
#[test]
fn a_drafter_that_forgets_is_as_new() {
    let models = MODELS.get_or_init(architectures);
    let fixture = models.iter().find(|fixture| fixture.name == "llama").unwrap();
    let prompt = [5, 9, 17, 5, 9];
    let drafted = |drafter: &mut dyn Drafter| {
        prompt.iter().for_each(|&token| drafter.accept(token));
        let mut draft = [0; MAX_DRAFT];
        let count = drafter.draft(&mut draft);
        assert!(count > 0);
        draft[..count].to_vec()
    };
    let after = |before: &[u32], drafter: &mut dyn Drafter| {
        before.iter().for_each(|&token| drafter.accept(token));
        drafter.draft(&mut [0; MAX_DRAFT]);
        drafter.forget();
        drafted(drafter)
    };
    for before in [vec![], vec![5, 9, 17, 8], vec![30; 200]] {
        let (mut room, mut room_after) = ([0; 64], [0; 64]);
        let mut lookup = PromptLookup::new(&mut room_after);
        assert_eq!(after(&before, &mut lookup), drafted(&mut PromptLookup::new(&mut room)));
        let model = |work: &mut dyn FnMut(&mut ModelDraft<'_>) -> Vec<u32>| {
            with_model(fixture, 60, |drafting, _| {
                work(&mut ModelDraft::new(drafting, &mut [0; 60]))
            })
        };
        let new = model(&mut |drafter| drafted(drafter));
        assert_eq!(model(&mut |drafter| after(&before, drafter)), new);
    }
}

/// Forced tokens have no pass of their own: what is evaluated is as many passes as there were
/// choices, and one now and then for a long run of forced ones.
#[test]
fn forced_tokens_share_a_pass() {
    let models = MODELS.get_or_init(architectures);
    let fixture = models.iter().find(|fixture| fixture.name == "llama").unwrap();
    // Bytes that no token has but the one of each.
    let grammar: Compile =
        |words| gbnf(br##"root ::= "#~^#~^#~^#" [ab] "~^#~^#~^#~^#" [cd] "^^^^""##, words);
    with_model(fixture, 99, |mut session, tokenizer| {
        let (constraint, prompt) = (Some(grammar), vec![5, 6, 7]);
        let options = SamplerOptions::NEUTRAL;
        let run = Run { prompt, options, constraint, max_tokens: 60, read_tokens: 99 };
        let (bytes, generated, result) =
            run.text(&mut session, tokenizer, Some(&mut Listener::default()));
        assert_eq!((bytes.len(), generated.tokens), (28, 28));
        // One before each letter; what comes after the second needs none but at the end.
        assert_eq!((result.passes, generated.unread.is_some()), (2, true));
    });
}
