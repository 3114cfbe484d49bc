//! The stages that change scores: bias, and penalties on tokens that have come lately.

use super::history::History;
use super::options::Penalties;

/// Sets a score: what is no number counts as impossible, and no score is infinite.
pub(super) fn set(score: &mut f32, value: f32) {
    *score = if value.is_nan() { f32::NEG_INFINITY } else { value.min(f32::MAX) };
}

/// Adds to each token's score what `bias` says.
pub(super) fn add_bias(scores: &mut [f32], bias: &[(u32, f32)]) {
    for &(token, amount) in bias {
        let score = &mut scores[token as usize];
        set(score, *score + amount);
    }
}

/// Takes the penalties off the scores of the tokens in `history`; `counts` has a place for every
/// token.
pub(super) fn penalize(
    scores: &mut [f32],
    history: &History<'_>,
    penalties: &Penalties,
    counts: &mut [u32],
) {
    let last = history.len().min(penalties.last as usize);
    let tokens = || (0..last).map(|back| history.nth_last(back));
    tokens().for_each(|token| counts[token as usize] = 0);
    tokens().for_each(|token| counts[token as usize] += 1);
    for token in tokens() {
        // The first time that a token is met, the penalty is for all times.
        let count = core::mem::take(&mut counts[token as usize]);
        if count == 0 {
            continue;
        }
        let score = &mut scores[token as usize];
        let repeated =
            if *score <= 0.0 { *score * penalties.repeat } else { *score / penalties.repeat };
        let taken = count as f32 * penalties.frequency + penalties.presence;
        set(score, repeated - taken);
    }
}
