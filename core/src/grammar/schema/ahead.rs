//! What an expression looks ahead for in its middle, where that is one character: `-(?=[a-z])`.
//!
//! The character is also the first of what follows: the state that looks ahead becomes a fork to
//! what follows, each with the characters that both allow. What is ahead of the whole expression
//! are expressions of their own ([`super::regex::split_lookaheads`]).

use super::super::ast::Builder;
use super::super::error::{GrammarError, GrammarErrorKind};
use super::regex::{MAX_CODE_POINT, Ranges, State};
use super::text::Texts;
use super::too_complex;
use super::value::Text;

impl Texts {
    /// Replaces the states that look ahead, from `begin` on, which are those of `pattern`.
    pub(super) fn resolve_lookaheads(
        &mut self,
        builder: &mut Builder<'_>,
        begin: u32,
        pattern: Text<'_>,
    ) -> Result<(), GrammarError> {
        if !self.regex.looks_ahead {
            return Ok(());
        }
        let what = "a pattern that looks ahead before ^ or around what may be empty";
        let unsupported = pattern.error(GrammarErrorKind::Unsupported(what));
        // Where one follows another, the later one is a fork by then.
        for state in (begin..self.regex.len()).rev() {
            let State::Ahead { class, target, at_end } = self.regex.get(builder, state) else {
                continue;
            };
            self.regex.charge(self.regex.len() as usize)?;
            let follows = self.waiting(builder, target, false)?;
            // The start of the text is no character.
            if self.waiting(builder, target, true)?.len() != follows.len() {
                return Err(unsupported);
            }
            self.regex.join(builder, state, [None; 2]);
            let mut fork = state;
            for after in follows {
                match self.regex.get(builder, after) {
                    // In a loop of what may be empty: nothing is new the second time.
                    _ if after == state => {}
                    State::Ahead { .. } => return Err(unsupported),
                    State::End(_) if at_end => fork = self.regex.fork(builder, fork, after)?,
                    State::End(_) => {}
                    State::Match if at_end => {
                        let end = self.regex.state(builder)?;
                        self.regex.set(builder, end, State::End(after));
                        fork = self.regex.fork(builder, fork, end)?;
                        fork = self.fork_to_both(builder, fork, (class, after))?;
                    }
                    _ => fork = self.fork_to_both(builder, fork, (class, after))?,
                }
            }
        }
        Ok(())
    }

    /// A way for the characters of a class that a state waits for, too; what has matched waits for
    /// any, and stays matched.
    fn fork_to_both(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        (class, after): (u32, u32),
    ) -> Result<u32, GrammarError> {
        let is_match = self.regex.get(builder, after) == State::Match;
        let any = is_match.then_some((0, MAX_CODE_POINT, after));
        let (mut ranges, mut target) = (Ranges::new(), after);
        for (low, high, _) in self.regex.ranges(builder, class) {
            for (first, last, to) in any.into_iter().chain(self.regex.ranges(builder, after)) {
                let (low, high) = (low.max(first), high.min(last));
                if low <= high {
                    ranges.push((low, high)).map_err(|_| too_complex())?;
                    target = to;
                }
            }
        }
        let both = self.regex.class(builder, &ranges, target)?;
        self.regex.fork(builder, from, both)
    }
}
