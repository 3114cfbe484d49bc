//! How a block fills pairs of 16-bit halves, as its layout says; see [`super::pairs`] for what they
//! are.

use super::instructions::{hidden, widened_even, widened_odd};
use crate::kernels::arm::blocks::word;
use crate::quant::layout::{Code, MAX_PER_COLUMN, Place, Plane};
use crate::quant::scales::Scales;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// The planes' bits in both halves of a word, where they are in a weight.
#[derive(Clone, Copy)]
pub(super) struct Masks {
    low: u32,
    high: u32,
}

impl Masks {
    /// Those of `F`, hidden from the compiler: it would make them anew for each use, by two
    /// instructions, where they do not fit the registers.
    #[inline(always)]
    pub(super) fn of<F: BlockFormat>() -> Self {
        let mask = |plane: Plane, position: usize| {
            hidden((u32::from(plane.mask()) * 0x0001_0001) << position)
        };
        let high = F::LAYOUT.high.map_or(0, |high| mask(high, F::LAYOUT.low.bits));
        Self { low: mask(F::LAYOUT.low, 0), high }
    }
}

/// The bits of `mask` of the bytes of a word from bit `shift` on, as those from `position` on.
#[inline(always)]
fn moved(word: u32, mask: u32, shift: usize, position: usize) -> [u32; 2] {
    [0, 8].map(|byte| {
        let from = shift + byte;
        (if from < position { word << (position - from) } else { word >> (from - position) }) & mask
    })
}

/// Bits 0 and 2, and bits 1 and 3, of `bits` as bit 4 of two halves.
#[inline(always)]
fn fifth_bits(bits: u32, mask: u32) -> [u32; 2] {
    // Bit 2 goes to bit 4 of the upper half, 14 higher than bit 0 to that of the lower one.
    let spread = (bits & 0x0f) * (1 << 4 | 1 << 18);
    [spread & mask, spread >> 1 & mask]
}

/// What the indices in two halves stand for.
#[inline(always)]
fn looked_up(table: &[i8; 16], indices: u32) -> u32 {
    let quant = |index: u32| i32::from(table[index as usize % table.len()]) as u32;
    quant(indices) & 0xffff | quant(indices >> 16) << 16
}

/// The weights of the 4 columns of bytes from `column` on, before [`BlockFormat::OFFSET`] is
/// subtracted: for each weight of a column those of columns 0 and 2 in the halves of a word, and of
/// columns 1 and 3. `word` reads the 4 bytes from a byte of the block on.
#[inline(always)]
pub(super) fn lanes<F: BlockFormat>(
    word: impl Fn(usize) -> u32,
    column: usize,
    masks: Masks,
) -> [[u32; 2]; MAX_PER_COLUMN] {
    let layout = const { &F::LAYOUT };
    // A stride is a whole run of the low plane, or half of one.
    let low_words = layout.low.run / F::STRIDE;
    let mut low = [0; 2];
    for (index, low) in low.iter_mut().enumerate().take(low_words) {
        *low = word(layout.low_byte(column, index));
    }
    let high = match layout.high {
        None => 0,
        Some(Plane { at, run: 1, .. }) => word(at) >> column,
        Some(high) => {
            let Place { byte, shift } = layout.high_place(high, column);
            word(byte) >> shift
        }
    };
    let mut all = [[0; 2]; MAX_PER_COLUMN];
    for (index, lanes) in all.iter_mut().enumerate().take(F::PER_COLUMN) {
        let low = low[index % low_words];
        let stored = moved(low, masks.low, index / low_words * layout.low.bits, 0);
        let above = match layout.high {
            None => [0; 2],
            Some(Plane { run: 1, .. }) => fifth_bits(high >> (index * F::STRIDE), masks.high),
            Some(plane) => moved(high, masks.high, index * plane.bits, layout.low.bits),
        };
        *lanes = match layout.code {
            Code::Unsigned(_) | Code::Sign | Code::Ternary | Code::Grid(_) => {
                [stored[0] | above[0], stored[1] | above[1]]
            }
            Code::Signed => [widened_even(low), widened_odd(low)],
            Code::Codebook(table, _) => stored.map(|indices| looked_up(table, indices)),
        };
    }
    all
}

/// Integer scales and minima: of every 16 weights, or, in the first 8 bytes, of groups of 32.
pub(super) struct Numbers {
    pub(super) scales: [[u8; 4]; 4],
    pub(super) minima: [[u8; 4]; 4],
}

impl Numbers {
    /// Those of a block. As `Scales::unpack`, but 4 at a time.
    #[inline(always)]
    pub(super) fn of<F: BlockFormat>(block: &[u8]) -> Self {
        let low = |word: u32| word & 0x0f0f_0f0f;
        let words = |at| [0, 4, 8, 12].map(|offset| word(block, at + offset));
        let three = |at| [0, 4, 8].map(|offset| word(block, at + offset));
        let [scales, minima] = match const { F::LAYOUT.scales } {
            // The second and third are of no plain format.
            Scales::One | Scales::SplitSixBits(_) | Scales::Odd { .. } => [[0x0101_0101; 4]; 2],
            Scales::Bytes(at) => [words(at), [0; 4]],
            Scales::Nibbles(at) => {
                let both = words(at);
                [both.map(low), both.map(|word| low(word >> 4))]
            }
            Scales::SixBits(at) => {
                let [first, second, third] = three(at);
                let six = |nibbles, word: u32| low(nibbles) | word >> 2 & 0x3030_3030;
                [
                    [first & 0x3f3f_3f3f, six(third, first), 0, 0],
                    [second & 0x3f3f_3f3f, six(third >> 4, second), 0, 0],
                ]
            }
            Scales::SignedSixBits(at) => {
                let [first, second, third] = three(at);
                // 96 more and the sign inverted is 32 less, without a borrow between bytes.
                let six = |nibbles, pairs: u32| {
                    ((low(nibbles) | pairs << 4 & 0x3030_3030) + 0x6060_6060) ^ 0x8080_8080
                };
                let (low, high) = (six(first, third), six(second, third >> 2));
                [[low, high, six(first >> 4, third >> 4), six(second >> 4, third >> 6)], [0; 4]]
            }
        };
        Self { scales: scales.map(u32::to_le_bytes), minima: minima.map(u32::to_le_bytes) }
    }

    /// The scale of 16 weights.
    #[inline(always)]
    pub(super) fn scale<F: BlockFormat>(&self, group: usize) -> i32 {
        let scales = self.scales.as_flattened();
        i32::from(scales[group / (F::GROUP / GROUP_ELEMENTS)] as i8)
    }

    /// The minima times the activations' sums.
    #[inline(always)]
    pub(super) fn minimum_sum<F: BlockFormat>(&self, sums: &[i16]) -> i32 {
        let sums = sums.chunks_exact(F::GROUP / GROUP_ELEMENTS);
        let products = self.minima.as_flattened().iter().zip(sums).map(|(&minimum, sums)| {
            i32::from(minimum) * sums.iter().map(|&sum| i32::from(sum)).sum::<i32>()
        });
        products.sum()
    }
}
