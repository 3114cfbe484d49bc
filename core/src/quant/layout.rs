//! Where the parts of a block lie, as data: written once, read by every instruction set's kernels.
//!
//! A block has a scale, perhaps a minimum, perhaps packed integer scales of its groups, and one or
//! two [`Plane`]s that hold the bits of its quants, or else what its [`Code`] names. Fields may
//! come in any order; `BlockLayout::assert_gap_free` proves that they cover the block. Kernels read
//! a layout as a constant, so that nothing of it is left in what is compiled.

use super::GROUP_ELEMENTS;
use super::grid::{Bits, Grid};
use super::scales::{Factor, Scales};
use super::ternary;

/// Bits of every quant of a block.
///
/// The bytes of a plane are runs of `run` bytes. Bits `bits * j ..` of byte `l` of a run belong to
/// weight `run * j + l` of the `run * 8 / bits` weights of that run.
#[derive(Clone, Copy)]
pub struct Plane {
    /// First byte in the block.
    pub at: usize,
    /// Bits of each weight: 1, 2, 4 or 8.
    pub bits: usize,
    /// Bytes of a run.
    pub run: usize,
}

/// Where a plane's bits of one weight lie.
#[derive(Clone, Copy)]
pub struct Place {
    /// Byte of the block.
    pub byte: usize,
    /// Lowest bit in that byte.
    pub shift: usize,
}

impl Plane {
    /// Weights of a run.
    #[inline(always)]
    pub const fn run_elements(self) -> usize {
        self.run * 8 / self.bits
    }

    /// Bytes of the plane in a block of `elements` weights.
    pub const fn bytes(self, elements: usize) -> usize {
        elements * self.bits / 8
    }

    /// The plane's bits, as the lowest ones of a byte.
    #[inline(always)]
    pub const fn mask(self) -> u8 {
        u8::MAX >> (8 - self.bits)
    }

    /// Where the bits of `weight` lie. The weights that follow it in its run lie in the bytes that
    /// follow, at the same bits, until a multiple of `run`.
    #[inline(always)]
    pub const fn place(self, weight: usize) -> Place {
        let (run, within) = (weight / self.run_elements(), weight % self.run_elements());
        let byte = self.at + run * self.run + within % self.run;
        Place { byte, shift: within / self.run * self.bits }
    }
}

/// What the bits of a quant mean.
#[derive(Clone, Copy)]
pub enum Code {
    /// A number without a sign, from which the format subtracts this.
    Unsigned(u8),
    /// A byte with a sign.
    Signed,
    /// An index into this table, from whose numbers the format subtracts this: 0, or what leaves
    /// none of them below 0.
    Codebook(&'static [i8; 16], u8),
    /// A bit that is set for 1 and clear for -1.
    Sign,
    /// TQ1_0: digits of base 3, without planes; see `ternary`.
    Ternary,
    /// Points of a grid, without planes.
    Grid(Grid),
}

impl Code {
    /// Whether the quants are not in planes.
    pub const fn has_no_planes(self) -> bool {
        matches!(self, Self::Ternary | Self::Grid(_))
    }

    /// The lowest bit of a stored quant: a [`Self::Sign`] is stored as twice its bit, less 1.
    #[inline(always)]
    pub const fn position(self) -> usize {
        if matches!(self, Self::Sign) { 1 } else { 0 }
    }
}

/// Where the f16 minimum of a block begins.
#[derive(Clone, Copy)]
pub enum Minimum {
    /// There is none.
    None,
    /// It is added.
    Added(usize),
    /// It is subtracted.
    Subtracted(usize),
}

/// `N` bytes of `block` from `at` on. Both are constants of a layout wherever speed matters, so
/// that no check is compiled.
#[inline(always)]
pub(crate) fn part<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    debug_assert!(at + N <= block.len());
    block.get(at..).and_then(|bytes| bytes.first_chunk()).unwrap_or(const { &[0; N] })
}

/// Most weights of a column: see [`BlockLayout::per_column`].
pub const MAX_PER_COLUMN: usize = 4;

/// A block format's fields.
#[derive(Clone, Copy)]
pub struct BlockLayout {
    /// First byte of the scale.
    pub scale: usize,
    /// How the scale is written.
    pub factor: Factor,
    /// What the scale is multiplied by: a power of 2, so that quants are integers.
    pub unit: f32,
    /// The f16 minimum.
    pub minimum: Minimum,
    /// The groups' integer scales and minima.
    pub scales: Scales,
    /// The low bits of the quants.
    pub low: Plane,
    /// The bits above them.
    pub high: Option<Plane>,
    /// What the quants mean.
    pub code: Code,
}

