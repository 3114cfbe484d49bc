//! An expert that every token uses: all of its matrices, or none.

use picolm_core::model::{
    Block, Build, Family, LayerSet, ModelError, Name, SHARED_EXPERT, TensorSlot,
};
use picolm_core::port::FlashWeights;
use picolm_core::session::Options;

use crate::tiny::{Tiny, build, with_build};
use crate::writer::tensor_type::F32;

/// Llama with routed experts and a shared one.
static SHARING: Family = Family {
    architecture: "llama",
    block: Block { feed_forwards: &[&SHARED_EXPERT], ..Block::LLAMA },
    ..Family::PLAIN
};

fn run(tiny: &Tiny) -> Result<(), ModelError> {
    const FAMILIES: &[&Family] = &[&SHARING];
    let (file, options) = (tiny.bytes(), Options { context: 64, ..Options::DEFAULT });
    let build = Build { families: FAMILIES, ..build() };
    let weights = FlashWeights::new(&file);
    with_build(&build, &file, &weights, &options, LayerSet::EMPTY, |session| {
        session.prefill(&[1, 4, 5], &mut |_| true).expect("a pass ends");
    })
}

const PARTS: [(&str, [u64; 2]); 3] =
    [("ffn_gate_shexp", [32, 8]), ("ffn_up_shexp", [32, 8]), ("ffn_down_shexp", [8, 32])];

fn whole() -> Tiny {
    let mut tiny = Tiny::with_experts().u32("llama.expert_shared_feed_forward_length", 8);
    for layer in 0..2 {
        for (name, shape) in PARTS {
            tiny = tiny.tensor(&format!("blk.{layer}.{name}.weight"), &shape, F32, 0.5);
        }
    }
    tiny
}

#[test]
fn a_missing_part_is_named() {
    assert_eq!(run(&whole()), Ok(()));
    for (name, _) in PARTS {
        let slot = TensorSlot { layer: Some(1), name, suffix: ".weight" };
        let tiny = whole().without_tensor(&slot.to_string());
        assert_eq!(run(&tiny), Err(ModelError::MissingTensor(slot)));
    }
}

#[test]
fn a_length_without_matrices_or_matrices_without_a_length_are_refused() {
    let zero = TensorSlot { layer: Some(0), name: "ffn_gate_shexp", suffix: ".weight" };
    let without = whole().without("llama.expert_shared_feed_forward_length");
    assert_eq!(run(&without), Err(ModelError::WrongShape(zero)));
    let key_alone = Tiny::with_experts().u32("llama.expert_shared_feed_forward_length", 8);
    assert_eq!(run(&key_alone), Err(ModelError::MissingTensor(zero)));
}

/// A family without such an expert does not leave it out in silence.
#[test]
fn others_know_no_such_tensor() {
    let name = Name::new(b"blk.0.ffn_gate_shexp.weight");
    whole().refused(ModelError::UnknownTensor(name));
}
