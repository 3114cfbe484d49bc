//! Whole models against llama.cpp's logits, and against themselves: every batch, thread count,
//! stripe length and source must give the same bits.
//!
//! The models are those of `core/tests/data`, or of the folder that `PICOLM_FIXTURES` names; their
//! bounds are explained in `core/tests/data/README.md`.

mod against_llama_cpp;
mod against_ourselves;
mod conversation;
mod engine;
mod experts;
#[allow(dead_code)] // The tests of the prompt cache need all of it.
#[path = "../prompt_cache/file.rs"]
mod file;
mod speculation;
