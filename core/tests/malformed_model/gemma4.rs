//! Gemma 4: heads, hidden lengths and keys that differ between blocks, and embeddings of their own.

use picolm_core::gguf::Gguf;
use picolm_core::mem::{MemoryPlan, Purpose};
use picolm_core::model::{LayerSet, Layout, ModelError, Name};
use picolm_core::port::FlashWeights;
use picolm_core::quant::KvType;
use picolm_core::session::{Options, Session};

use crate::tiny::{TOKENS, Tiny, build, with_options};

const EMBD: u64 = 32;
/// Elements of each block's own embedding.
const OWN: u64 = 5;
/// Blocks are local and global in turn.
const LAYERS: u64 = 4;
/// The last two have no keys and values.
const KEEPING: u64 = 2;

/// Elements of a head of a block, and key heads.
fn heads(layer: u64) -> (u64, u64) {
    if layer.is_multiple_of(2) { (6, 2) } else { (10, 1) }
}

/// The keys, and what is outside of blocks in every model.
fn keys() -> Tiny {
    Tiny::new()
        .without_model()
        .string("general.architecture", "gemma4")
        .u32("gemma4.embedding_length", EMBD as u32)
        .u32("gemma4.block_count", LAYERS as u32)
        .u32("gemma4.attention.head_count", 4)
        .i32s("gemma4.attention.head_count_kv", &[2, 1, 2, 1])
        .u32("gemma4.attention.key_length", 10)
        .u32("gemma4.attention.value_length", 10)
        .u32("gemma4.attention.key_length_swa", 6)
        .u32("gemma4.attention.value_length_swa", 6)
        .u32("gemma4.attention.shared_kv_layers", (LAYERS - KEEPING) as u32)
        .u32("gemma4.attention.sliding_window", 3)
        .bools("gemma4.attention.sliding_window_pattern", &[true, false, true, false])
        .i32s("gemma4.feed_forward_length", &[48, 48, 24, 24])
        .u32("gemma4.context_length", 64)
        .u32("gemma4.rope.dimension_count", 10)
        .u32("gemma4.rope.dimension_count_swa", 6)
        .f32("gemma4.final_logit_softcapping", 5.0)
        .f32("gemma4.attention.layer_norm_rms_epsilon", 1e-5)
        .random("token_embd.weight", &[EMBD, TOKENS.len() as u64])
        .random("output_norm.weight", &[EMBD])
        .random("rope_freqs.weight", &[5])
}

/// A model with every tensor that a block may have.
fn tiny() -> Tiny {
    let mut tiny = keys()
        .u32("gemma4.embedding_length_per_layer_input", OWN as u32)
        .random("per_layer_token_embd.weight", &[OWN * LAYERS, TOKENS.len() as u64])
        .random("per_layer_model_proj.weight", &[EMBD, OWN * LAYERS])
        .random("per_layer_proj_norm.weight", &[OWN]);
    for layer in 0..LAYERS {
        let ((head, _), hidden) = (heads(layer), if layer < KEEPING { 48 } else { 24 });
        let add = |tiny: Tiny, part: &str, shape: &[u64]| {
            tiny.random(&format!("blk.{layer}.{part}.weight"), shape)
        };
        if layer < KEEPING {
            tiny = with_keys(tiny, layer);
        }
        tiny = add(tiny, "attn_norm", &[EMBD]);
        tiny = add(tiny, "attn_q", &[EMBD, 4 * head]);
        tiny = add(tiny, "attn_q_norm", &[head]);
        tiny = add(tiny, "attn_output", &[4 * head, EMBD]);
        tiny = add(tiny, "post_attention_norm", &[EMBD]);
        tiny = add(tiny, "ffn_norm", &[EMBD]);
        tiny = add(tiny, "ffn_gate", &[EMBD, hidden]);
        tiny = add(tiny, "ffn_up", &[EMBD, hidden]);
        tiny = add(tiny, "ffn_down", &[hidden, EMBD]);
        tiny = add(tiny, "post_ffw_norm", &[EMBD]);
        tiny = add(tiny, "inp_gate", &[EMBD, OWN]);
        tiny = add(tiny, "proj", &[OWN, EMBD]);
        tiny = add(tiny, "post_norm", &[EMBD]);
        tiny = add(tiny, "layer_output_scale", &[1]);
    }
    tiny
}

/// The same with keys and values in one block more.
fn with_keys(tiny: Tiny, layer: u64) -> Tiny {
    let (head, heads) = heads(layer);
    tiny.random(&format!("blk.{layer}.attn_k.weight"), &[EMBD, heads * head])
        .random(&format!("blk.{layer}.attn_v.weight"), &[EMBD, heads * head])
        .random(&format!("blk.{layer}.attn_k_norm.weight"), &[head])
}

fn skipping(layers: &[u32]) -> LayerSet {
    let mut skipped = LayerSet::EMPTY;
    layers.iter().for_each(|&layer| skipped.insert(layer).unwrap());
    skipped
}

#[test]
fn each_required_tensor_is_missed_by_name() {
    let whole = tiny().logits();
    for name in tiny().tensor_names() {
        let without = tiny().without_tensor(&name);
        if name.contains("layer_output_scale") || name.contains("attn_v") {
            // Values are the keys then.
            assert_ne!(without.logits(), whole, "{name}");
            continue;
        }
        let error = without.refusal();
        let names_it = matches!(error, ModelError::MissingTensor(slot) if slot.to_string() == name);
        assert!(names_it, "{name}: {error}");
    }
}