impl BlockLayout {
    /// What formats begin with that have an f16 scale in front and neither minima nor integer
    /// scales. The plane is one of no bytes, for codes that need none.
    pub const PLAIN: Self = Self {
        scale: 0,
        factor: Factor::Half,
        unit: 1.0,
        minimum: Minimum::None,
        scales: Scales::One,
        low: Plane { at: 0, bits: 1, run: 0 },
        high: None,
        code: Code::Unsigned(0),
    };

    /// How many weights of a block of `elements` meet one block of activations: 32 of fewer than
    /// 256, 16 where these have a scale of their own.
    pub const fn part_elements(&self, elements: usize) -> usize {
        match self.factor {
            Factor::Small => 16,
            _ if elements < 256 => 32,
            _ => elements,
        }
    }

    /// See [`BlockFormat::IS_PLAIN`](super::BlockFormat::IS_PLAIN).
    pub(super) const fn is_plain(&self) -> bool {
        let has_half = matches!(self.factor, Factor::Half) && self.unit == 1.0;
        let has_others = matches!(self.scales, Scales::SplitSixBits(_) | Scales::Odd { .. });
        let has_numbers = !matches!(self.code, Code::Sign | Code::Codebook(_, 1..));
        has_half && !has_others && has_numbers && !self.code.has_no_planes()
    }

    /// Whether there are minima.
    #[inline(always)]
    pub const fn has_minimum(&self) -> bool {
        !matches!(self.minimum, Minimum::None)
    }

    /// Weights this far apart share bytes of a plane, or lie in bytes this far apart: what kernels
    /// count in that read few neighbouring bytes at a time.
    #[inline(always)]
    pub const fn stride(&self) -> usize {
        if self.low.run < 32 { self.low.run } else { 32 }
    }

    /// How many weights, a stride apart, a column has: a byte of the first stride of a run of the
    /// low plane, and what goes with it.
    #[inline(always)]
    pub const fn per_column(&self) -> usize {
        self.low.run_elements() / self.stride()
    }

    /// The byte of the low plane with weight `index` of a column. Where a run is two strides, a
    /// column's odd weights are in the second.
    #[inline(always)]
    pub const fn low_byte(&self, column: usize, index: usize) -> usize {
        let (stride, strides) = (self.stride(), self.low.run / self.stride());
        self.low.at + column + (column / stride * (strides - 1) + index % strides) * stride
    }

    /// Where the high plane, whose runs are a stride, has the bits of a column's first weight.
    /// Those of the others follow in the same byte.
    #[inline(always)]
    pub const fn high_place(&self, high: Plane, column: usize) -> Place {
        let (stride, bits) = (self.stride(), self.per_column() * high.bits);
        let (run, within) = (column / stride, column % stride);
        let columns = 8 / bits;
        Place { byte: high.at + run / columns * high.run + within, shift: run % columns * bits }
    }

    /// The group of 16 that is weight `index` of the columns `16 * unit ..`.
    #[inline(always)]
    pub const fn group(&self, unit: usize, index: usize) -> usize {
        let units = self.stride() / GROUP_ELEMENTS;
        unit / units * units * self.per_column() + units * index + unit % units
    }

    /// First byte of the f16 minimum.
    #[inline(always)]
    pub const fn minimum_at(&self) -> Option<usize> {
        match self.minimum {
            Minimum::None => None,
            Minimum::Added(at) | Minimum::Subtracted(at) => Some(at),
        }
    }

    /// The scale, as [`Factor::stored`] has it, and the f16 minimum of `block`; 0 where there is no
    /// minimum. The scale is still to be multiplied by [`Self::unit`].
    #[inline(always)]
    pub fn halves(&self, block: &[u8]) -> [u16; 2] {
        let half = |at| u16::from_le_bytes(*part(block, at));
        [self.factor.stored(block, self.scale), self.minimum_at().map_or(0, half)]
    }

    /// Quants `16 * group ..` of codes without planes.
    #[inline(always)]
    pub fn sixteen(&self, block: &[u8], group: usize) -> [i8; GROUP_ELEMENTS] {
        match self.code {
            Code::Ternary => ternary::digits(block, group),
            Code::Grid(grid) => grid.points(block, group),
            _ => [0; GROUP_ELEMENTS],
        }
    }

    /// What is subtracted from the stored quants: 0 where they are not numbers without a sign.
    #[inline(always)]
    pub const fn offset(&self) -> i16 {
        match self.code {
            Code::Unsigned(offset) | Code::Codebook(_, offset) => offset as i16,
            Code::Sign => 1,
            Code::Signed | Code::Ternary | Code::Grid(_) => 0,
        }
    }

