//! Quants as points of a grid: what the IQ1, IQ2 and IQ3 types have in place of planes.
//!
//! Four or eight neighbouring weights are a point of a `points` table, which is
//! stored as its index, and a bit each says which of them are negative; of IQ1 a bit for the whole
//! point says that it is moved down by an eighth, not up. All these numbers, and the groups'
//! scales, lie in [`Bits`].

use super::GROUP_ELEMENTS;
use super::layout::{max_distance, part};

/// Numbers of a few bits each, in words. The words of a block lie `stride` bytes apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// First byte of the first word.
    pub at: usize,
    /// Bits of a number.
    pub bits: usize,
    /// Lowest bit of a word's first number.
    pub first: usize,
    /// Bits from one number of a word to the next.
    pub step: usize,
    /// Numbers of a word.
    pub per: usize,
    /// Bytes from one word to the next.
    pub stride: usize,
}

impl Bits {
    /// One whole byte for each number.
    pub const fn bytes(at: usize) -> Self {
        Self { at, bits: 8, first: 0, step: 8, per: 1, stride: 1 }
    }

    /// Two numbers of four bits in each byte, the low one first.
    pub const fn nibbles(at: usize) -> Self {
        Self { at, bits: 4, first: 0, step: 4, per: 2, stride: 1 }
    }

    /// The greatest number.
    pub const fn max(self) -> u32 {
        (1 << self.bits) - 1
    }

    /// Number `index` of a block.
    #[inline(always)]
    pub fn get(self, block: &[u8], index: usize) -> u32 {
        let at = self.at + index / self.per * self.stride;
        let word = match (self.first + (self.per - 1) * self.step + self.bits).div_ceil(8) {
            1 => u32::from(u8::from_le_bytes(*part(block, at))),
            2 => u32::from(u16::from_le_bytes(*part(block, at))),
            _ => u32::from_le_bytes(*part(block, at)),
        };
        word >> (self.first + index % self.per * self.step) & self.max()
    }

    /// Adds 1 to each bit of `owners` that one of the first `count` numbers has.
    pub(super) const fn own(self, owners: &mut [u8], count: usize) {
        let mut number = 0;
        while number < count {
            let word = 8 * (self.at + number / self.per * self.stride);
            let lowest = word + self.first + number % self.per * self.step;
            let mut bit = lowest;
            while bit < lowest + self.bits {
                owners[bit] += 1;
                bit += 1;
            }
            number += 1;
        }
    }
}

/// What makes numbers with a sign of a point's coordinates.
#[derive(Clone, Copy)]
pub enum Signs {
    /// A bit for each of eight weights, set where it is negative.
    Each(Bits),
    /// The same of seven of them: the eighth makes the number of negative ones even.
    Even(Bits),
    /// A bit for so many weights: coordinates are 1 less where it is set, 1 more where not.
    Delta(Bits, usize),
}

/// Weights as points of a grid.
#[derive(Clone, Copy)]
pub struct Grid {
    /// Weights of a point: 8 or 4.
    pub dimensions: usize,
    /// The low bits of a point's index.
    pub low: Bits,
    /// The bits above them.
    pub high: Option<Bits>,
    /// The points, as numbers of the coordinates: 2 bits of each of eight, 4 of each of four, the
    /// first weight's lowest.
    pub points: &'static [u16],
    /// The coordinates.
    pub values: &'static [i8; 16],
    /// Their signs.
    pub signs: Signs,
}

/// Weights of a point of 8, or of two points of 4.
pub const EIGHT: usize = 8;

impl Grid {
    /// Bits of a coordinate's number.
    #[inline(always)]
    pub const fn code_bits(&self) -> usize {
        16 / self.dimensions
    }

    /// Greatest magnitude of a quant.
    pub(super) const fn max(&self) -> i32 {
        max_distance(self.values, 0) + matches!(self.signs, Signs::Delta(..)) as i32
    }

    /// The numbers of eight weights' coordinates, [`Self::code_bits`] each.
    #[inline(always)]
    pub fn codes(&self, block: &[u8], eight: usize) -> u32 {
        match self.dimensions {
            EIGHT => self.point(block, eight),
            _ => self.point(block, 2 * eight) | self.point(block, 2 * eight + 1) << 16,
        }
    }

    /// Point `index` of a block.
    #[inline(always)]
    fn point(&self, block: &[u8], index: usize) -> u32 {
        let high = self.high.map_or(0, |high| high.get(block, index) << self.low.bits);
        let index = (self.low.get(block, index) | high) as usize;
        u32::from(self.points[index % self.points.len()])
    }

    /// A bit for each of eight weights: set where it is negative, or moved down.
    #[inline(always)]
    pub fn sign_bits(&self, block: &[u8], eight: usize) -> u8 {
        match self.signs {
            Signs::Each(bits) => bits.get(block, eight) as u8,
            Signs::Even(bits) => {
                let seven = bits.get(block, eight) as u8;
                // Bit `i` of the constant says whether `i` has an odd number of bits.
                let odd = 0x6996_u16 >> ((seven ^ seven >> 4) & 0x0f) & 1;
                seven | (odd as u8) << 7
            }
            Signs::Delta(bits, weights) => {
                0u8.wrapping_sub(bits.get(block, eight * EIGHT / weights) as u8)
            }
        }
    }

    /// Quants `16 * group ..`.
    #[inline(always)]
    pub(super) fn points(&self, block: &[u8], group: usize) -> [i8; GROUP_ELEMENTS] {
        let mut quants = [0; GROUP_ELEMENTS];
        for (half, quants) in quants.as_chunks_mut::<EIGHT>().0.iter_mut().enumerate() {
            let eight = 2 * group + half;
            let (codes, signs) = (self.codes(block, eight), self.sign_bits(block, eight));
            for (index, quant) in quants.iter_mut().enumerate() {
                let code = codes >> (self.code_bits() * index);
                let value = self.values[code as usize % (1 << self.code_bits())];
                // 0 or -1.
                let sign = -(signs as i8 >> index & 1);
                *quant = match self.signs {
                    Signs::Delta(..) => value + (sign | 1),
                    _ => (value ^ sign) - sign,
                };
            }
        }
        quants
    }

    /// Adds 1 to each bit of `owners` that a field has, of a block of `elements` weights.
    pub(super) const fn own(&self, owners: &mut [u8], elements: usize) {
        let points = elements / self.dimensions;
        self.low.own(owners, points);
        let mut index_bits = self.low.bits;
        if let Some(high) = self.high {
            high.own(owners, points);
            index_bits += high.bits;
        }
        assert!(self.points.len() == 1 << index_bits);
        match self.signs {
            Signs::Each(bits) | Signs::Even(bits) => bits.own(owners, elements / EIGHT),
            Signs::Delta(bits, weights) => bits.own(owners, elements / weights),
        }
    }
}
