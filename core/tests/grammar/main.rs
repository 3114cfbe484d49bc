//! Grammars: the automata, the masks, the closings.

mod common;
mod json;
mod masks;
mod vocabulary;
