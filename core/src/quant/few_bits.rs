//! Formats of one or two bits, or of three values, with a scale for a whole block: Q1_0, Q2_0,
//! TQ1_0 and TQ2_0.
//!
//! The blocks of Q1_0 and Q2_0, 128 and 64 weights, are read as parts of 32 that have their scale
//! in common. After ggml's `block_q1_0` and its kin.

use super::TensorType;
use super::block::{BlockFormat, GROUP_ELEMENTS, Size, assert_exact, block_formats, part_elements};
use super::layout::{BlockLayout, Code, Plane};

block_formats! {
    /// A bit: `d` where it is set, `-d` where not.
    Q1_0 = BlockLayout {
        low: Plane { at: 2, bits: 1, run: 1 },
        code: Code::Sign,
        ..BlockLayout::PLAIN
    };
    /// 2 bits: `d * (q - 1)`.
    Q2_0 = BlockLayout {
        low: Plane { at: 2, bits: 2, run: 1 },
        code: Code::Unsigned(1),
        ..BlockLayout::PLAIN
    };
    /// Five digits of base 3 in a byte: `d * (q - 1)`.
    TQ1_0 = BlockLayout { scale: 52, code: Code::Ternary, ..BlockLayout::PLAIN };
    /// 2 bits: `d * (q - 1)`. ggml writes no 3, but a file may hold it.
    TQ2_0 = BlockLayout {
        scale: 64,
        low: Plane { at: 0, bits: 2, run: 32 },
        code: Code::Unsigned(1),
        ..BlockLayout::PLAIN
    };
}
