//! The chain: distributions, masks, memory, and what llama.cpp expects of each stage.

extern crate std;

use super::super::options::{Dry, DynamicTemperature, Mirostat, Penalties, Xtc};
use super::*;
use crate::mem::Arena;
use proptest::prelude::*;
use std::vec::Vec;

const OPTIONS: SamplerOptions<'_> = SamplerOptions { seed: 42, ..SamplerOptions::NEUTRAL };

/// How often each token is drawn in `draws`.
fn histogram(options: SamplerOptions<'_>, logits: &[f32], draws: usize) -> Vec<usize> {
    let mut memory = std::vec![0u8; 4 * logits.len() + 128];
    let mut arena = Arena::new(&mut memory);
    let mut sampler = Sampler::new(options, logits.len() as u32, &mut arena).unwrap();
    let mut counts = std::vec![0; logits.len()];
    for _ in 0..draws {
        counts[sampler.sample(logits, None).unwrap() as usize] += 1;
    }
    counts
}

/// Pearson's statistic of `counts` against probabilities in proportion to `weights`.
fn chi_square(counts: &[usize], weights: &[f64]) -> f64 {
    let draws = counts.iter().sum::<usize>() as f64;
    let total: f64 = weights.iter().sum();
    counts.iter().zip(weights).filter(|&(_, &weight)| weight > 0.0).fold(
        0.0,
        |sum, (&count, weight)| {
            let expected = draws * weight / total;
            sum + (count as f64 - expected) * (count as f64 - expected) / expected
        },
    )
}

#[test]
fn draws_follow_the_models_distribution() {
    let weights = [8.0f64, 1.0, 4.0, 0.0, 2.0, 1.0];
    let logits = weights.map(|weight| libm::log(weight) as f32);
    for seed in 0..20 {
        let counts = histogram(SamplerOptions { seed, ..OPTIONS }, &logits, 4_000);
        assert_eq!(counts[3], 0);
        // 4 degrees of freedom: 23.5 is exceeded once in 10,000.
        assert!(chi_square(&counts, &weights) < 23.5, "seed {seed}: {counts:?}");
    }
}

#[test]
fn temperature_applies_after_top_p() {
    // At temperature 1 the first two tokens hold 0.9; at temperature 4 they would hold less
    // than 0.8 and a third would come in, were top-p taken second.
    let weights = [6.0f64, 3.0, 0.5, 0.5];
    let logits = weights.map(|weight| libm::log(weight) as f32);
    let options = SamplerOptions { temperature: 4.0, top_p: 0.89, seed: 1, ..OPTIONS };
    let counts = histogram(options, &logits, 4_000);
    assert_eq!(counts[2..], [0, 0]);
    let flattened = [libm::pow(6.0, 0.25), libm::pow(3.0, 0.25), 0.0, 0.0];
    // 1 degree of freedom: 15.1 is exceeded once in 10,000.
    assert!(chi_square(&counts, &flattened) < 15.1, "{counts:?}");
}

#[test]
fn seeds_give_different_texts_and_repeat_them() {
    let logits = [0.0f32; 64];
    let first = |seed| {
        let mut memory = [0u8; 512];
        let mut arena = Arena::new(&mut memory);
        let options = SamplerOptions { seed, ..OPTIONS };
        let mut sampler = Sampler::new(options, 64, &mut arena).unwrap();
        [(); 4].map(|()| sampler.sample(&logits, None).unwrap())
    };
    let texts = [0, 1, 42, 1000].map(first);
    for (i, text) in texts.iter().enumerate() {
        assert!(!texts[..i].contains(text), "{texts:?}");
        assert_eq!(*text, first([0, 1, 42, 1000][i]));
    }
}

