//! Every take refused in turn, every smaller arena, and files changed at random: an error each
//! time, and nothing lost.

use picolm_core::gguf::Gguf;
use picolm_core::mem::{ARENA_ALIGN, Arena, MemoryPlan};
use picolm_core::model::{LayerSet, Layout, ModelError};
use picolm_core::port::FlashWeights;
use picolm_core::quant::KvType;
use picolm_core::sampler::{Dry, Penalties, Sampler, SamplerError, SamplerOptions};
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;

use crate::tiny::{SERIAL, TOKENS, Tiny, build, with_session, with_tokenizer};

const OPTIONS: Options = Options {
    context: 64,
    kv_type: KvType::F16,
    batch: 4,
    logit_rows: 2,
    workers: 3,
    stripe_bytes: 1000,
    cache_bytes: 0,
    marks: Some(0),
};

#[derive(Debug, PartialEq)]
enum Refusal {
    Tokenizer(TokenizerError),
    Model(ModelError),
    Sampler(SamplerError),
}

impl Refusal {
    fn is_of_memory(&self) -> bool {
        matches!(
            self,
            Self::Tokenizer(TokenizerError::Memory(_))
                | Self::Model(ModelError::Arena(_))
                | Self::Sampler(SamplerError::Memory(_))
        )
    }
}

/// Every piece of memory that a sampler can take, it takes.
const CHOICE: SamplerOptions<'_> = SamplerOptions {
    penalties: Penalties { repeat: 1.1, last: 8, ..SamplerOptions::NEUTRAL.penalties },
    dry: Dry { multiplier: 0.5, last: 16, ..SamplerOptions::NEUTRAL.dry },
    top_p: 0.9,
    ..SamplerOptions::NEUTRAL
};

/// All that a caller plans before it lends memory.
fn plan(gguf: &Gguf<'_>) -> u64 {
    let (mut plan, mut model) = (MemoryPlan::new(), MemoryPlan::new());
    let layout = Layout::of(gguf, &build(), LayerSet::EMPTY).unwrap();
    Tokenizer::plan(gguf, &mut plan).unwrap();
    Session::plan(&layout, &OPTIONS, &mut model).unwrap();
    Sampler::plan(&CHOICE, layout.config().n_vocab, &mut plan).unwrap();
    plan.add(&model).unwrap();
    plan.total()
}

/// Loads everything from one arena, generates, and says which tokens and how many bytes were used.
fn generate(
    gguf: &Gguf<'_>,
    file: &[u8],
    mut arena: Arena<'_>,
) -> Result<(Vec<u32>, u64), Refusal> {
    let weights = FlashWeights::new(file);
    // The session borrows weights for as long as the arena's memory: a shorter time than the
    // caller's.
    let arena = &mut arena.child();
    let tokenizer = Tokenizer::new(gguf, arena).map_err(Refusal::Tokenizer)?;
    let layout = Layout::of(gguf, &build(), LayerSet::EMPTY).map_err(Refusal::Model)?;
    let mut session =
        Session::new(&layout, &weights, &SERIAL, &OPTIONS, arena).map_err(Refusal::Model)?;
    let n_vocab = session.config().n_vocab;
    let mut sampler = Sampler::new(CHOICE, n_vocab, arena).map_err(Refusal::Sampler)?;

    session.prefill(&[tokenizer.bos().unwrap(), 4, 5, 6, 7], &mut |_| true).unwrap();
    let tokens = (0..20).map(|_| {
        let token = sampler.sample(session.logits(), None).unwrap();
        session.decode(token).unwrap();
        token
    });
    Ok((tokens.collect(), arena.used_bytes()))
}

/// `bytes` bytes of dirty memory from a multiple of `ARENA_ALIGN` on.
fn aligned(memory: &mut Vec<u8>, bytes: u64) -> &mut [u8] {
    let bytes = bytes as usize;
    memory.clear();
    memory.resize(bytes + ARENA_ALIGN, 0xa5);
    let start = memory.as_ptr().align_offset(ARENA_ALIGN);
    &mut memory[start..start + bytes]
}

fn models() -> [Tiny; 3] {
    let bpe = Tiny::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2")
        .u32("tokenizer.ggml.bos_token_id", 1)
        .strings("tokenizer.ggml.merges", &["a b", "c d"]);
    [Tiny::new(), Tiny::with_experts(), bpe]
}

#[test]
fn the_plan_is_what_is_used_and_every_refused_take_is_an_error() {
    for tiny in models() {
        let file = tiny.bytes();
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let total = plan(&gguf);
        let mut memory = Vec::new();
        let memory = aligned(&mut memory, total);
        let (tokens, used) = generate(&gguf, &file, Arena::new(memory)).unwrap();
        assert_eq!(used, total);
        assert!(tokens.iter().all(|&token| token < TOKENS.len() as u32));

        let mut takes = 0;
        loop {
            match generate(&gguf, &file, Arena::new(memory).refusing_after(takes)) {
                Err(refusal) => assert!(refusal.is_of_memory(), "take {takes}: {refusal:?}"),
                Ok(again) => {
                    assert_eq!(again, (tokens, used));
                    break;
                }
            }
            // The same memory, with whatever the attempt left in it, serves the next one.
            let retried = generate(&gguf, &file, Arena::new(memory));
            assert_eq!(retried, Ok((tokens.clone(), used)), "after take {takes}");
            takes += 1;
        }
        // The tokenizer's, the model's and the sampler's.
        assert!(takes > 20, "{takes}");
    }
}

#[test]
fn every_smaller_arena_is_an_error() {
    for tiny in models() {
        let file = tiny.bytes();
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let total = plan(&gguf);
        let mut memory = Vec::new();
        let memory = aligned(&mut memory, total);
        for bytes in (0..total as usize).step_by(ARENA_ALIGN).chain([1, total as usize - 1]) {
            let refusal = generate(&gguf, &file, Arena::new(&mut memory[..bytes])).err();
            assert!(refusal.is_some_and(|refusal| refusal.is_of_memory()), "{bytes} bytes");
        }
        // From any address, with the room that alignment may take.
        for skip in 0..ARENA_ALIGN {
            let mut memory = vec![0xa5; skip + total as usize + ARENA_ALIGN - 1];
            assert!(generate(&gguf, &file, Arena::new(&mut memory[skip..])).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever a file is after some bytes of its header have changed, it is refused or runs.
    #[test]
    fn changed_headers_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut file = Tiny::new().bytes();
        let header = Gguf::parse(&file, file.len() as u64).unwrap().data_offset() as usize;
        for (place, byte) in changes {
            file[place.index(header)] = byte;
        }
        if Gguf::parse(&file, file.len() as u64).is_err() {
            return Ok(());
        }
        let ran = with_session(&file, |session| {
            // The context may have become one position.
            let tokens = &[0, 1][..session.context().min(2) as usize];
            session.prefill(tokens, &mut |_| true)
        });
        prop_assert!(ran.is_err() || ran.is_ok_and(|ran| ran.is_ok()));
        with_tokenizer(&file, |tokenizer| {
            let Ok(tokenizer) = tokenizer else { return };
            assert!(tokenizer.bos().is_none_or(|token| token < tokenizer.vocabulary_len()));
        });
    }
}
