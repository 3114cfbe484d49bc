//! Layer 0: arithmetic that gives the same bits on every target.
//!
//! Half-precision conversion is `half`'s software or a single rounding instruction, which agree by
//! IEEE 754; roots and trigonometry are `libm`'s, the same source on every target; `exp` is the one
//! polynomial below, spelled so that a vector kernel can repeat it operation by operation. No
//! fused multiply-add anywhere.

pub use half::{bf16, f16};

/// Lanes of every float reduction: element `i` goes to lane `i % LANES`, lanes are summed as a
/// tree of halves (8, 4, 2, 1). 16 is the widest vector that any target has, and narrower ones
/// hold the same 16 lanes in several registers.
pub const LANES: usize = 16;

/// The sum of 16 lanes: lane `i` plus lane `i + 8`, then `+ 4`, `+ 2`, `+ 1`.
pub fn tree_sum(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// f16 bits, little-endian, to f32: see [`f16_to_f32`].
#[inline]
pub fn f16_le(bytes: [u8; 2]) -> f32 {
    f16_to_f32(u16::from_le_bytes(bytes))
}

/// f16 bits to f32: exact, a NaN stays a NaN.
///
/// Without a branch, so that loops of it vectorise where the target has no such instruction, and
/// without subnormal operands, which are slow on some targets and taken for 0 by others. Compiled
/// for size, it is called.
#[inline]
pub fn f16_to_f32(half: u16) -> f32 {
    /// From f16's exponent bias to f32's, in place: 127 - 15.
    const REBIAS: u32 = 112 << 23;
    /// 2^-14, the unit of subnormals times 1024: as its mantissa, `m` means 2^-14 + m * 2^-24.
    const SMALLEST_NORMAL: u32 = 113 << 23;
    let magnitude = u32::from(half & 0x7fff) << 13;
    let exponent = half & 0x7c00;
    let normal = magnitude + REBIAS;
    let subnormal = f32::from_bits(magnitude + SMALLEST_NORMAL) - f32::from_bits(SMALLEST_NORMAL);
    // All ones where the condition holds. An `if` here ends up as a branch.
    let is_subnormal = u32::from(exponent == 0).wrapping_neg();
    let is_special = u32::from(exponent == 0x7c00).wrapping_neg();
    let finite = subnormal.to_bits() & is_subnormal | normal & !is_subnormal;
    f32::from_bits(finite | 0x7f80_0000 & is_special | u32::from(half & 0x8000) << 16)
}

/// The square root, correctly rounded.
pub fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

/// [`sqrt`] in 64 bits.
pub fn sqrt_f64(x: f64) -> f64 {
    libm::sqrt(x)
}

/// The nearest integer, ties to even, for `|x| < 2^22`: adding 1.5 * 2^23 leaves no bits below 1,
/// so the addition itself rounds.
pub fn round_ties_even(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC) - MAGIC
}

/// e to the `x`, within 2 ulp (Cephes `expf`: Cody-Waite reduction by ln 2, degree-5 polynomial).
///
/// Below -87 the result is 0, above 88 infinite, NaN stays NaN. Every step is one rounded
/// operation in this order, which vector kernels repeat.
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let in_range = x.clamp(-87.0, 88.0);
    let n = round_ties_even(in_range * core::f32::consts::LOG2_E);
    let r = in_range - n * LN2_HIGH;
    let r = r - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let y = (p * (r * r) + r) + 1.0;
    // 2^n by exponent bits: n is in -126..=127.
    let scale = f32::from_bits(((n as i32 + 127) as u32) << 23);
    let value = y * scale;
    if x < -87.0 {
        0.0
    } else if x > 88.0 {
        f32::INFINITY
    } else if x.is_nan() {
        x
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulp() {
        let mut worst = 0.0f64;
        for step in -86_999..87_999 {
            let x = step as f32 * 1e-3;
            let exact = libm::exp(f64::from(x));
            let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1)) - exact as f32 as f64;
            worst = worst.max((f64::from(exp(x)) - exact).abs() / ulp);
        }
        assert!(worst < 2.0, "{worst} ulp");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn f16_widens_as_half_says() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
            if theirs.is_nan() {
                assert!(ours.is_nan(), "{bits:#x}");
            } else {
                assert_eq!(ours.to_bits(), theirs.to_bits(), "{bits:#x}");
            }
        }
    }

    #[test]
    fn rounding_is_to_even() {
        for (x, rounded) in [(0.5, 0.0), (1.5, 2.0), (-0.5, 0.0), (-2.5, -2.0), (126.7, 127.0)] {
            assert_eq!(round_ties_even(x), rounded);
        }
    }
}