#[test]
fn temperature_zero_takes_the_first_of_the_best() {
    let options = SamplerOptions { temperature: 0.0, ..OPTIONS };
    assert_eq!(histogram(options, &[1.0, 3.0, 3.0, 2.0], 5), [0, 5, 0, 0]);
    // The smallest positive temperature has the same choice, ties aside.
    let options = SamplerOptions { temperature: f32::from_bits(1), ..OPTIONS };
    assert_eq!(histogram(options, &[1.0, 3.0, 2.5, f32::NEG_INFINITY], 5), [0, 5, 0, 0]);
}

#[test]
fn bad_options_and_scores_are_errors() {
    let mut memory = [0u8; 256];
    let with = |temperature, top_p, memory: &mut [u8]| {
        let options = SamplerOptions { temperature, top_p, ..OPTIONS };
        Sampler::new(options, 4, &mut Arena::new(memory)).map(|_| ())
    };
    for temperature in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(with(temperature, 0.9, &mut memory), Err(SamplerError::Temperature));
    }
    for top_p in [0.0, -0.5, 1.5, f32::NAN] {
        assert_eq!(with(0.8, top_p, &mut memory), Err(SamplerError::TopP));
    }
    assert!(matches!(with(0.8, 0.9, &mut []), Err(SamplerError::Memory(_))));

    let mut arena = Arena::new(&mut memory);
    let mut sampler = Sampler::new(OPTIONS, 3, &mut arena).unwrap();
    let nowhere = f32::NEG_INFINITY;
    for bad in [f32::NAN, f32::INFINITY] {
        let non_finite = Err(SampleError::NonFinite { index: 2 });
        assert_eq!(sampler.sample(&[0.0, nowhere, bad], None), non_finite);
    }
    assert_eq!(sampler.sample(&[nowhere; 3], None), Err(SampleError::NothingPossible));
    assert_eq!(sampler.sample(&[0.0; 2], None), Err(SampleError::WrongLength));
    assert_eq!(sampler.sample(&[nowhere, -1e30, nowhere], None), Ok(1));
}

#[test]
fn a_mask_decides_what_may_come_and_a_forced_token_draws_nothing() {
    let mut memory = [0u8; 1024];
    let mut arena = Arena::new(&mut memory);
    let mut sampler = Sampler::new(OPTIONS, 40, &mut arena).unwrap();
    let mut logits = [0.0f32; 40];
    logits[7] = 20.0;
    let before = sampler.rng;
    assert_eq!(sampler.sample(&logits, Some(&[1 << 9, 0])), Ok(9));
    assert_eq!(sampler.rng, before);
    let two = [1 << 9, 1 << 3];
    for _ in 0..20 {
        assert!([9, 35].contains(&sampler.sample(&logits, Some(&two)).unwrap()));
    }
    assert_ne!(sampler.rng, before);
    // The model thinks neither possible: valid goes before likely.
    (logits[9], logits[35]) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    assert_eq!(sampler.sample(&logits, Some(&two)), Ok(9));
    assert_eq!(sampler.sample(&logits, Some(&[0, 0])), Err(SampleError::NothingPossible));
    // Bits beyond the vocabulary are no tokens.
    let beyond = [0, u32::MAX << 8];
    assert_eq!(sampler.sample(&logits, Some(&beyond)), Err(SampleError::NothingPossible));
    assert_eq!(sampler.sample(&logits, Some(&[1])), Err(SampleError::WrongLength));
}

/// Options that use every stage but Mirostat.
fn everything(seed: u64) -> SamplerOptions<'static> {
    SamplerOptions {
        bias: &[(0, 1.0), (1, f32::NEG_INFINITY)],
        penalties: Penalties { last: 5, repeat: 1.2, frequency: 0.3, presence: -0.1 },
        dry: Dry { multiplier: 0.8, last: 9, ..OPTIONS.dry },
        top_k: 12,
        typical_p: 0.95,
        top_p: 0.9,
        min_p: 0.02,
        xtc: Xtc { probability: 0.5, threshold: 0.2 },
        temperature: 0.8,
        dynamic: DynamicTemperature { range: 0.5, exponent: 1.3 },
        mirostat: None,
        seed,
    }
}

