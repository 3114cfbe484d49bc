//! PicoLM's engine: language models in `no_std`, without `alloc`, on memory and threads of the
//! caller.
//!
//! The modules below are the layers, lowest first; each imports only from layers above it in this
//! list, and those of layer 6 never from each other (`ci/tidy` checks it):
//!
//! | layer | module | what it is |
//! |---|---|---|
//! | 0 | [`bytes`] | checked little-endian reading and size arithmetic |
//! | 0 | [`num`] | half precision, exp, roots: the same bits everywhere |
//! | 1 | [`port`] | what a platform gives: weights, threads, CPU features, clock |
//! | 1 | [`mem`] | what memory is taken from, arena and plan; disjoint writers |
//! | 2 | [`quant`] | weight formats: block layouts as data, and their scalar meaning |
//! | 3 | [`gguf`] | the model file: a borrowed, bounds-checked parse |
//! | 4 | [`kernels`] | matmul of each format on each instruction set, and float vectors |
//! | 5 | [`ops`] | matmul over stripes, norm, RoPE, attention |
//! | 5 | [`text`] | pieces of text on their way to the tokenizer |
//! | 6 | [`model`] | configuration, tensors, KV cache, the forward pass, families |
//! | 6 | [`tokenizer`] | text to tokens and back: SentencePiece and byte-level BPE |
//! | 6 | [`grammar`] | what a text may be: JSON, JSON Schema, GBNF |
//! | 6 | [`sampler`] | random numbers, choosing the next token |
//! | 6 | [`chat`] | prompt templates: conversations to text |
//! | 7 | [`session`] | an engine and its texts in progress: prefill, and decoding as a value |
//! | 8 | [`error`] | every error in one type, with numbers that never change |
#![no_std]

pub mod bytes;
pub mod chat;
pub mod error;
pub mod gguf;
pub mod grammar;
pub mod kernels;
pub mod mem;
pub mod model;
pub mod num;
pub mod ops;
pub mod port;
pub mod quant;
pub mod sampler;
pub mod session;
pub mod text;
pub mod tokenizer;
