//! How long drafts should be, by what they have cost and brought.
//!
//! The text does not depend on it, so that a clock may decide.

use super::MAX_DRAFT;

/// Passes with a draft before they are judged, and the tokens of the first of these drafts, which
/// shows what one costs.
const TRIAL_PASSES: u32 = 4;
const TRIAL_TOKENS: usize = 2;

/// What counts as experience as long as there is little, in tokens that could have come and those
/// that did: drafts are good until they have shown otherwise.
const EXPECTED_TRIED: f64 = 2.0;
const EXPECTED_CAME: f64 = 0.7 * EXPECTED_TRIED;

/// Passes without drafts after a bad trial; twice as many after each further one.
const FIRST_PAUSE: u32 = 8;
const LONGEST_PAUSE: u32 = 256;

/// Weight of the past in the running means: the last 8 passes or so count.
const KEPT: f64 = 0.875;

/// Drafts must promise more than this many times the speed of plain passes.
const WORTH_IT: f64 = 1.03;

/// What passes cost and what drafts bring.
#[derive(Debug)]
pub(super) struct Pace {
    /// A running mean of passes of one row; 0 before the first.
    plain_ns: f64,
    /// A running mean of what a drafted token adds: its row, and its drafting.
    drafted_ns: f64,
    /// Running sums of drafted tokens that came, and of those that could have: all up to the first
    /// that did not.
    came: f64,
    tried: f64,
    trial_passes: u32,
    /// Passes for which there is no draft.
    paused: u32,
    next_pause: u32,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            plain_ns: 0.0,
            drafted_ns: 0.0,
            came: 0.0,
            tried: 0.0,
            trial_passes: 0,
            paused: 0,
            next_pause: FIRST_PAUSE,
        }
    }

    /// Most tokens that the next draft should have. The first pass shows what one without costs.
    pub(super) fn draft_tokens(&self) -> usize {
        if self.plain_ns == 0.0 || self.paused > 0 {
            0
        } else if self.trial_passes == 0 {
            TRIAL_TOKENS
        } else {
            self.best().0
        }
    }

    /// The length of drafts that promises most, and how many times faster than plain passes it is.
    ///
    /// Where each token comes with probability p, so do n in a row with p^n: a pass brings
    /// 1 + p + p^2 + ... tokens.
    fn best(&self) -> (usize, f64) {
        let probability = if self.trial_passes < TRIAL_PASSES {
            (self.came + EXPECTED_CAME) / (self.tried + EXPECTED_TRIED)
        } else {
            self.came / self.tried
        };
        let (mut best, mut tokens, mut in_a_row) = ((0, 0.0), 1.0, 1.0);
        for length in 1..=MAX_DRAFT {
            in_a_row *= probability;
            tokens += in_a_row;
            let gain = tokens * self.plain_ns / (self.plain_ns + length as f64 * self.drafted_ns);
            if gain > best.1 {
                best = (length, gain);
            }
        }
        best
    }

    /// A pass with so many drafted tokens, some of which came, took so long.
    pub(super) fn note(&mut self, drafted: usize, accepted: usize, duration_ns: u64) {
        let duration_ns = duration_ns as f64;
        let mean = |past: f64, new: f64| past * KEPT + new * (1.0 - KEPT);
        if drafted == 0 {
            self.paused = self.paused.saturating_sub(1);
            self.plain_ns = match self.plain_ns {
                0.0 => duration_ns.max(1.0),
                past => mean(past, duration_ns),
            };
            return;
        }
        let added_ns = (duration_ns - self.plain_ns).max(0.0) / drafted as f64;
        self.drafted_ns =
            if self.trial_passes == 0 { added_ns } else { mean(self.drafted_ns, added_ns) };
        self.came = self.came * KEPT + accepted as f64;
        self.tried = self.tried * KEPT + (accepted + usize::from(accepted < drafted)) as f64;
        self.trial_passes = self.trial_passes.saturating_add(1);
        if self.trial_passes < TRIAL_PASSES {
            return;
        }
        if self.best().1 > WORTH_IT {
            self.next_pause = FIRST_PAUSE;
        } else {
            self.paused = self.next_pause;
            self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
            (self.came, self.tried, self.trial_passes) = (0.0, 0.0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time of `passes` passes as a share of that of plain ones for the same tokens, where `share`
    /// tokens of each draft come and a row more costs `row_ns` to a pass of 1000.
    fn cost(passes: u32, accepted: impl Fn(usize) -> usize, row_ns: u64) -> f64 {
        let mut pace = Pace::new();
        let (mut tokens, mut time_ns) = (0, 0);
        for _ in 0..passes {
            let drafted = pace.draft_tokens();
            let accepted = accepted(drafted);
            let duration_ns = 1000 + row_ns * drafted as u64;
            pace.note(drafted, accepted, duration_ns);
            tokens += accepted + 1;
            time_ns += duration_ns;
        }
        time_ns as f64 / (1000 * tokens) as f64
    }

    #[test]
    fn drafts_are_made_while_they_are_worth_it() {
        // All come: 8 tokens a pass of 1.7 times the time.
        assert!(cost(100, |drafted| drafted, 100) < 0.25);
        // None comes: little is lost.
        assert!(cost(1000, |_| 0, 100) < 1.01);
        // All come, and each costs as much as a pass: nothing is won, and next to nothing lost.
        assert!(cost(1000, |drafted| drafted, 1000) < 1.02);
        // One comes.
        assert!(cost(1000, |drafted| drafted.min(1), 200) < 0.75);
        // Rows cost nothing: drafts are long from the second on.
        assert!(cost(12, |drafted| drafted, 0) < 0.16);
    }
}