/// Blocks that read others' keys and values do without their own, whatever these are.
#[test]
fn keys_and_values_that_nothing_reads_are_nothing() {
    let (whole, unread) = (tiny(), with_keys(with_keys(tiny(), 2), 3));
    assert_eq!(unread.logits(), whole.logits());
    let planned = |tiny: &Tiny| {
        let file = tiny.bytes();
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let layout = Layout::of(&gguf, &build(), LayerSet::EMPTY).unwrap();
        let mut plan = MemoryPlan::new();
        Session::plan(&layout, &Options { context: 64, ..Options::DEFAULT }, &mut plan).unwrap();
        let traffic = layout.traffic(KvType::F16).unwrap();
        (plan.total(), plan.bytes(Purpose::KvCache), traffic, layout.per_layer_bytes())
    };
    assert_eq!(planned(&unread), planned(&whole));
    let (_, cache_bytes, traffic, per_layer_bytes) = planned(&whole);
    // A key and a value of 2 heads of 6 elements and of 1 of 10, f16, at 64 positions; two blocks
    // read each.
    assert_eq!(cache_bytes, 64 * 2 * 2 * (2 * 6 + 10));
    assert_eq!((traffic.window, traffic.window_bytes), (3, 2 * 2 * 2 * 2 * 6));
    assert_eq!(traffic.position_bytes, 2 * 2 * 2 * 10);
    assert_eq!(per_layer_bytes, [20 * 12 * 4, 20 * 4]);
    // The table is in what the file holds, and in nothing that a token reads.
    let larger = tiny().vocabulary(&[&TOKENS[..], &["x"]].concat());
    let larger = larger
        .without_tensor("per_layer_token_embd.weight")
        .random("per_layer_token_embd.weight", &[OWN * LAYERS, TOKENS.len() as u64 + 1]);
    let (_, _, more, _) = planned(&larger);
    assert_eq!(more.weights_bytes, traffic.weights_bytes + EMBD * 4);
}

#[test]
fn keys_that_make_no_sense_are_refused_by_name() {
    let most = u32::MAX;
    let cases: [(&str, &[u32]); 9] = [
        ("attention.shared_kv_layers", &[1, 3, 4, 5, most]),
        ("attention.key_length_swa", &[0, 11, most]),
        ("attention.value_length_swa", &[0, 5, 11, most]),
        ("attention.value_length", &[9]),
        ("attention.sliding_window", &[0]),
        ("rope.dimension_count_swa", &[0, 5, 8, most]),
        ("embedding_length_per_layer_input", &[(1 << 17) + 1, most]),
        ("attention.head_count_kv", &[0, 3, 5, most]),
        ("feed_forward_length", &[0, most]),
    ];
    for (suffix, values) in cases {
        for &value in values {
            let refusal = tiny().u32(&format!("gemma4.{suffix}"), value).refusal();
            assert_eq!(refusal, ModelError::InvalidKey(suffix), "{value}");
        }
    }
    for cap in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let refused = ModelError::InvalidKey("final_logit_softcapping");
        tiny().f32("gemma4.final_logit_softcapping", cap).refused(refused);
    }
    for suffix in [
        "attention.key_length_swa",
        "attention.value_length_swa",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "feed_forward_length",
    ] {
        tiny().without(&format!("gemma4.{suffix}")).refused(ModelError::MissingKey(suffix));
    }
}

/// Blocks have one number or two, each of them possible.
#[test]
fn lists_of_blocks_are_whole_and_of_two_numbers() {
    for suffix in ["attention.head_count_kv", "feed_forward_length"] {
        let list = |values: &[i32]| tiny().i32s(&format!("gemma4.{suffix}"), values);
        list(&[2, 1, 4, 1]).refused(ModelError::UnequalKey(suffix));
        list(&[2, 1, 2]).refused(ModelError::InvalidKey(suffix));
        list(&[2, 1, 2, 0]).refused(ModelError::InvalidKey(suffix));
    }
    // More than there are blocks.
    let more = tiny().i32s("gemma4.attention.head_count_kv", &[2, 1, 2, 1, 4]);
    assert_eq!(more.logits(), tiny().logits());
    // Local blocks have as many heads as each other, and so have global ones.
    for unlike in [[2, 1, 2, 2], [1, 1, 2, 1]] {
        let unlike = tiny().i32s("gemma4.attention.head_count_kv", &unlike);
        unlike.refused(ModelError::InvalidKey("attention.head_count_kv"));
    }
}

#[test]
fn tensors_without_a_key_and_experts_beside_them_are_refused() {
    let name = Name::new(b"per_layer_token_embd.weight");
    let without = tiny().without("gemma4.embedding_length_per_layer_input");
    without.refused(ModelError::UnknownTensor(name));
    // Experts beside embeddings of blocks: no model has both.
    let both = tiny().u32("gemma4.expert_count", 3).u32("gemma4.expert_used_count", 2);
    both.refused(ModelError::InvalidKey("embedding_length_per_layer_input"));
}

/// A block whose keys and values others read is not left out.
#[test]
fn blocks_that_others_need_stay() {
    let file = tiny().bytes();
    let run = |skipped: &[u32]| {
        let weights = FlashWeights::new(&file);
        with_options(&file, &weights, &Options::default(), skipping(skipped), |session| {
            session.prefill(&[1, 4, 5, 6, 3], &mut |_| true).expect("a pass ends");
        })
    };
    for (skipped, layer) in [(&[0][..], 0), (&[1], 1), (&[0, 3], 0), (&[1, 2], 1)] {
        assert_eq!(run(skipped), Err(ModelError::SharedLayer { layer }), "{skipped:?}");
    }
    for skipped in [&[2][..], &[3], &[2, 3], &[0, 2], &[1, 3]] {
        assert_eq!(run(skipped), Ok(()), "{skipped:?}");
    }
}
