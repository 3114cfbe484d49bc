//! NVFP4: blocks of 64 weights of 4 bits, read as parts of 16, each with a scale of its own.
//!
//! A file may give a tensor one more factor, in a tensor of its own: that is the loader's to apply.
//! After ggml's `block_nvfp4`.

use super::TensorType;
use super::block::{BlockFormat, GROUP_ELEMENTS, Size, assert_exact, block_formats, part_elements};
use super::blocks32::FP4;
use super::layout::{BlockLayout, Plane};
use super::scales::Factor;

block_formats! {
    /// 4 bits, a small float as scale for every 16: NVIDIA's FP4.
    NVFP4 = BlockLayout {
        factor: Factor::Small,
        low: Plane { at: 4, bits: 4, run: 8 },
        code: FP4,
        ..BlockLayout::PLAIN
    };
}