#[test]
fn the_plan_is_what_is_taken() {
    for options in [OPTIONS, everything(1)] {
        for n_vocab in [2u32, 17, 512] {
            let mut plan = MemoryPlan::new();
            Sampler::plan(&options, n_vocab, &mut plan).unwrap();
            let mut memory = [0u8; 8192];
            let mut arena = Arena::new(&mut memory);
            Sampler::new(options, n_vocab, &mut arena).unwrap();
            assert_eq!(arena.used_bytes(), plan.total());
        }
    }
}

/// The probabilities, by id, of what `options` leave of scores `logits` after the text `tokens`.
fn left(options: SamplerOptions<'_>, logits: &[f32], tokens: &[u32]) -> Vec<f64> {
    let mut memory = std::vec![0u8; 16 * logits.len() + 4096];
    let mut arena = Arena::new(&mut memory);
    let mut sampler = Sampler::new(options, logits.len() as u32, &mut arena).unwrap();
    tokens.iter().for_each(|&token| sampler.accept(token));
    if options.changes_scores() {
        sampler.change_scores(logits);
    }
    let scores = if options.changes_scores() { &*sampler.changed } else { logits };
    let mut candidates = Candidates::gather(scores, None, sampler.ids);
    let best = candidates.best(scores).unwrap();
    let mut scores = Scores::new(scores, scores[best as usize]);
    narrow(&options, sampler.limit.as_ref(), &mut candidates, &mut scores, 0);
    let total = scores.total(candidates.ids());
    let mut probabilities = std::vec![0.0; logits.len()];
    for &id in candidates.ids() {
        probabilities[id as usize] = scores.weight(id) / total;
    }
    probabilities
}

/// Checks what `options` leave of `before` against `after`, probabilities both. Where a token is
/// left out, `after` has 0; it need not sum to 1.
fn assert_left(options: SamplerOptions<'_>, before: &[f64], tokens: &[u32], after: &[f64]) {
    let logits: Vec<f32> = before.iter().map(|&p| libm::log(p) as f32).collect();
    let total: f64 = after.iter().sum();
    let found = left(options, &logits, tokens);
    let close = found.iter().zip(after).all(|(p, q)| (p - q / total).abs() < 1e-5);
    assert!(close, "{options:?} {before:?}: {found:?}, not {after:?}");
}

/// The cases of llama.cpp's `tests/test-sampling.cpp`: temperature to typical.
#[test]
fn filters_leave_what_llama_cpp_expects() {
    const ALL: [f64; 4] = [0.1, 0.2, 0.3, 0.4];
    let only = |least: f64| ALL.map(|p| if p >= least { p } else { 0.0 });
    for (temperature, after) in [(1.0, ALL), (0.0, only(0.4))] {
        assert_left(SamplerOptions { temperature, ..OPTIONS }, &ALL, &[], &after);
    }
    for (top_k, least) in [(1, 0.4), (3, 0.2), (4, 0.1), (0, 0.1)] {
        assert_left(SamplerOptions { top_k, ..OPTIONS }, &ALL, &[], &only(least));
    }
    // llama.cpp's 0 is no share here: the least one has the same meaning.
    for (top_p, least) in [(f32::MIN_POSITIVE, 0.4), (0.7, 0.3), (0.8, 0.2), (1.0, 0.1)] {
        assert_left(SamplerOptions { top_p, ..OPTIONS }, &ALL, &[], &only(least));
    }
    for (min_p, least) in [
        (0.0, 0.1),
        (0.24, 0.1),
        (0.26, 0.2),
        (0.49, 0.2),
        (0.51, 0.3),
        (0.74, 0.3),
        (0.76, 0.4),
        (1.0, 0.4),
        (1.05, 0.4),
    ] {
        assert_left(SamplerOptions { min_p, ..OPTIONS }, &ALL, &[], &only(least));
    }
    let down = [0.4, 0.3, 0.2, 0.1];
    for (threshold, most) in [(0.09, 0.1), (0.19, 0.2), (0.29, 0.3), (0.39, 0.4)] {
        let xtc = Xtc { probability: 1.0, threshold };
        let after = down.map(|p| if p <= most { p } else { 0.0 });
        assert_left(SamplerOptions { xtc, ..OPTIONS }, &down, &[], &after);
    }
    let typical = SamplerOptions { typical_p: 0.5, ..OPTIONS };
    assert_left(typical, &[0.97, 0.01, 0.01, 0.01], &[], &[0.97, 0.0, 0.0, 0.0]);
    assert_left(typical, &[0.4, 0.2, 0.2, 0.2], &[], &[0.0, 0.2, 0.2, 0.2]);
}

