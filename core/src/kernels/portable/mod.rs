//! Kernels in plain Rust for every target: the oracle that all others equal bit for bit.

mod vector;

pub use vector::VECTOR;
