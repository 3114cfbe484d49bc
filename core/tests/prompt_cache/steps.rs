//! Files of one text of several, read and written block by block while others go on.

use crate::engine::{Fixture, architectures, build};
use crate::file::{Bytes, Kept, fingerprint};
use picolm_core::kernels::portable;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{LayerSet, Layout, ModelOptions};
use picolm_core::port::{FlashWeights, Serial};
use picolm_core::quant::KvType;
use picolm_core::session::{Engine, Fingerprint, Sequence};

const CONTEXT: u32 = 256;

fn with_engine(
    fixture: &Fixture,
    work: impl FnOnce(&mut Engine<'_>, &mut [Sequence<'_>; 2], Fingerprint),
) {
    let gguf = fixture.gguf();
    let layout = Layout::of(&gguf, &build(portable::ALL), LayerSet::EMPTY).unwrap();
    let options = ModelOptions {
        context: CONTEXT,
        kv_type: KvType::F16,
        sequences: 2,
        batch: 16,
        logit_rows: 2,
        marks: 4,
        workers: 1,
        stripe_bytes: u64::MAX,
    };
    let mut plan = MemoryPlan::new();
    Engine::plan(&layout, &options, &mut plan).unwrap();
    let mut memory = vec![0xa5; plan.total() as usize + 4096];
    let weights = FlashWeights::new(&fixture.file);
    let mut arena = Arena::new(&mut memory);
    let mut engine = Engine::new(&layout, &weights, &Serial, &options, &mut arena).unwrap();
    let mut texts = [0, 1].map(|slot| Sequence::take(slot, CONTEXT, &mut arena).unwrap());
    work(&mut engine, &mut texts, fingerprint(&fixture.file));
}

/// Evaluates `tokens`; the logits of the last one, so that they compare bit for bit.
fn read(engine: &mut Engine<'_>, text: &mut Sequence<'_>, tokens: &[u32]) -> Vec<u32> {
    text.push(tokens, engine.config().n_vocab).unwrap();
    while text.pending() > 0 {
        let count = text.pending().min(16);
        let first_wanted = if count == text.pending() { count - 1 } else { count };
        engine.pass(text.rows(count, first_wanted)).unwrap();
        text.evaluated(count);
    }
    engine.logits(0).iter().map(|logit| logit.to_bits()).collect()
}

fn tokens(count: u32, seed: u32) -> Vec<u32> {
    (0..count).map(|index| (index * 7 + seed * 13 + index * index) % 300).collect()
}

#[test]
fn a_text_that_grows_meanwhile_leaves_the_file_of_when_it_began() {
    for fixture in
        architectures().iter().filter(|it| ["llama", "falcon_h1_norm"].contains(&it.name.as_str()))
    {
        let (first, more) = (tokens(150, 1), tokens(40, 2));
        let file = |grows: bool| {
            let mut kept = Kept(Vec::new());
            with_engine(fixture, |engine, [text, _], model| {
                read(engine, text, &first);
                assert_eq!(text.fitting(engine, text.saved_bytes(engine, 70)), 70);
                let mut saving = text.begin_save(engine, &mut kept, model, u32::MAX).unwrap();
                assert_eq!(saving.positions(), 150);
                let mut steps = 1;
                while !saving.step(engine).unwrap() {
                    steps += 1;
                    if grows && steps == 2 {
                        read(engine, text, &more);
                    }
                }
                assert_eq!(steps, 3);
            });
            kept.0
        };
        let whole = file(false);
        assert_eq!(file(true), whole, "{}", fixture.name);

        // And back, into another sequence, while the first goes on.
        with_engine(fixture, |engine, [busy, text], model| {
            let prompt = [&first[..], &more].concat();
            let mut shown = Vec::new();
            engine.saved_tokens(&mut Bytes(&whole), model, &mut |it| shown.push(it)).unwrap();
            assert_eq!(shown, first);
            let mut source = Bytes(&whole);
            let mut restoring = text.begin_restore(engine, &mut source, model, &prompt).unwrap();
            let restored = loop {
                assert!(text.is_empty());
                read(engine, busy, &tokens(20, 5));
                if let Some(restored) = restoring.step(engine, text).unwrap() {
                    break restored;
                }
            };
            assert_eq!((restored, text.tokens()), (150, &first[..]));
            let logits = read(engine, text, &more);
            busy.rewind(engine, 0);
            assert_eq!(read(engine, busy, &prompt), logits, "{}", fixture.name);
        });
    }
}

#[test]
fn an_engine_has_a_key_of_its_own() {
    let keys = |name: &str| {
        let fixture = architectures().into_iter().find(|it| it.name == name).unwrap();
        let mut keys = Vec::new();
        for _ in 0..2 {
            with_engine(&fixture, |engine, _, model| keys.push(engine.saved_key(model)));
        }
        assert_eq!(keys[0], keys[1]);
        keys[0]
    };
    assert_ne!(keys("llama"), keys("qwen2_yarn"));
}