    /// Bits of a stored quant.
    #[inline(always)]
    pub const fn bits(&self) -> usize {
        match self.high {
            Some(high) => self.low.bits + high.bits,
            None => self.low.bits,
        }
    }

    /// Greatest stored quant, as a number without a sign.
    pub const fn max_stored(&self) -> i32 {
        ((1 << self.bits()) - 1) << self.code.position()
    }

    /// Whether quants have signs before an offset is subtracted.
    pub const fn is_signed(&self) -> bool {
        !matches!(self.code, Code::Unsigned(_) | Code::Sign | Code::Codebook(_, 1..))
    }

    /// Greatest magnitude of a quant to which the offset is still to be added.
    pub const fn max_before_offset(&self) -> i32 {
        match self.code {
            Code::Codebook(table, _) => max_distance(table, 0),
            _ if self.is_signed() => self.max_quant(),
            _ => self.max_stored(),
        }
    }

    /// Greatest magnitude of a quant.
    pub const fn max_quant(&self) -> i32 {
        match self.code {
            Code::Unsigned(offset) => {
                let (below, above) = (offset as i32, self.max_stored() - offset as i32);
                if below > above { below } else { above }
            }
            Code::Signed => 1 << (self.bits() - 1),
            Code::Codebook(table, offset) => max_distance(table, offset as i32),
            Code::Sign | Code::Ternary => 1,
            Code::Grid(grid) => grid.max(),
        }
    }

    /// First byte and number of bytes of each field of a block of `parts` parts and `elements`
    /// weights; 0 bytes where the format has no such field, or shares its bytes.
    const fn fields(&self, parts: usize, elements: usize) -> [(usize, usize); 5] {
        let minimum = match self.minimum {
            Minimum::None => (0, 0),
            Minimum::Added(at) | Minimum::Subtracted(at) => (at, 2),
        };
        let high = match self.high {
            None => (0, 0),
            Some(high) => (high.at, high.bytes(elements)),
        };
        let low = match self.code {
            Code::Ternary => (0, ternary::BYTES),
            Code::Grid(_) => (0, 0),
            _ => (self.low.at, self.low.bytes(elements)),
        };
        [(self.scale, self.factor.bytes(parts)), minimum, self.scales.field(), low, high]
    }

    /// Fails to compile where the fields do not cover a block of `bytes` bytes and `parts` parts of
    /// `elements` weights without gap or overlap, or where a part of a plane is no whole number of
    /// runs.
    pub(super) const fn assert_gap_free(&self, bytes: usize, parts: usize, elements: usize) {
        let fields = self.fields(parts, parts * elements);
        let mut owners = [0u8; MAX_BITS];
        let mut field = 0;
        while field < fields.len() {
            let (start, length) = fields[field];
            let mut bit = 8 * start;
            while bit < 8 * (start + length) {
                owners[bit] += 1;
                bit += 1;
            }
            field += 1;
        }
        if let Code::Grid(grid) = self.code {
            grid.own(&mut owners, elements);
        }
        if let Scales::Odd { bits, group } = self.scales {
            bits.own(&mut owners, elements / group);
        }
        if matches!(self.factor, Factor::Nibbles) {
            let word = Bits { at: self.scale, bits: 4, first: 12, step: 0, per: 1, stride: 2 };
            word.own(&mut owners, 4);
        }
        let mut bit = 0;
        while bit < MAX_BITS {
            assert!(owners[bit] == (bit < 8 * bytes) as u8);
            bit += 1;
        }
        self.assert_planes(elements);
    }

    /// The rest of [`Self::assert_gap_free`].
    const fn assert_planes(&self, elements: usize) {
        if self.code.has_no_planes() {
            assert!(self.high.is_none());
            return;
        }
        assert!(elements.is_multiple_of(self.low.run_elements()));
        if let Some(high) = self.high {
            assert!(elements.is_multiple_of(high.run_elements()));
        }
        // An unsigned quant of 8 bits would not be an i8.
        assert!(matches!(self.code, Code::Signed) == (self.bits() == 8));
        if let Code::Codebook(table, offset) = self.code {
            assert!(self.bits() <= 4);
            // Only numbers below 0 are further than 127 from 127.
            assert!(offset == 0 || max_distance(table, 127) <= 127);
        }
    }
}

/// Most bits of a block: those of Q6_K's 210 bytes, and a few.
pub(super) const MAX_BITS: usize = 8 * 256;

/// Greatest distance of a table's numbers from another number.
pub(super) const fn max_distance(table: &[i8; 16], from: i32) -> i32 {
    let (mut max, mut index) = (0, 0);
    while index < table.len() {
        let distance = (table[index] as i32 - from).abs();
        if distance > max {
            max = distance;
        }
        index += 1;
    }
    max
}