/// At temperature 0 nothing is left to chance, and the likeliest token is the answer.
#[test]
fn temperature_0_is_the_likeliest_token_whatever_may_be_excluded() {
    let xtc = Xtc { probability: 1.0, threshold: 0.05 };
    let options = SamplerOptions { xtc, temperature: 0.0, ..OPTIONS };
    assert_left(options, &[0.1, 0.4, 0.3, 0.2], &[], &[0.0, 1.0, 0.0, 0.0]);
    let options = SamplerOptions { typical_p: 0.5, ..options };
    assert_left(options, &[0.4, 0.2, 0.2, 0.2], &[], &[1.0, 0.0, 0.0, 0.0]);
    let penalties = Penalties { last: 1, presence: 0.1, ..OPTIONS.penalties };
    let options = SamplerOptions { penalties, ..options };
    assert_left(options, &[0.1, 0.4, 0.3, 0.2], &[], &[0.0, 1.0, 0.0, 0.0]);
}

/// The cases of llama.cpp's `tests/test-sampling.cpp`: penalties.
#[test]
fn penalties_are_what_llama_cpp_expects() {
    let even = [0.2; 5];
    for (tokens, after) in [
        (&[0][..], [0.0, 0.25, 0.25, 0.25, 0.25]),
        (&[0, 1, 2], [0.0, 0.0, 0.0, 0.5, 0.5]),
        (&[0, 1, 2, 0, 0], [0.0, 0.0, 0.0, 0.5, 0.5]),
    ] {
        let penalties = Penalties { repeat: 50.0, ..OPTIONS.penalties };
        assert_left(SamplerOptions { penalties, ..OPTIONS }, &even, tokens, &after);
    }
    for (tokens, after) in [
        (&[0][..], [0.000_011, 0.249_997, 0.249_997, 0.249_997, 0.249_997]),
        (&[0, 1, 2], [0.000_023, 0.000_023, 0.000_023, 0.499_966, 0.499_966]),
        (&[0, 1, 2, 0, 0], [0.0, 0.000_023, 0.000_023, 0.499_977, 0.499_977]),
    ] {
        let penalties = Penalties { frequency: 5.0, presence: 5.0, ..OPTIONS.penalties };
        assert_left(SamplerOptions { penalties, ..OPTIONS }, &even, tokens, &after);
    }
    // A token that has left the window counts no more.
    let penalties = Penalties { last: 2, repeat: 50.0, ..OPTIONS.penalties };
    let after = [0.5, 0.0, 0.0, 0.25, 0.25];
    let before = [0.4, 0.1, 0.1, 0.2, 0.2];
    assert_left(SamplerOptions { penalties, ..OPTIONS }, &before, &[0, 1, 2], &after);
}

