//! Activations as int8 blocks, the other side of the block formats' integer dot products.
//!
//! Contract, for a block of 32 or 256 f32 `x`:
//!
//! ```text
//! scale = max |x| / 127                           f32, kept as f32
//! q     = round to nearest, ties to even, of x * (1 / scale), within -127..=127
//! sums  = sum of q in each group of 16            |sum| <= 16 * 127
//! ```
//!
//! A block that is 0, or too small for 1 / scale to be finite (max |x| below about 3.7e-37),
//! becomes scale 0 and zeros. A block with an infinity or NaN becomes scale NaN and zeros:
//! whatever it is multiplied with is NaN, so that the engine sees it in the logits. After ggml's
//! Q8_0 and Q8_K, which differ in that they keep the scale as f16 or divide by a signed maximum.

use super::GROUP_ELEMENTS;
use super::block::{Array, BlockSize};
use crate::num;

/// Greatest magnitude of a quantised activation. -128 is left out so that a sign can be flipped
/// without overflow, and so that products of byte pairs have the same bound on both sides.
pub const MAX_QUANT: i32 = 127;

/// Encodes whole blocks of one row: `x` and `quants` `[columns]`, `scales` `[columns / ELEMENTS]`,
/// `sums` `[columns / 16]`. Where lengths do not belong together the excess is left as it was.
pub fn encode<S: BlockSize>(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [i16]) {
    let blocks = S::Elements::split(x).iter().zip(S::Elements::split_mut(quants));
    for ((x, quants), scale) in blocks.zip(scales) {
        *scale = encode_block(x.as_ref(), quants.as_mut());
    }
    for (sum, group) in sums.iter_mut().zip(quants.as_chunks::<GROUP_ELEMENTS>().0) {
        *sum = group.iter().map(|&quant| i16::from(quant)).sum();
    }
}

/// Quantises one block and returns its scale.
fn encode_block(x: &[f32], quants: &mut [i8]) -> f32 {
    // Without its sign bit a float orders as an integer does, NaN above infinity: no NaN is lost
    // in the maximum, as it would be with f32::max.
    let max_bits = x.iter().map(|x| x.to_bits() & (u32::MAX >> 1)).max().unwrap_or(0);
    let max = f32::from_bits(max_bits);
    if !max.is_finite() {
        quants.fill(0);
        return f32::NAN;
    }
    let scale = max / MAX_QUANT as f32;
    let inverse = 1.0 / scale;
    if !inverse.is_finite() {
        quants.fill(0);
        return 0.0;
    }
    for (quant, &x) in quants.iter_mut().zip(x) {
        let scaled = (x * inverse).clamp(-(MAX_QUANT as f32), MAX_QUANT as f32);
        *quant = num::round_ties_even(scaled) as i32 as i8;
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::block::Size;

    fn encoded(x: [f32; 32]) -> ([i8; 32], f32, [i16; 2]) {
        let (mut quants, mut scale, mut sums) = ([99; 32], [9.0], [9; 2]);
        encode::<Size<32, 2>>(&x, &mut quants, &mut scale, &mut sums);
        (quants, scale[0], sums)
    }

    #[test]
    fn the_greatest_becomes_127_and_ties_go_to_even() {
        let mut x = [0.0; 32];
        (x[0], x[1], x[2], x[3], x[31]) = (-254.0, 1.0, 3.0, 5.0, 253.0);
        let (quants, scale, sums) = encoded(x);
        assert_eq!(scale, 2.0);
        // -127, 0.5 -> 0, 1.5 -> 2, 2.5 -> 2; 126.5 -> 126.
        assert_eq!(quants[..4], [-127, 0, 2, 2]);
        assert_eq!(quants[31], 126);
        assert_eq!(sums, [-123, 126]);
    }

    #[test]
    fn zeros_and_what_has_no_reciprocal_are_zeros() {
        for tiny in [0.0, -0.0, 1e-45, -3e-37] {
            assert_eq!(encoded([tiny; 32]), ([0; 32], 0.0, [0; 2]));
        }
    }

    #[test]
    fn what_is_not_finite_stays_visible() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 32];
            x[17] = bad;
            let (quants, scale, sums) = encoded(x);
            assert!(scale.is_nan());
            assert_eq!((quants, sums), ([0; 32], [0; 2]));
        }
    }

    #[test]
    fn every_magnitude_stays_within_127() {
        // All exponents, mantissas at both ends and in the middle: rounding of the scale and its
        // reciprocal must never push the greatest value beyond 127.
        for exponent in 0u32..255 {
            for mantissa in [0, 1, 0x2a_aaaa, 0x40_0000, 0x55_5555, 0x7f_fffe, 0x7f_ffff] {
                let max = f32::from_bits(exponent << 23 | mantissa);
                let (quants, scale, sums) = encoded([-max; 32]);
                let expected = if scale == 0.0 { 0 } else { -127 };
                assert_eq!(quants, [expected; 32], "{max:e}");
                assert_eq!(sums, [16 * i16::from(expected); 2]);
            }
        }
    }
}
