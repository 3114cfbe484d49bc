//! Matrices that a file holds as one: the model is the one whose file has them apart.

use picolm_core::gguf::Gguf;
use picolm_core::mem::MemoryPlan;
use picolm_core::model::{Block, Build, EXPERTS, Family, Fused, LayerSet, Layout, ModelError};
use picolm_core::port::FlashWeights;
use picolm_core::quant::KvType;
use picolm_core::session::{Options, Session};

use crate::tiny::{Tiny, build, with_build};
use crate::writer::tensor_type;

const ATTENTION: (&str, &[&str]) = ("attn_qkv", &["attn_q", "attn_k", "attn_v"]);
const GATE_UP: (&str, &[&str]) = ("ffn_up", &["ffn_gate", "ffn_up"]);

/// Llama, but that its files may hold matrices as one.
static FUSING: Family =
    Family { architecture: "llama", fused: &[Fused::ATTENTION, Fused::GATE_UP], ..Family::PLAIN };

static FUSING_EXPERTS: Family = Family {
    block: Block { feed_forwards: &[&EXPERTS], ..Block::LLAMA },
    fused: &[Fused::EXPERT_GATE_UP],
    ..FUSING
};

fn fusing() -> Build<'static> {
    const FAMILIES: &[&Family] = &[&FUSING, &FUSING_EXPERTS];
    Build { families: FAMILIES, ..build() }
}

/// Bits of the logits after a prompt, read in stripes of `stripe_bytes`; bytes of the plan, and
/// what a token reads.
fn answer(
    tiny: &Tiny,
    stripe_bytes: u64,
    skipped: LayerSet,
) -> Result<(Vec<u32>, u64, String), ModelError> {
    let (file, build) = (tiny.bytes(), fusing());
    let options = Options { context: 64, stripe_bytes, ..Options::DEFAULT };
    let weights = FlashWeights::new(&file);
    let logits = with_build(&build, &file, &weights, &options, skipped, |session| {
        session.prefill(&[1, 4, 5, 6, 3, 11, 8], &mut |_| true).expect("a pass ends");
        session.logits().iter().map(|logit| logit.to_bits()).collect()
    })?;
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let layout = Layout::of(&gguf, &build, skipped)?;
    let mut plan = MemoryPlan::new();
    Session::plan(&layout, &options, &mut plan)?;
    Ok((logits, plan.total(), format!("{:?}", layout.traffic(KvType::F16)?)))
}

fn refusal(tiny: &Tiny) -> ModelError {
    answer(tiny, u64::MAX, LayerSet::EMPTY).expect_err("accepted")
}

#[test]
fn fused_matrices_are_their_parts() {
    let mut skipped = LayerSet::EMPTY;
    skipped.insert(0).unwrap();
    for tiny in [Tiny::new(), Tiny::new().with_biases()] {
        let attention = tiny.clone().fused(ATTENTION.0, ATTENTION.1);
        let both = attention.clone().fused(GATE_UP.0, GATE_UP.1);
        assert!(both.tensor_names().len() < attention.tensor_names().len());
        for (stripe_bytes, skipped) in
            [(u64::MAX, LayerSet::EMPTY), (1000, LayerSet::EMPTY), (1000, skipped)]
        {
            let apart = answer(&tiny, stripe_bytes, skipped);
            assert!(apart.is_ok());
            assert_eq!(answer(&attention, stripe_bytes, skipped), apart);
            assert_eq!(answer(&both, stripe_bytes, skipped), apart);
        }
    }
}

/// Experts whose gate and up lie one after the other, as their parts would.
fn with_fused_experts() -> Tiny {
    let mut tiny = Tiny::with_experts();
    for layer in 0..2 {
        let parts =
            ["ffn_gate_exps", "ffn_up_exps"].map(|part| format!("blk.{layer}.{part}.weight"));
        let [gates, ups] = [0, 1].map(|part| tiny.f32s_of(&parts[part]));
        let [columns, rows, experts] = tiny.dimensions(&parts[0])[..] else { panic!("experts") };
        let name = format!("blk.{layer}.ffn_gate_up_exps.weight");
        tiny = tiny.tensor(&name, &[columns, 2 * rows, experts], tensor_type::F32, 0.0);
        let length = (columns * rows) as usize;
        let of_each = gates.chunks_exact(length).zip(ups.chunks_exact(length));
        let values = of_each.flat_map(|(gate, up)| gate.iter().chain(up));
        for (index, &value) in values.enumerate() {
            tiny = tiny.poke(&name, index, value);
        }
        tiny = tiny.without_tensor(&parts[0]).without_tensor(&parts[1]);
    }
    tiny
}

#[test]
fn fused_experts_are_their_parts() {
    for stripe_bytes in [u64::MAX, 1000] {
        let apart = answer(&Tiny::with_experts(), stripe_bytes, LayerSet::EMPTY);
        assert!(apart.is_ok());
        assert_eq!(answer(&with_fused_experts(), stripe_bytes, LayerSet::EMPTY), apart);
    }
    let name = "blk.1.ffn_gate_up_exps.weight";
    for dimensions in [[32, 95, 3], [32, 96, 2], [31, 96, 3]] {
        let tiny = with_fused_experts().tensor(name, &dimensions, tensor_type::F32, 0.0);
        assert!(matches!(refusal(&tiny), ModelError::WrongShape(_)), "{dimensions:?}");
    }
}

#[test]
fn a_fused_matrix_has_the_rows_of_its_parts() {
    let tiny = Tiny::new().fused(ATTENTION.0, ATTENTION.1);
    let name = "blk.1.attn_qkv.weight";
    let [columns, rows] = tiny.dimensions(name)[..] else { panic!("two dimensions") };
    for dimensions in [[columns, rows - 1], [columns, rows + 1], [columns - 1, rows]] {
        let refusal = refusal(&tiny.clone().tensor(name, &dimensions, tensor_type::F32, 0.0));
        assert!(matches!(refusal, ModelError::WrongShape(_)), "{refusal}");
        assert!(refusal.to_string().contains(name), "{refusal}");
    }
    // Rows that fit neither the part of this name nor the parts together.
    let tiny = Tiny::new().tensor("blk.0.ffn_up.weight", &[32, 95], tensor_type::F32, 0.0);
    assert!(matches!(refusal(&tiny), ModelError::WrongShape(_)));
}

#[test]
fn parts_are_not_there_twice() {
    let tiny = Tiny::new().fused(ATTENTION.0, ATTENTION.1);
    let twice = tiny.tensor("blk.1.attn_k.weight", &[32, 20], tensor_type::F32, 0.0);
    let refusal = refusal(&twice);
    assert!(matches!(refusal, ModelError::DuplicateTensor(_)), "{refusal}");
}

/// As every tensor that an architecture does not have.
#[test]
fn other_architectures_have_no_fused_matrices() {
    let refusal = Tiny::new().fused(ATTENTION.0, ATTENTION.1).refusal();
    assert!(matches!(refusal, ModelError::UnknownTensor(_)), "{refusal}");
}