/// The cases of llama.cpp's `tests/test-sampling.cpp`: DRY.
#[test]
fn dry_is_what_llama_cpp_expects() {
    let dry = |multiplier, allowed_length, last, breakers| {
        let dry = Dry { multiplier, base: 1.1, allowed_length, last, breakers };
        SamplerOptions { dry, ..OPTIONS }
    };
    let (four, five) = ([0.25; 4], [0.2; 5]);
    assert_left(dry(1.0, 2, 4, &[]), &four, &[0, 1], &four);
    let after = [0.296_923, 0.296_923, 0.109_232, 0.296_923];
    assert_left(dry(1.0, 2, 5, &[]), &four, &[0, 1, 2, 0, 1], &after);
    assert_left(dry(1.0, 2, 6, &[1 << 3]), &five, &[0, 1, 3, 4, 0, 1], &five);
    let after = [0.241_818, 0.241_818, 0.032_727, 0.241_818, 0.241_818];
    assert_left(dry(2.0, 2, 5, &[]), &five, &[0, 1, 2, 0, 1], &after);
    assert_left(dry(1.0, 4, 7, &[]), &five, &[0, 1, 2, 3, 4, 0, 1], &five);
    // Two words further: 2 repeated tokens more cost base^2 times as much.
    let text = [0, 1, 2, 3, 4, 0, 1, 2, 3];
    let lost = libm::exp(-1.1 * 1.1);
    assert_left(dry(1.0, 2, 9, &[]), &five, &text, &[1.0, 1.0, 1.0, 1.0, lost]);
    // A breaker ends what is repeated.
    assert_left(dry(1.0, 2, 9, &[1 << 2]), &five, &text, &five);
}

/// llama.cpp's `temp_ext` of an even distribution is at the top of its range, of a certain one at
/// the bottom; between them by the definition.
#[test]
fn dynamic_temperature_follows_the_entropy() {
    let with = |temperature, range, exponent| SamplerOptions {
        temperature,
        dynamic: DynamicTemperature { range, exponent },
        ..OPTIONS
    };
    let all = [0.1, 0.2, 0.3, 0.4];
    assert_left(with(1.0, 0.0, 1.0), &all, &[], &all);
    assert_left(with(0.0, 0.0, 1.0), &all, &[], &[0.0, 0.0, 0.0, 1.0]);
    let entropy: f64 = all.iter().map(|&p| -p * libm::log(p)).sum();
    let share = libm::pow(entropy / libm::log(4.0), 2.0);
    let temperature = 0.5 + 1.0 * share;
    let after = all.map(|p| libm::pow(p, 1.0 / temperature));
    assert_left(with(1.0, 0.5, 2.0), &all, &[], &after);
    // The lower end is 0 at the least.
    let nearly_sure = [1.0 - 3e-7, 1e-7, 1e-7, 1e-7];
    assert_left(with(0.3, 2.0, 1.0), &nearly_sure, &[], &[1.0, 0.0, 0.0, 0.0]);
}

