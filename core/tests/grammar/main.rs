//! Grammars: the automata, the masks, the closings.

mod common;
mod cpp;
mod gbnf;
mod json;
mod json_text;
mod masks;
mod members;
mod narrow;
mod schema;
mod schema_hostile;
mod schema_random;
mod schema_suite;
mod schema_tokens;
mod schema_world;
mod unique;
mod vocabulary;
