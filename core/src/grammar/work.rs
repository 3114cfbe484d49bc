//! What compiling may cost: a grammar that takes too long is refused.

use super::error::{GrammarError, GrammarErrorKind};

/// Looks at a value, a tree, a state or an edge in all steps of one compilation; beyond this a
/// grammar is refused. A second's worth: each takes 3 to 15 ns.
const MAX_WORK: u64 = 40_000_000;

/// Counts work against [`MAX_WORK`].
pub(super) struct Work(u64);

impl Work {
    pub(super) const fn new() -> Self {
        Self(MAX_WORK)
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), GrammarError> {
        self.0 =
            self.0.checked_sub(steps).ok_or(GrammarError::whole(GrammarErrorKind::TooComplex))?;
        Ok(())
    }
}