/// llama.cpp's `test_sampler_queue`, restated: of 10,000 tokens with probabilities in proportion to
/// their ids, what is left follows from integers, in whatever order the filters come.
#[test]
fn filters_in_any_order_leave_what_llama_cpp_expects() {
    const N: u32 = 10_000;
    let logits: Vec<f32> = (0..N).map(|id| libm::log(f64::from(id)) as f32).collect();
    let highest = logits[N as usize - 1];
    for (queue, k, p, m) in [
        ("k", 10_000, 1.0, 1.0),
        ("k", 1, 1.0, 1.0),
        ("p", 10_000, 1.0, 1.0),
        ("m", 10_000, 1.0, 1.0),
        ("m", 10_000, 1.0, 1e-12),
        ("k", 100, 1.0, 1.0),
        ("p", 10_000, 0.0003, 1.0),
        ("p", 10_000, 0.8, 1.0),
        ("m", 10_000, 1.0, 9_997.9 / 9_999.0),
        ("m", 10_000, 1.0, 0.1),
        ("kp", 100, 0.8, 0.1),
        ("km", 100, 0.8, 0.1),
        ("pk", 100, 0.8, 0.1),
        ("pm", 100, 0.8, 0.1),
        ("mk", 100, 0.8, 0.1),
        ("mp", 100, 0.8, 9_997.9 / 9_999.0),
        ("mp", 100, 0.8, 0.1),
        ("kpm", 100, 0.8, 0.1),
        ("kmp", 100, 0.8, 0.1),
        ("pkm", 100, 0.8, 0.1),
        ("pmk", 100, 0.8, 0.1),
        ("mkp", 100, 0.8, 0.1),
        ("mpk", 100, 0.8, 0.1),
    ] {
        let mut room = std::vec![0; N as usize];
        let mut candidates = Candidates::gather(&logits, None, &mut room);
        let scores = Scores::new(&logits, highest);
        // Token 0 is impossible: it is no candidate here.
        let mut lowest = 1u32;
        for filter in queue.chars() {
            match filter {
                'k' => {
                    filters::top_k(&mut candidates, &scores, k);
                    lowest = lowest.max(N.saturating_sub(k));
                }
                'p' => {
                    top_p(&mut candidates, &scores, p);
                    let mass: u64 = (lowest..N).map(u64::from).sum();
                    let wanted = libm::ceil(f64::from(p) * mass as f64) as u64;
                    let mut sum = 0;
                    let enough = |id: &u32| {
                        sum += u64::from(*id);
                        sum >= wanted
                    };
                    lowest = (lowest..N).rev().find(enough).unwrap();
                }
                _ => {
                    filters::min_p(&mut candidates, &scores, m);
                    lowest = lowest.max((m * N as f32) as u32).min(N - 1);
                }
            }
            let mut ids = candidates.ids().to_vec();
            ids.sort();
            assert!(ids.into_iter().eq(lowest..N), "{queue} at {filter}, k {k} p {p} m {m}");
        }
    }
}

#[test]
fn mirostat_steers_the_surprise_to_what_is_wanted() {
    // Probabilities as natural text has them: 1 / rank.
    let logits: Vec<f32> = (0..5_000).map(|id| -libm::log(f64::from(id + 1)) as f32).collect();
    for tau in [2.0f32, 4.0, 6.0] {
        let mut memory = std::vec![0u8; 64 << 10];
        let mut arena = Arena::new(&mut memory);
        let mirostat = Some(Mirostat { tau, eta: 0.1 });
        let options = SamplerOptions { mirostat, ..OPTIONS };
        let mut sampler = Sampler::new(options, 5_000, &mut arena).unwrap();
        let total: f64 = (1..=5_000).map(|rank| 1.0 / f64::from(rank)).sum();
        let (mut surprise, mut draws) = (0.0, 0);
        for step in 0..2_000 {
            let limit = sampler.limit;
            let token = sampler.sample(&logits, None).unwrap();
            let mut candidates = Candidates::gather(&logits, None, sampler.ids);
            let scores = Scores::new(&logits, 0.0);
            limit.unwrap().filter(&mut candidates, &scores);
            // What is left are the likeliest, with a surprise below the limit.
            let kept = candidates.ids().len();
            assert!((token as usize) < kept);
            let kept_mass: f64 = (1..=kept).map(|rank| 1.0 / rank as f64).sum();
            assert!(kept_mass <= total);
            if step >= 200 {
                surprise += libm::log2(kept_mass * f64::from(token + 1));
                draws += 1;
            }
        }
        let mean = surprise / f64::from(draws);
        assert!((mean - f64::from(tau)).abs() < 0.25, "{mean} for {tau}");
    }
}

