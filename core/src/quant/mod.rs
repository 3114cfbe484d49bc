//! Layer 2: weight formats, a file per family: block layout and scalar meaning.
//!
//! This is the oracle: what a block *means* is written once here, plainly, and every kernel of
//! every instruction set is tested against it. Layouts follow ggml (`ggml-common.h`); values are
//! bit for bit those of gguf-py's `dequantize`.
//!
//! - [`float`](mod@float): F32, F16, BF16, one number after the other;
//! - [`layout`]: where the bits of a block lie, as data;
//! - [`block`]: what all block formats share: the [`BlockFormat`] trait, the meaning of a weight
//!   and the one spelling of a block's part in a dot product;
//! - [`scales`], [`grid`]: how scales are written, and quants that are not in planes;
//! - [`blocks32`]: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, MXFP4;
//! - [`k_quants`]: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K;
//! - [`i_quants`]: IQ4_XS and the grid types, IQ1_S to IQ3_XXS;
//! - [`few_bits`]: Q1_0, Q2_0, TQ1_0, TQ2_0;
//! - [`nvfp4`]: NVFP4, which has a scale for every 16;
//! - [`activations`]: f32 rows to int8, for dot products with the block formats;
//! - [`kv`]: f32 heads to what the KV cache stores.

pub mod activations;
pub mod block;
pub mod blocks32;
pub mod few_bits;
pub mod float;
pub mod grid;
pub mod i_quants;
pub mod k_quants;
pub mod kv;
pub mod layout;
pub mod nvfp4;
mod points;
pub mod scales;
pub(crate) mod ternary;
mod types;

pub use block::{Block, BlockFormat, GROUP_ELEMENTS};
pub use blocks32::*;
pub use few_bits::*;
pub use float::{BF16, F16, F32};
pub use i_quants::*;
pub use k_quants::*;
pub use kv::KvType;
pub use layout::BlockLayout;
pub use nvfp4::*;
pub use types::TensorType;
