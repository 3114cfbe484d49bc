//! How long drafts should be, by what they have cost and brought.
//!
//! The text does not depend on it, so that a clock may decide.

use super::MAX_DRAFT;

/// Passes with a draft before they are judged.
const TRIAL_PASSES: u32 = 4;

/// Passes without drafts after a bad trial; twice as many after each further one.
const FIRST_PAUSE: u32 = 8;
const LONGEST_PAUSE: u32 = 256;

/// Weight of the past in the running means: the last 8 passes or so count.
const KEPT: f64 = 0.875;

/// What a trial has brought must take less than this of the time that plain passes take.
const WORTH_IT: f64 = 0.97;

/// The state of the trial.
#[derive(Debug)]
pub(super) struct Pace {
    /// A running mean of passes of one row; 0 before the first.
    plain_ns: f64,
    /// Running sums over passes with a draft.
    drafted_ns: f64,
    drafted_tokens: f64,
    trial_passes: u32,
    length: usize,
    /// Passes for which there is no draft.
    paused: u32,
    next_pause: u32,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            plain_ns: 0.0,
            drafted_ns: 0.0,
            drafted_tokens: 0.0,
            trial_passes: 0,
            length: 3,
            paused: 0,
            next_pause: FIRST_PAUSE,
        }
    }

    /// Most tokens that the next draft should have. The first pass shows what one without costs.
    pub(super) fn draft_tokens(&self) -> usize {
        if self.plain_ns == 0.0 || self.paused > 0 { 0 } else { self.length }
    }

    /// A pass with so many drafted tokens, some of which came, took so long.
    pub(super) fn note(&mut self, drafted: usize, accepted: usize, duration_ns: u64) {
        let duration_ns = duration_ns as f64;
        if drafted == 0 {
            self.paused = self.paused.saturating_sub(1);
            self.plain_ns = match self.plain_ns {
                0.0 => duration_ns.max(1.0),
                mean => mean * KEPT + duration_ns * (1.0 - KEPT),
            };
            return;
        }
        self.drafted_ns = self.drafted_ns * KEPT + duration_ns;
        self.drafted_tokens = self.drafted_tokens * KEPT + (accepted + 1) as f64;
        self.trial_passes += 1;
        self.length =
            if accepted == drafted { (2 * self.length).min(MAX_DRAFT) } else { accepted.max(1) };
        if self.trial_passes < TRIAL_PASSES {
            return;
        }
        if self.drafted_ns < self.drafted_tokens * self.plain_ns * WORTH_IT {
            self.next_pause = FIRST_PAUSE;
        } else {
            self.paused = self.next_pause;
            self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
            (self.drafted_ns, self.drafted_tokens, self.trial_passes) = (0.0, 0.0, 0);
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
    }
}
