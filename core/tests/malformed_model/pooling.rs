//! Texts as vectors: what they are made of, and models that do one thing are not asked for the
//! other.

use picolm_core::model::{ForwardError, LayerSet, ModelError};
use picolm_core::port::FlashWeights;
use picolm_core::session::{Options, SessionError, normalize};

use crate::tiny::{Tiny, with_options};

const TEXT: [u32; 7] = [1, 4, 5, 6, 3, 11, 8];

fn pooled(pooling: u32) -> Tiny {
    Tiny::new().u32("llama.pooling_type", pooling)
}

/// The vector of `text`, in batches of `batch` rows and stripes of `stripe_bytes`.
fn vector_in(tiny: &Tiny, text: &[u32], batch: u32, stripe_bytes: u64) -> Vec<f32> {
    let file = tiny.bytes();
    let options = Options { context: 64, batch, logit_rows: 0, stripe_bytes, ..Options::DEFAULT };
    let weights = FlashWeights::new(&file);
    with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        session.embed(text).expect("a pass ends").to_vec()
    })
    .expect("loads")
}

fn vector(tiny: &Tiny, text: &[u32]) -> Vec<f32> {
    vector_in(tiny, text, 16, u64::MAX)
}

/// The last row's vector, multiplied with the output matrix, is the scores of what follows.
#[test]
fn the_last_row_is_what_scores_are_made_of() {
    let tiny = pooled(3);
    let vector = vector(&tiny, &TEXT);
    let file = tiny.bytes();
    let weights = FlashWeights::new(&file);
    let options = Options { context: 64, ..Options::DEFAULT };
    let logits = with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        session.prefill(&TEXT, &mut |_| true).expect("a pass ends");
        session.logits().to_vec()
    });
    let rows = tiny.f32s_of("output.weight");
    for (row, logit) in rows.chunks_exact(vector.len()).zip(logits.expect("loads")) {
        let dot: f32 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
        assert!((dot - logit).abs() < 1e-4, "{dot} {logit}");
    }
}

/// In a causal model a prefix of a text is pooled as the text is.
#[test]
fn rows_are_pooled_as_the_file_says() {
    let ends: Vec<_> = (1..=TEXT.len()).map(|end| vector(&pooled(3), &TEXT[..end])).collect();
    assert_eq!(vector(&pooled(2), &TEXT), ends[0]);
    let mean = vector(&pooled(1), &TEXT);
    for (index, mean) in mean.iter().enumerate() {
        let sum: f32 = ends.iter().map(|end| end[index]).sum();
        assert!((mean - sum / TEXT.len() as f32).abs() < 1e-6);
    }
}

#[test]
fn batches_and_stripes_change_no_bit() {
    for pooling in 1..=3 {
        let whole = vector(&pooled(pooling), &TEXT);
        for (batch, stripe_bytes) in [(1, u64::MAX), (2, 1000), (7, 1000), (64, u64::MAX)] {
            assert_eq!(vector_in(&pooled(pooling), &TEXT, batch, stripe_bytes), whole);
        }
    }
}

#[test]
fn a_row_sees_what_follows_only_where_attention_is_not_causal() {
    let causal = pooled(2);
    let other = causal.clone().set("llama.attention.causal", 7, &[0]);
    assert_eq!(vector(&causal, &TEXT), vector(&causal, &TEXT[..3]));
    assert_ne!(vector(&other, &TEXT), vector(&other, &TEXT[..3]));
    assert_eq!(vector(&other, &TEXT[..1]), vector(&causal, &TEXT[..1]));
}

#[test]
fn a_text_that_one_pass_must_see_may_be_as_long_as_the_context() {
    let file = pooled(1).set("llama.attention.causal", 7, &[0]).bytes();
    let options = Options { context: 4, batch: 1, logit_rows: 0, ..Options::DEFAULT };
    let weights = FlashWeights::new(&file);
    let error = with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        let error = session.embed(&TEXT).map(<[f32]>::to_vec).expect_err("too long");
        assert!(session.embed(&TEXT[..4]).is_ok());
        error
    });
    assert_eq!(error, Ok(SessionError::ContextFull { tokens: 7, left: 4, context: 4 }));
}

#[test]
fn a_model_is_asked_for_what_it_does() {
    let refusal = |tiny: &Tiny, logit_rows| {
        let file = tiny.bytes();
        let options = Options { context: 64, logit_rows, ..Options::DEFAULT };
        with_options(&file, &FlashWeights::new(&file), &options, LayerSet::EMPTY, |_| ()).err()
    };
    assert_eq!(refusal(&Tiny::new(), 0), Some(ModelError::NoPooling));
    assert_eq!(refusal(&pooled(0), 0), Some(ModelError::NoPooling));
    assert_eq!(refusal(&pooled(1), 0), None);
    assert_eq!(refusal(&pooled(1), 1), None);
    let blind = pooled(1).set("llama.attention.causal", 7, &[0]);
    assert_eq!(refusal(&blind, 1), Some(ModelError::NotCausal));
    assert_eq!(refusal(&blind, 0), None);
    // 4 is a ranking, which is no vector.
    for pooling in [4, u32::MAX] {
        assert_eq!(pooled(pooling).refusal(), ModelError::InvalidKey("pooling_type"));
    }
}

#[test]
fn an_engine_of_scores_makes_no_vector() {
    let file = pooled(1).bytes();
    let weights = FlashWeights::new(&file);
    let options = Options { context: 64, ..Options::DEFAULT };
    let outcome = with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        session.prefill(&TEXT, &mut |_| true)?;
        assert!(session.embed(&TEXT).is_err());
        assert!(!session.logits().is_empty());
        session.decode(1)
    });
    assert_eq!(outcome, Ok(Ok(())));
}

#[test]
fn an_engine_of_vectors_makes_no_scores() {
    let file = pooled(1).bytes();
    let weights = FlashWeights::new(&file);
    let options = Options { context: 64, logit_rows: 0, ..Options::DEFAULT };
    let outcome = with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        let expected = session.embed(&TEXT).map(<[f32]>::to_vec);
        let scores = session.prefill(&TEXT, &mut |_| true);
        assert_eq!(scores, Err(SessionError::Forward(ForwardError::NoLogits)));
        assert!(session.logits().is_empty());
        assert_eq!(session.embed(&TEXT).map(<[f32]>::to_vec), expected);
        assert_eq!(expected.expect("a vector").len(), session.vector_len() as usize);
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_vector_is_finite_or_an_error() {
    let file = pooled(1).poke("output_norm.weight", 2, f32::INFINITY).bytes();
    let weights = FlashWeights::new(&file);
    let options = Options { context: 64, logit_rows: 0, ..Options::DEFAULT };
    let error = with_options(&file, &weights, &options, LayerSet::EMPTY, |session| {
        session.embed(&TEXT).map(<[f32]>::to_vec)
    });
    assert_eq!(error, Ok(Err(SessionError::Vector { index: 2 })));
}

#[test]
fn a_normal_vector_has_length_1() {
    let mut vector = [3.0, 0.0, -4.0];
    normalize(&mut vector);
    assert_eq!(vector, [0.6, 0.0, -0.8]);
    let mut zeros = [0.0; 3];
    normalize(&mut zeros);
    assert_eq!(zeros, [0.0; 3]);
}
