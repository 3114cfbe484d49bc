//! TQ1_0's quants: five digits of base 3 in a byte.
//!
//! A byte is the fraction `0.abcde` of base 3, in units of 1/256 and rounded up, so that the
//! highest digit of a byte times a power of 3 (modulo 256) is a digit of it. After ggml's
//! `block_tq1_0`: 32 bytes for weights 0 to 159, 16 for the next 80, and 4, of which four digits
//! count, for the last 16. Each run has its first digits first, as runs of planes have their lowest
//! bits.

use super::GROUP_ELEMENTS;
use super::layout::part;

/// The runs: first byte and number of bytes.
pub(crate) const RUNS: [(usize, usize); 3] = [(0, 32), (32, 16), (48, 4)];

/// Bytes of a block's 256 quants.
pub(super) const BYTES: usize = RUNS[2].0 + RUNS[2].1;

/// Powers of 3: what moves each digit of a byte to its front.
pub(crate) const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// Bytes from which on the first digit is 1, or 2: a third and two thirds of 256, rounded up.
#[allow(dead_code, reason = "for instruction sets that compare bytes")]
pub(crate) const THIRDS: [u8; 2] = [86, 171];

/// Quants `16 * group ..`: digits less 1.
#[inline(always)]
pub(super) fn digits(block: &[u8], group: usize) -> [i8; GROUP_ELEMENTS] {
    match group {
        0..10 => {
            let bytes: &[u8; 16] = part(block, RUNS[0].0 + group % 2 * 16);
            bytes.map(|byte| digit(byte, POWERS[group / 2]))
        }
        10..15 => {
            let bytes: &[u8; 16] = part(block, RUNS[1].0);
            bytes.map(|byte| digit(byte, POWERS[group - 10]))
        }
        _ => {
            let bytes: &[u8; 4] = part(block, RUNS[2].0);
            core::array::from_fn(|index| digit(bytes[index % 4], POWERS[index / 4]))
        }
    }
}

/// The digit of `byte` that `power` moves to the front, less 1.
#[inline(always)]
fn digit(byte: u8, power: u8) -> i8 {
    ((u16::from(byte.wrapping_mul(power)) * 3) >> 8) as i8 - 1
}
