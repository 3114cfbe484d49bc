//! Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL: blocks of 32 weights with an f16 scale and perhaps an f16
//! minimum; MXFP4, whose scale is an exponent.
//!
//! Byte `i` of the 16 bytes of nibbles holds weight `i` in its low and weight `i + 16` in its high
//! half; bit `i` of the little-endian word of high bits is bit 4 of weight `i`. After ggml's
//! `block_q4_0` and its kin.

use super::TensorType;
use super::block::{BlockFormat, GROUP_ELEMENTS, Size, assert_exact, block_formats, part_elements};
use super::layout::{BlockLayout, Code, Minimum, Plane};
use super::scales::Factor;

/// Nibbles from byte `at` on.
const fn nibbles(at: usize) -> Plane {
    Plane { at, bits: 4, run: 16 }
}

/// A word of bits at byte `at`.
const fn word(at: usize) -> Option<Plane> {
    Some(Plane { at, bits: 1, run: 1 })
}

/// The numbers of IQ4_NL and IQ4_XS: ggml's `kvalues_iq4nl`.
pub(super) const NON_LINEAR: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Twice the numbers of the standard's FP4, E2M1 (ggml's `kvalues_mxfp4`), plus 12: products with
/// numbers that have no sign take fewer instructions.
pub(super) const FP4: Code =
    Code::Codebook(&[12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0], 12);

block_formats! {
    /// 4 bits, f16 scale: `d * (q - 8)`.
    Q4_0 = BlockLayout { low: nibbles(2), code: Code::Unsigned(8), ..BlockLayout::PLAIN };
    /// 4 bits, f16 scale and minimum: `d * q + m`.
    Q4_1 = BlockLayout { minimum: Minimum::Added(2), low: nibbles(4), ..BlockLayout::PLAIN };
    /// 5 bits, f16 scale: `d * (q - 16)`.
    Q5_0 = BlockLayout {
        low: nibbles(6),
        high: word(2),
        code: Code::Unsigned(16),
        ..BlockLayout::PLAIN
    };
    /// 5 bits, f16 scale and minimum: `d * q + m`.
    Q5_1 = BlockLayout {
        minimum: Minimum::Added(2),
        low: nibbles(8),
        high: word(4),
        ..BlockLayout::PLAIN
    };
    /// 8 bits, f16 scale: `d * q`. ggml writes no -128, but a file may hold it.
    Q8_0 = BlockLayout {
        low: Plane { at: 2, bits: 8, run: 32 },
        code: Code::Signed,
        ..BlockLayout::PLAIN
    };
    /// 4 bits, f16 scale: `d` times a number of a table.
    IQ4_NL = BlockLayout {
        low: nibbles(2),
        code: Code::Codebook(&NON_LINEAR, 0),
        ..BlockLayout::PLAIN
    };
    /// 4 bits, a power of 2 as scale: OCP's microscaling FP4.
    MXFP4 = BlockLayout {
        factor: Factor::Exponent,
        low: nibbles(1),
        code: FP4,
        ..BlockLayout::PLAIN
    };
}
