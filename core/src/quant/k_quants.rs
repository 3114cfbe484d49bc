//! Q2_K to Q6_K: blocks of 256 weights in groups of 16 or 32 with small integer scales.
//!
//! After ggml's `block_q2_K` and its kin. The bits of a weight are spread over planes, whose runs
//! are 32 bytes (Q6_K's nibbles: 64).

use super::TensorType;
use super::block::{BlockFormat, GROUP_ELEMENTS, Size, assert_exact, block_formats, part_elements};
use super::layout::{BlockLayout, Code, Minimum, Plane};
use super::scales::Scales;

/// `bits` bits of each weight in runs of 32 bytes, from byte `at` on.
const fn plane(at: usize, bits: usize) -> Plane {
    Plane { at, bits, run: 32 }
}

block_formats! {
    /// 2 bits; 4-bit scale and minimum for every 16: `d * s * q - dmin * m`.
    Q2_K = BlockLayout {
        scale: 80,
        minimum: Minimum::Subtracted(82),
        scales: Scales::Nibbles(0),
        low: plane(16, 2),
        ..BlockLayout::PLAIN
    };
    /// 3 bits; 6-bit signed scale for every 16: `d * (s - 32) * (q - 4)`.
    Q3_K = BlockLayout {
        scale: 108,
        scales: Scales::SignedSixBits(96),
        low: plane(32, 2),
        high: Some(plane(0, 1)),
        code: Code::Unsigned(4),
        ..BlockLayout::PLAIN
    };
    /// 4 bits; 6-bit scale and minimum for every 32: `d * s * q - dmin * m`.
    Q4_K = BlockLayout {
        minimum: Minimum::Subtracted(2),
        scales: Scales::SixBits(4),
        low: plane(16, 4),
        ..BlockLayout::PLAIN
    };
    /// 5 bits; 6-bit scale and minimum for every 32: `d * s * q - dmin * m`.
    Q5_K = BlockLayout {
        minimum: Minimum::Subtracted(2),
        scales: Scales::SixBits(4),
        low: plane(48, 4),
        high: Some(plane(16, 1)),
        ..BlockLayout::PLAIN
    };
    /// 6 bits; 8-bit signed scale for every 16: `d * s * (q - 32)`.
    Q6_K = BlockLayout {
        scale: 208,
        scales: Scales::Bytes(192),
        low: Plane { at: 0, bits: 4, run: 64 },
        high: Some(plane(128, 2)),
        code: Code::Unsigned(32),
        ..BlockLayout::PLAIN
    };
}