#[test]
fn bias_changes_scores_and_cannot_forbid_everything() {
    let logits = [1.0f32, 0.0, -1.0];
    let nowhere = f32::NEG_INFINITY;
    let greedy = SamplerOptions { temperature: 0.0, ..OPTIONS };
    let with = |bias: &[(u32, f32)], mask: Option<&[u32]>| {
        let mut memory = [0u8; 512];
        let mut arena = Arena::new(&mut memory);
        let options = SamplerOptions { bias, ..greedy };
        Sampler::new(options, 3, &mut arena)
            .map(|mut sampler| sampler.sample(&logits, mask).expect("scores are finite"))
    };
    assert_eq!(with(&[(2, 2.5)], None), Ok(2));
    assert_eq!(with(&[(0, nowhere)], None), Ok(1));
    assert_eq!(with(&[(0, nowhere), (1, -5.0)], None), Ok(2));
    assert_eq!(with(&[(0, nowhere), (1, nowhere), (2, nowhere)], None), Ok(0));
    assert_eq!(with(&[(1, nowhere), (2, nowhere)], Some(&[0b110])), Ok(1));
    assert_eq!(with(&[(0, f32::MAX), (0, f32::MAX)], None), Ok(0));
    assert_eq!(with(&[(3, 1.0)], None), Err(SamplerError::Bias { token: 3 }));
    assert_eq!(with(&[(1, f32::NAN)], None), Err(SamplerError::Bias { token: 1 }));
    assert_eq!(with(&[(1, f32::INFINITY)], None), Err(SamplerError::Bias { token: 1 }));
}

#[test]
fn numbers_out_of_range_are_errors() {
    let refused = |options: SamplerOptions<'_>| {
        let mut memory = [0u8; 4096];
        Sampler::new(options, 4, &mut Arena::new(&mut memory)).map(|_| ()).unwrap_err()
    };
    for bad in [-0.5, f32::NAN, f32::INFINITY] {
        let xtc = Xtc { probability: bad, ..OPTIONS.xtc };
        assert_eq!(refused(SamplerOptions { xtc, ..OPTIONS }), SamplerError::Xtc);
        let xtc = Xtc { threshold: bad, ..OPTIONS.xtc };
        assert_eq!(refused(SamplerOptions { xtc, ..OPTIONS }), SamplerError::Xtc);
        let refusal = refused(SamplerOptions { typical_p: bad, ..OPTIONS });
        assert_eq!(refusal, SamplerError::TypicalP);
        assert_eq!(refused(SamplerOptions { min_p: bad, ..OPTIONS }), SamplerError::MinP);
        let penalties = Penalties { repeat: bad, ..OPTIONS.penalties };
        assert_eq!(refused(SamplerOptions { penalties, ..OPTIONS }), SamplerError::Penalties);
        for dry in [Dry { multiplier: bad, ..OPTIONS.dry }, Dry { base: bad, ..OPTIONS.dry }] {
            assert_eq!(refused(SamplerOptions { dry, ..OPTIONS }), SamplerError::Dry);
        }
        let dynamic = DynamicTemperature { range: bad, exponent: 1.0 };
        let refusal = refused(SamplerOptions { dynamic, ..OPTIONS });
        assert_eq!(refusal, SamplerError::DynamicTemperature);
        let mirostat = Some(Mirostat { tau: bad, eta: 0.1 });
        assert_eq!(refused(SamplerOptions { mirostat, ..OPTIONS }), SamplerError::Mirostat);
    }
    // Bits for 64 tokens where there are 4.
    let dry = Dry { breakers: &[0, 0], ..OPTIONS.dry };
    assert_eq!(refused(SamplerOptions { dry, ..OPTIONS }), SamplerError::Dry);
}

