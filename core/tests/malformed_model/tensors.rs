//! Tensors that are missing, misshapen, of a type without a kernel, unknown, or not numbers.

use picolm_core::mem::Arena;
use picolm_core::model::{ModelError, Name};
use picolm_core::sampler::{SampleError, Sampler, SamplerOptions};

use crate::tiny::{TOKENS, Tiny, with_session};
use crate::writer::tensor_type;

#[test]
fn each_required_tensor_is_missed_by_name() {
    for tiny in [Tiny::new(), Tiny::with_experts()] {
        for name in tiny.tensor_names() {
            let without = tiny.clone().without_tensor(&name);
            if name == "output.weight" {
                without.runs(); // The embedding takes its part.
                continue;
            }
            let error = without.refusal();
            assert!(matches!(error, ModelError::MissingTensor(slot) if slot.to_string() == name));
            assert!(error.to_string().contains(&name), "{error}");
        }
    }
}

/// Every other shape of the same rank, one more and one less.
#[test]
fn each_wrong_shape_is_refused_by_name() {
    for name in Tiny::new().tensor_names() {
        let right = Tiny::new().dimensions(&name);
        let mut wrong = vec![vec![], vec![1], [&right[..], &[2]].concat(), vec![0; right.len()]];
        for axis in 0..right.len() {
            for length in [0, 1, right[axis] - 1, right[axis] + 1, 2 * right[axis]] {
                let mut shape = right.clone();
                shape[axis] = length;
                wrong.push(shape);
            }
        }
        if right.len() > 1 {
            wrong.push(right.iter().rev().copied().collect());
            wrong.push(vec![right.iter().product()]);
        } else {
            wrong.push(vec![1, right[0]]);
        }
        for shape in wrong {
            let error = Tiny::new().tensor(&name, &shape, tensor_type::F32, 0.5).refusal();
            let rows = shape.get(1).copied().unwrap_or(1);
            let expected = match error {
                ModelError::WrongShape(slot) => slot.to_string() == name,
                ModelError::VocabularyLength { tokens, rows: found } => {
                    name == "token_embd.weight" && (tokens, found) == (TOKENS.len() as u64, rows)
                }
                _ => false,
            };
            assert!(expected, "{name} {shape:?}: {error}");
        }
    }
    let experts = Tiny::with_experts();
    experts.runs();
    let name = "blk.1.ffn_up_exps.weight";
    for shape in [[32, 48, 2], [32, 48, 4], [48, 32, 3], [3, 48, 32], [32, 48 * 3, 1]] {
        let error = experts.clone().tensor(name, &shape, tensor_type::F32, 0.5).refusal();
        assert!(matches!(error, ModelError::WrongShape(slot) if slot.to_string() == name));
    }
    // Ones at the end are no dimensions.
    Tiny::new().tensor("output_norm.weight", &[32, 1, 1], tensor_type::F32, 0.5).runs();
}

/// An embedding without rows, in a file without a list of tokens to compare it with.
#[test]
fn an_embedding_has_rows_within_bounds() {
    let tiny = Tiny::new().without("tokenizer.ggml.tokens");
    let error = tiny.tensor("token_embd.weight", &[32, 0], tensor_type::F32, 0.0).refusal();
    assert!(matches!(error, ModelError::WrongShape(slot) if slot.name == "token_embd"));
}

#[test]
fn types_without_a_kernel_are_refused_by_name() {
    for name in Tiny::new().tensor_names() {
        let shape = Tiny::new().dimensions(&name);
        for tensor_type in [tensor_type::I8, tensor_type::F64] {
            let error = Tiny::new().tensor(&name, &shape, tensor_type, 0.0).refusal();
            let ModelError::UnsupportedType { slot, tensor_type: found } = error else {
                panic!("{name}: {error}");
            };
            assert_eq!((slot.to_string(), found as u32), (name.clone(), tensor_type));
        }
    }
    // A norm is copied, not multiplied: no blocks.
    let error = Tiny::new().tensor("output_norm.weight", &[32], tensor_type::Q4_0, 0.0).refusal();
    assert!(matches!(error, ModelError::UnsupportedType { .. }));
    Tiny::new().tensor("output.weight", &[32, 12], tensor_type::Q4_0, 0.0).runs();
}

