//! Files that lie: each kind of malformed GGUF header, its exact verdict and the byte it names.
//!
//! The cases follow published vulnerabilities of GGUF readers and ggml's own `test-gguf.cpp`,
//! whose verdicts they share. No test depends on the width of a pointer.

mod header;
mod metadata;
mod mutation;
mod tensors;
mod values;
mod writer;