proptest! {
    #[test]
    fn only_possible_tokens_are_drawn(
        logits in proptest::collection::vec(
            prop_oneof![4 => -30.0f32..30.0, 1 => Just(f32::NEG_INFINITY)], 1..50),
        temperature in 0.0f32..5.0,
        top_p in 0.001f32..=1.0,
        seed: u64,
    ) {
        prop_assume!(logits.iter().any(|score| score.is_finite()));
        let counts = histogram(SamplerOptions { temperature, top_p, seed, ..OPTIONS }, &logits, 20);
        for (count, score) in counts.iter().zip(&logits) {
            prop_assert!(*count == 0 || score.is_finite());
        }
    }

    #[test]
    fn nothing_outside_the_nucleus_is_drawn(
        logits in proptest::collection::vec(-5.0f32..5.0, 2..50),
        temperature in 0.1f32..50.0,
        top_p in 0.05f32..0.95,
        seed: u64,
    ) {
        // A token is outside when those better than it hold p already.
        let weight = |score: f32| libm::exp(f64::from(score));
        let total: f64 = logits.iter().map(|&score| weight(score)).sum();
        let counts = histogram(SamplerOptions { temperature, top_p, seed, ..OPTIONS }, &logits, 50);
        for (count, &score) in counts.iter().zip(&logits) {
            let better: f64 =
                logits.iter().filter(|&&other| other > score).map(|&other| weight(other)).sum();
            let outside = better > total * f64::from(top_p) * (1.0 + 1e-5);
            prop_assert!(*count == 0 || !outside);
        }
    }

    /// Every stage at once, on any scores: an allowed token comes out, and the same with the same
    /// seed.
    #[test]
    fn whatever_the_stages_an_allowed_token_is_chosen(
        logits in proptest::collection::vec(
            prop_oneof![8 => -30.0f32..30.0, 1 => Just(f32::NEG_INFINITY), 1 => Just(-3e38f32),
                1 => Just(3e38f32)], 2..80),
        mask: [u32; 3],
        repeat in prop_oneof![Just(1.0f32), 0.01f32..100.0, Just(f32::MAX), Just(1e-38f32)],
        presence in prop_oneof![Just(0.0f32), -3e38f32..3e38],
        base in 1.0f32..1e30,
        breaker: u32,
        temperature in 0.0f32..5.0,
        mirostat: bool,
        seed: u64,
    ) {
        prop_assume!(logits.iter().any(|score| score.is_finite()));
        let words = mask_words(logits.len());
        let mask = &mask[..words];
        let breakers = std::vec![breaker; words];
        let mirostat = mirostat.then_some(Mirostat { tau: 1.0, eta: 0.5 });
        let everything = everything(seed);
        let options = SamplerOptions {
            penalties: Penalties { repeat, presence, ..everything.penalties },
            dry: Dry { base, breakers: &breakers, ..everything.dry },
            temperature, mirostat, ..everything
        };
        let texts = [(); 2].map(|()| {
            let mut memory = std::vec![0u8; 4096];
            let mut arena = Arena::new(&mut memory);
            let mut sampler = Sampler::new(options, logits.len() as u32, &mut arena).unwrap();
            (0..30).map(|_| {
                let token = sampler.sample(&logits, Some(mask));
                token.iter().for_each(|&token| sampler.accept(token));
                token
            }).collect::<Vec<_>>()
        });
        prop_assert_eq!(&texts[0], &texts[1]);
        let any = allowed(mask, logits.len()).next().is_some();
        for token in &texts[0] {
            match token {
                Ok(token) => prop_assert!(allowed(mask, logits.len()).any(|id| id == *token)),
                Err(error) => prop_assert!(!any && *error == SampleError::NothingPossible),
            }
        }
    }
}

#[test]
fn a_sampler_that_restarts_is_as_good_as_new() {
    let logits: Vec<f32> = (0..50).map(|index| (index % 7) as f32).collect();
    let penalties = Penalties { last: 16, repeat: 1.3, frequency: 0.2, presence: 0.1 };
    for mirostat in [None, Some(Mirostat::default())] {
        let options = SamplerOptions { penalties, mirostat, ..OPTIONS };
        let mut memory = [0u8; 1 << 12];
        let mut sampler = Sampler::new(options, 50, &mut Arena::new(&mut memory)).unwrap();
        let mut text = |seed| -> Vec<u32> {
            sampler.restart(seed);
            let mut next = || {
                let token = sampler.sample(&logits, None).unwrap();
                sampler.accept(token);
                token
            };
            (0..30).map(|_| next()).collect()
        };
        let first = text(42);
        assert_ne!(text(43), first);
        assert_eq!(text(42), first);
    }
}
