//! Texts that go on where an earlier process stopped, or where the context was full: always the
//! bits of a fresh run over the same tokens, whatever happened to the file between.
//!
//! Models are those of `core/tests/data` (or of the folder that `PICOLM_FIXTURES` names), and the
//! tiny one of `malformed_model` where every byte of a file is tried.

#[allow(dead_code)] // The reference tests need all of it.
#[path = "../reference/engine.rs"]
mod engine;
mod file;
mod hostile;
mod reuse;
mod shift;
mod steps;
#[allow(dead_code)] // The tests of malformed models need all of it.
#[path = "../malformed_model/tiny.rs"]
mod tiny;
#[allow(dead_code)] // The parser's tests need all of it.
#[path = "../malformed/writer.rs"]
mod writer;