#[test]
fn tensors_without_a_part_are_refused_by_name() {
    for name in [
        "weight",
        "output",
        "output_norm.bias",
        "TOKEN_EMBD.weight",
        "blk.",
        "blk.0",
        "blk.0.",
        "blk..attn_q.weight",
        "blk.00.attn_q.weight",
        "blk.+1.attn_q.weight",
        "blk.-1.attn_q.weight",
        "blk.2.attn_q.weight",
        "blk.4294967296.attn_q.weight",
        "blk.0.attn_q.weight ",
        "blk.0.attn_q_norm.weight",
        // Parts of experts, which this model has not.
        "blk.0.ffn_gate_inp.weight",
        "blk.0.ffn_up_exps.weight",
    ] {
        let tiny = Tiny::new().tensor(name, &[32], tensor_type::F32, 0.5);
        tiny.refused(ModelError::UnknownTensor(Name::new(name.as_bytes())));
    }
}

#[test]
fn divisors_of_frequencies_must_be_numbers_above_nothing() {
    let with = |value| Tiny::new().tensor("rope_freqs.weight", &[4], tensor_type::F32, value);
    with(8.0).runs();
    for value in [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        with(value).refused(ModelError::InvalidKey("rope_freqs"));
    }
}

/// What the sampler says of the second token's logits.
fn sampled(tiny: &Tiny, options: SamplerOptions<'_>) -> Result<u32, SampleError> {
    let mut memory = [0; 512];
    let mut sampler = Sampler::new(options, 12, &mut Arena::new(&mut memory)).unwrap();
    let sampled = with_session(&tiny.bytes(), |session| {
        session.prefill(&[1, 4, 5], &mut |_| true).expect("a pass ends");
        session.decode(6).expect("a pass ends");
        sampler.sample(session.logits(), None)
    });
    sampled.expect("weights are not looked at when loading")
}

#[test]
fn weights_that_are_no_numbers_are_reported_by_the_sampler() {
    let greedy = SamplerOptions { temperature: 0.0, ..SamplerOptions::default() };
    let drawing = SamplerOptions { temperature: 0.8, top_p: 0.9, ..SamplerOptions::default() };
    for options in [greedy, drawing] {
        // A router that is no number picks experts all the same: no hang, and no answer.
        let router = ["blk.0.ffn_gate_inp.weight", "blk.1.ffn_gate_inp.weight"];
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for name in router {
                let tiny = Tiny::with_experts().tensor(name, &[32, 3], tensor_type::F32, value);
                let verdict = sampled(&tiny, options);
                assert!(
                    matches!(verdict, Err(SampleError::NonFinite { .. })),
                    "{name} {value}: {verdict:?}"
                );
            }
        }
        assert!(sampled(&Tiny::new(), options).is_ok_and(|token| token < 12));
        for name in Tiny::new().tensor_names() {
            let shape = Tiny::new().dimensions(&name);
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let all = Tiny::new().tensor(&name, &shape, tensor_type::F32, value);
                let verdict = sampled(&all, options);
                assert!(
                    matches!(verdict, Err(SampleError::NonFinite { .. })),
                    "{name} {value}: {verdict:?}"
                );
            }
            // One number of the second row: token 1's embedding, which the prompt has.
            let row = if shape.len() > 1 { shape[0] as usize } else { 0 };
            let verdict = sampled(&Tiny::new().poke(&name, row + 3, f32::NAN), options);
            assert!(matches!(verdict, Err(SampleError::NonFinite { .. })), "{name}: {verdict:?}");
        }
    }
}
