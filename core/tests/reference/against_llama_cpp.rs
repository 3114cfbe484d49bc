//! Logits and greedy continuations are llama.cpp's, within the fixtures' bounds.

use crate::against_ourselves::Threads;
use crate::engine::{
    Fixture, Setting, all_logits, architectures, embedding_models, weight_types, with_session,
};
use picolm_core::kernels::{Candidate, portable};
use picolm_core::port::{FlashWeights, Parallel, Serial};
use picolm_core::sampler::argmax;
use picolm_core::session::Options;

/// What f32 activations may differ by: only the f16 cache and the order of sums are left.
const FLOAT_BOUND: f64 = 5e-6;

/// `sum((a - b)^2) / sum(b^2)`.
fn nmse(ours: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let pairs = ours.iter().zip(truth);
    let error = squares(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    error / squares(&mut truth.iter().map(|b| f64::from(*b)))
}

/// The error of the last positions' logits, those that the fixture has.
fn error_with(fixture: &Fixture, formats: &[Candidate]) -> f64 {
    let options = Options { context: 256, logit_rows: 8, ..Options::default() };
    let setting = Setting { formats, options, ..Setting::PLAIN };
    let weights = FlashWeights::new(&fixture.file);
    let ours =
        with_session(fixture, &weights, &setting, |session| all_logits(session, &fixture.tokens()));
    nmse(&ours[ours.len() - fixture.truth.len()..], &fixture.truth)
}

fn check(fixture: &Fixture) {
    let theirs = fixture.number("nmse_llamacpp_vs_truth_last4");
    let bound = (1.5 * theirs).max(5e-6);
    let error = error_with(fixture, portable::ALL);
    println!("{}: nmse {error:.2e}, llama.cpp {theirs:.2e}, bound {bound:.2e}", fixture.name);
    assert!(error <= bound, "{}: {error:.3e} is above {bound:.3e}", fixture.name);
}

fn check_float(fixture: &Fixture) {
    let error = error_with(fixture, portable::float_activations::FLOAT_ACTIVATIONS);
    println!("{}: nmse {error:.2e} with f32 activations", fixture.name);
    assert!(error <= FLOAT_BOUND, "{}: {error:.3e} is above {FLOAT_BOUND:.0e}", fixture.name);
}

/// The greedy continuation, as far as llama.cpp's margins let it be compared.
fn check_greedy(fixture: &Fixture) {
    let expected = fixture.integers("greedy");
    let count = fixture.number("greedy_check_len") as usize;
    let options = Options { context: 256, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    let weights = FlashWeights::new(&fixture.file);
    with_session(fixture, &weights, &setting, |session| {
        session.prefill(&fixture.tokens(), &mut |_| true).unwrap();
        for (step, &token) in expected[..count].iter().enumerate() {
            let ours = argmax(session.logits()).unwrap();
            assert_eq!(ours, token, "{}: token {step}", fixture.name);
            session.decode(ours).unwrap();
        }
    });
}

#[test]
fn architectures_are_within_bounds() {
    architectures().iter().for_each(check);
}

#[test]
fn weight_types_are_within_bounds() {
    weight_types().iter().for_each(check);
}

/// The vector of the fixture's tokens.
fn vector(fixture: &Fixture, formats: &[Candidate], parallel: &dyn Parallel) -> Vec<f32> {
    let options = Options { context: 256, batch: 64, logit_rows: 0, ..Options::default() };
    let setting = Setting { formats, options, parallel, ..Setting::PLAIN };
    let weights = FlashWeights::new(&fixture.file);
    with_session(fixture, &weights, &setting, |session| {
        // A text before, longer and shorter, leaves no trace.
        session.embed(&[1; 40]).unwrap();
        session.embed(&[2]).unwrap();
        session.embed(&fixture.tokens()).unwrap().to_vec()
    })
}

#[test]
fn vectors_of_texts_are_within_bounds() {
    for fixture in embedding_models() {
        let bound = (1.5 * fixture.number("nmse_llamacpp_vs_truth")).max(5e-6);
        for formats in [portable::ALL, portable::float_activations::FLOAT_ACTIVATIONS] {
            let ours = vector(&fixture, formats, &Serial);
            let error = nmse(&ours, &fixture.truth);
            assert!(error <= bound, "{}: {error:.3e} is above {bound:.3e}", fixture.name);
        }
        let alone = vector(&fixture, portable::ALL, &Serial);
        assert_eq!(vector(&fixture, portable::ALL, &Threads(3)), alone, "{}", fixture.name);
    }
}

#[test]
fn architectures_with_f32_activations_are_within_bounds() {
    // Their matrices are F16 or F32, so the level changes nothing but must not harm.
    architectures().iter().for_each(check_float);
}

#[test]
fn weight_types_with_f32_activations_are_within_bounds() {
    weight_types().iter().for_each(check_float);
}

#[test]
fn greedy_text_is_llama_cpps() {
    architectures().iter().chain(&weight_types()).for_each(check_greedy);
}
