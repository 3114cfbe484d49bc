//! Models that lie: sound GGUF files whose keys, tensors or vocabulary cannot be run, each with its
//! exact verdict. What the parser refuses is tested in `malformed`.
//!
//! All cases are one change to a model of two layers that loads and runs ([`tiny::Tiny`]).

mod fused;
mod gemma4;
mod keys;
mod memory;
mod pooling;
mod recurrent;
mod shared;
mod skipped;
mod tensors;
mod tiny;
mod vocabulary;
#[allow(dead_code)] // The parser's tests need all of it.
#[path = "../malformed/writer.rs"]
mod writer;
