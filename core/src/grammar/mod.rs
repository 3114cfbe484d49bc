//! Layer 6: what a text may be: JSON, a JSON Schema, a GBNF grammar.
//!
//! # From source to bits
//!
//! A front end ([`json`], [`fn@schema`], [`fn@gbnf`]) turns its source into rules: trees of
//! byte ranges,
//! sequences, alternatives, repetitions and calls of other rules. Compiling makes of each
//! rule a deterministic automaton over bytes whose edges are byte ranges or calls, by subset
//! construction, and lays all of them out as `u32` words in memory of the caller: offsets, no
//! pointers. Repetitions with large counts stay calls that count, so that `{0,1000}` costs no more
//! memory than `{0,9}`.
//!
//! [`Matcher`] is a text in progress: a set of stacks of return addresses, of a fixed size whatever
//! the text. A rule is deterministic by itself, so that a set has more than one stack only where a
//! call and what follows it may begin alike. Depth is at most [`MAX_DEPTH`] calls, a set at most
//! [`MAX_STACKS`] stacks: what would exceed either is not allowed, and never an error.
//!
//! Members of an object that come in any order are one rule: which of them have come is a set of
//! bits in the frame of its call, as the count of a repetition is. What closes the object is then
//! the sum of what closes each member that must still come. Items that must all be different are
//! kept as they are written, as many as fit the matcher.
//!
//! [`Constraint`] joins a matcher with a vocabulary: [`TokenBytes`] gives each token's bytes,
//! [`Trie`] holds them as a tree, and one walk over tree and automaton together says which tokens
//! may follow, as a bit each. Masks that were walked are kept by what the walk has looked at.
//!
//! # Always complete
//!
//! Every state knows its closing: the fewest bytes that end its rule, found as shortest paths are,
//! and along them the fewest tokens, found from the end backwards. Both add up over a stack. A
//! token is allowed only where what follows it can still be closed with the tokens that are left
//! after it, so a closing never gets out of reach; the start is an error where even it is too long.
//! The count is a bound from above: tokens that join two rules (`"}}`) are not counted on. As a
//! last resort, where a set of stacks was cut short and nothing else is left, the closing itself is
//! followed.
//!
//! # JSON without a compiler
//!
//! [`JsonConstraint`] is the constraint that most programs want, to JSON, written by hand for those
//! that count their bytes: [`JsonText`] is its automaton. Both say what [`json::compact`] and
//! [`Constraint`] say, bit for bit, which `core/tests/grammar/json_text.rs` shows.
//!
//! # Errors
//!
//! A source that cannot be compiled as it is meant fails before the first token, with the offset of
//! what is wrong: nothing is ignored, nothing is allowed instead.

#[deny(clippy::indexing_slicing)]
mod ast;
#[deny(clippy::indexing_slicing)]
mod automaton;
#[deny(clippy::indexing_slicing)]
mod cache;
#[deny(clippy::indexing_slicing)]
mod closing;
#[deny(clippy::indexing_slicing)]
mod compile;
#[deny(clippy::indexing_slicing)]
mod constraint;
mod error;
#[deny(clippy::indexing_slicing)]
mod exits;
#[deny(clippy::indexing_slicing)]
mod gbnf;
#[deny(clippy::indexing_slicing)]
mod graph;
pub mod json;
#[deny(clippy::indexing_slicing)]
mod json_constraint;
#[deny(clippy::indexing_slicing)]
mod json_text;
#[deny(clippy::indexing_slicing)]
mod keys;
#[deny(clippy::indexing_slicing)]
mod loops;
#[deny(clippy::indexing_slicing)]
mod margin;
#[deny(clippy::indexing_slicing)]
mod matcher;
#[deny(clippy::indexing_slicing)]
mod narrow;
#[deny(clippy::indexing_slicing)]
mod nfa;
#[deny(clippy::indexing_slicing)]
mod run;
#[deny(clippy::indexing_slicing)]
mod schema;
#[deny(clippy::indexing_slicing)]
mod sets;
#[deny(clippy::indexing_slicing)]
mod space;
#[deny(clippy::indexing_slicing)]
mod spelling;
#[deny(clippy::indexing_slicing)]
mod subset;
#[deny(clippy::indexing_slicing)]
mod trie;
#[deny(clippy::indexing_slicing)]
mod unique;
#[deny(clippy::indexing_slicing)]
mod utf8;
#[deny(clippy::indexing_slicing)]
mod walk;
#[deny(clippy::indexing_slicing)]
mod ways;
#[deny(clippy::indexing_slicing)]
mod work;

pub use automaton::{Automaton, MAX_DEPTH};
pub use compile::Grammar;
pub use constraint::{Allowed, Constrain, Constraint, Effort};
pub use error::{GrammarError, GrammarErrorKind};
pub use gbnf::gbnf;
pub use json_constraint::JsonConstraint;
pub use json_text::{JsonText, MAX_JSON_DEPTH};
pub use matcher::{MAX_STACKS, Matcher};
pub use narrow::FirstToken;
pub use schema::{Note, NoteKind, Notes, Reading, SchemaOptions, schema, schema_as, schema_with};
pub use trie::{SortedTokens, TokenBytes, Trie};
