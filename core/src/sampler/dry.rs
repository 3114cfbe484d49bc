//! DRY: a penalty on going on as a passage that has come lately (p-e-w, "DRY: A modern repetition
//! penalty that reliably prevents looping", 2024).
//!
//! Where the last n tokens of the text have stood before, the token that came next there would make
//! the repetition n + 1 tokens long. How long the match is that ends at each earlier place is the
//! Z array of the text read backwards (Gusfield, "Algorithms on strings, trees, and sequences",
//! 1997, section 1.4), which takes linear time.

use super::history::History;
use super::mask::allows;
use super::options::Dry;
use super::penalties::set;

/// Takes the penalty off the score of every token that would extend a repetition.
///
/// `matches` has a place for every token that is searched, `longest` one for every token of the
/// vocabulary.
pub(super) fn penalize(
    scores: &mut [f32],
    history: &History<'_>,
    dry: &Dry<'_>,
    matches: &mut [u32],
    longest: &mut [u32],
) {
    let last = history.len().min(dry.last as usize);
    let allowed = dry.allowed_length as usize;
    let is_breaker = |token| {
        dry.breakers.get(token as usize / 32).is_some_and(|_| allows(Some(dry.breakers), token))
    };
    // A repetition begins after the last breaker at the earliest.
    let limit = (0..last).find(|&back| is_breaker(history.nth_last(back))).unwrap_or(last);
    if last <= allowed || limit < allowed {
        return;
    }
    let matches = &mut matches[..last];
    match_lengths(history, matches);
    let extending = || {
        let long = |back: &usize| matches[*back] as usize >= allowed;
        (1..last).filter(long).map(|back| (history.nth_last(back - 1), matches[back]))
    };
    extending().for_each(|(token, _)| longest[token as usize] = 0);
    for (token, length) in extending() {
        let longest = &mut longest[token as usize];
        *longest = length.min(limit as u32).max(*longest);
    }
    for (token, _) in extending() {
        // Taken, so that a token that could extend several passages is penalised once. A match of
        // length 0, where that is not allowed either, is marked as done by the largest length.
        let length = core::mem::replace(&mut longest[token as usize], u32::MAX);
        if length == u32::MAX || is_breaker(token) {
            continue;
        }
        let score = &mut scores[token as usize];
        set(score, *score - penalty(dry, length - dry.allowed_length));
    }
}

/// The multiplier times base^`excess`, the power kept finite.
fn penalty(dry: &Dry<'_>, excess: u32) -> f32 {
    dry.multiplier * libm::powf(dry.base, excess as f32).min(f32::MAX)
}

/// For every place `back` before the last token: how many tokens up to there equal the last ones.
fn match_lengths(history: &History<'_>, matches: &mut [u32]) {
    let last = matches.len();
    // The match that reaches furthest back: where it begins and the place behind it.
    let (mut begin, mut end) = (0, 0);
    for back in 1..last {
        // Inside a match, the text is as it was that much nearer to its end.
        let known = if back < end { (matches[back - begin] as usize).min(end - back) } else { 0 };
        let mut length = known;
        while back + length < last && history.nth_last(length) == history.nth_last(back + length) {
            length += 1;
        }
        matches[back] = length as u32;
        if back + length > end {
            (begin, end) = (back, back + length);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn match_lengths_are_what_comparing_finds(
            tokens in proptest::collection::vec(0u32..3, 1..60),
        ) {
            let mut ring = std::vec![0; tokens.len()];
            let mut history = History::new(&mut ring);
            tokens.iter().for_each(|&token| history.push(token));
            let mut matches = std::vec![0; tokens.len()];
            match_lengths(&history, &mut matches);
            for back in 1..tokens.len() {
                let older = tokens[..tokens.len() - back].iter().rev();
                let same = older.zip(tokens.iter().rev()).take_while(|(a, b)| a == b).count();
                prop_assert_eq!(matches[back] as usize, same, "{}", back);
            }
        }
    }
}
