//! IQ4_XS, and the types whose quants are points of a grid: IQ1_S to IQ3_XXS. Blocks of 256.
//!
//! The grid types' scales are odd multiples of a fraction of the f16, `d * (2 s + 1) / 8` for what
//! ggml has as `d * (0.5 + s) / 4`: a power of 2 and else small integers keep every product exact,
//! whatever the order. After ggml's `block_iq1_s` and its kin.

use super::TensorType;
use super::block::{BlockFormat, GROUP_ELEMENTS, Size, assert_exact, block_formats, part_elements};
use super::blocks32::NON_LINEAR;
use super::grid::{Bits, Grid, Signs};
use super::layout::{BlockLayout, Code, Plane};
use super::points;
use super::scales::{Factor, Scales};

/// Coordinates of the IQ2 grids.
static VALUES_2: [i8; 16] = padded(&[8, 25, 43]);

/// Coordinates of IQ3_XXS's grid.
static VALUES_3_XXS: [i8; 16] = padded(&[4, 12, 20, 28, 36, 44, 52, 62]);

/// Coordinates of IQ3_S's grid.
static VALUES_3: [i8; 16] = padded(&[1, 3, 5, 7, 9, 11, 13, 15]);

/// Eight times the coordinates of the IQ1 grid, which are moved by an eighth.
static VALUES_1: [i8; 16] = padded(&[-8, 0, 8]);

/// `values`, then the last of them.
const fn padded(values: &[i8]) -> [i8; 16] {
    let mut all = [values[values.len() - 1]; 16];
    let mut at = 0;
    while at < values.len() {
        all[at] = values[at];
        at += 1;
    }
    all
}

/// What the grids of eight weights begin with, whose indices' low bytes are at byte `at`.
const fn eights(at: usize, points: &'static [u16], signs: Signs) -> Grid {
    let (low, high) = (Bits::bytes(at), None);
    Grid { dimensions: 8, low, high, points, values: &VALUES_2, signs }
}

/// What those of four begin with.
const fn fours(points: &'static [u16], values: &'static [i8; 16], signs: Signs) -> Grid {
    Grid { dimensions: 4, low: Bits::bytes(2), high: None, points, values, signs }
}

/// Seven signs of each of four points, below a scale of four bits.
const fn signs_and_scale(at: usize, stride: usize) -> (Signs, Scales) {
    let signs = Bits { at, bits: 7, first: 0, step: 7, per: 4, stride };
    let scale = Bits { at, bits: 4, first: 28, step: 0, per: 1, stride };
    (Signs::Even(signs), Scales::Odd { bits: scale, group: 32 })
}

/// Scales of four bits, two in a byte.
const fn nibbles(at: usize, group: usize) -> Scales {
    Scales::Odd { bits: Bits::nibbles(at), group }
}

/// A layout with a `unit` of 1 / `fraction`.
const fn grid(fraction: u8, scales: Scales, grid: Grid) -> BlockLayout {
    let unit = 1.0 / fraction as f32;
    BlockLayout { unit, scales, code: Code::Grid(grid), ..BlockLayout::PLAIN }
}

const WITH_SCALE_2: (Signs, Scales) = signs_and_scale(6, 8);
const WITH_SCALE_3: (Signs, Scales) = signs_and_scale(66, 4);

block_formats! {
    /// 4 bits, numbers of a table; 6-bit signed scale for every 32.
    IQ4_XS = BlockLayout {
        scales: Scales::SplitSixBits(2),
        low: Plane { at: 8, bits: 4, run: 16 },
        code: Code::Codebook(&NON_LINEAR, 0),
        ..BlockLayout::PLAIN
    };
    /// 8 bits for eight weights and 7 for their signs; 4-bit scale for every 32.
    IQ2_XXS = grid(8, WITH_SCALE_2.1, Grid {
        low: Bits { at: 2, bits: 8, first: 0, step: 8, per: 4, stride: 8 },
        ..eights(2, &points::IQ2_XXS, WITH_SCALE_2.0)
    });
    /// 9 bits for eight weights and 7 for their signs; 4-bit scale for every 16.
    IQ2_XS = grid(8, nibbles(66, 16), Grid {
        low: Bits { at: 2, bits: 9, first: 0, step: 0, per: 1, stride: 2 },
        ..eights(2, &points::IQ2_XS, Signs::Even(Bits {
            at: 2, bits: 7, first: 9, step: 0, per: 1, stride: 2,
        }))
    });
    /// 10 bits for eight weights and 8 for their signs; 4-bit scale for every 16.
    IQ2_S = grid(8, nibbles(74, 16), Grid {
        high: Some(Bits { at: 66, bits: 2, first: 0, step: 2, per: 4, stride: 1 }),
        ..eights(2, &points::IQ2_S, Signs::Each(Bits::bytes(34)))
    });
    /// 8 bits for four weights, 7 for the signs of eight; 4-bit scale for every 32.
    IQ3_XXS = grid(4, WITH_SCALE_3.1, fours(&points::IQ3_XXS, &VALUES_3_XXS, WITH_SCALE_3.0));
    /// 9 bits for four weights, 8 for the signs of eight; 4-bit scale for every 32.
    IQ3_S = grid(1, nibbles(106, 32), Grid {
        high: Some(Bits { at: 66, bits: 1, first: 0, step: 1, per: 8, stride: 1 }),
        ..fours(&points::IQ3_S, &VALUES_3, Signs::Each(Bits::bytes(74)))
    });
    /// 11 bits for eight weights; 3-bit scale and a shift by an eighth for every 32.
    IQ1_S = grid(
        8,
        Scales::Odd {
            bits: Bits { at: 34, bits: 3, first: 12, step: 0, per: 1, stride: 2 },
            group: 32,
        },
        Grid {
            high: Some(Bits { at: 34, bits: 3, first: 0, step: 3, per: 4, stride: 2 }),
            values: &VALUES_1,
            ..eights(2, &points::IQ1, Signs::Delta(Bits {
                at: 34, bits: 1, first: 15, step: 0, per: 1, stride: 2,
            }, 32))
        },
    );
    /// 11 bits for eight weights and their shift by an eighth; 3-bit scale for every 16.
    IQ1_M = BlockLayout {
        scale: 48,
        factor: Factor::Nibbles,
        ..grid(
            8,
            Scales::Odd {
                bits: Bits { at: 48, bits: 3, first: 0, step: 3, per: 4, stride: 2 },
                group: 16,
            },
            Grid {
                high: Some(Bits { at: 32, bits: 3, first: 0, step: 4, per: 2, stride: 1 }),
                values: &VALUES_1,
                ..eights(0, &points::IQ1, Signs::Delta(Bits {
                    at: 32, bits: 1, first: 3, step: 4, per: 2, stride: 1,
                }, 8))
            },
        )
    };
}
