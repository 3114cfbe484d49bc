//! Why a grammar is refused.

use core::fmt;

/// What is wrong with a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrammarErrorKind {
    /// The memory lent is too small.
    Memory {
        /// Bytes that are needed to get past this point.
        needed_bytes: u64,
    },
    /// The source is not what its format asks for.
    Syntax(&'static str),
    /// A part of the format that is not supported, by name where it has one in the source.
    Unsupported(&'static str),
    /// A rule that is used and not defined.
    UnknownRule,
    /// A rule that begins with itself: no automaton gets past it.
    LeftRecursion,
    /// Groups nested too deeply.
    TooDeep,
    /// The rules depend on each other in a way that takes too long to resolve.
    TooComplex,
    /// No text matches.
    MatchesNothing,
    /// The tokens of the vocabulary cannot spell a text that matches.
    CannotBeSpelled,
}

/// Why a grammar is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// What is wrong.
    pub kind: GrammarErrorKind,
    /// Where in the source, in bytes; 0 where it is the whole that is wrong.
    pub offset: u32,
    /// Bytes of the source that are meant.
    pub length: u32,
}

impl GrammarError {
    pub(super) const fn new(kind: GrammarErrorKind, offset: usize, length: usize) -> Self {
        Self { kind, offset: offset as u32, length: length as u32 }
    }

    pub(super) const fn whole(kind: GrammarErrorKind) -> Self {
        Self::new(kind, 0, 0)
    }

    /// The part of `source` that is meant.
    pub fn part<'s>(&self, source: &'s [u8]) -> &'s [u8] {
        let start = self.offset as usize;
        source.get(start..start.saturating_add(self.length as usize)).unwrap_or_default()
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            GrammarErrorKind::Memory { needed_bytes } => {
                return write!(f, "the grammar needs {needed_bytes} bytes of memory or more");
            }
            GrammarErrorKind::Syntax(what) => write!(f, "{what}")?,
            GrammarErrorKind::Unsupported(what) => write!(f, "{what} is not supported")?,
            GrammarErrorKind::UnknownRule => f.write_str("no such rule")?,
            GrammarErrorKind::LeftRecursion => f.write_str("left recursion")?,
            GrammarErrorKind::TooDeep => f.write_str("nested too deeply")?,
            GrammarErrorKind::TooComplex => return f.write_str("the grammar is too complex"),
            GrammarErrorKind::MatchesNothing => return f.write_str("the grammar matches nothing"),
            GrammarErrorKind::CannotBeSpelled => {
                return f.write_str("the model's tokens cannot spell what the grammar asks for");
            }
        }
        write!(f, " (at byte {})", self.offset)
    }
}

impl core::error::Error for GrammarError {}
