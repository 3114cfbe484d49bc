//! Where the parts of a block lie, as data: written once, read by every instruction set's kernels.
//!
//! A block has an f16 scale, perhaps an f16 minimum, perhaps packed integer scales of its groups,
//! and one or two [`Plane`]s that hold the bits of its quants. Fields may come in any order;
//! `BlockLayout::assert_gap_free` proves that they cover the block. Kernels read a layout as a
//! constant, so that nothing of it is left in what is compiled.

use super::GROUP_ELEMENTS;

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
    /// An index into this table.
    Codebook(&'static [i8; 16]),
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

/// How the integer scales and minima of the groups are packed, and where they begin.
#[derive(Clone, Copy)]
pub enum Scales {
    /// There are none: each scale, and each minimum of a format that has one, is 1.
    One,
    /// Q6_K: a signed byte for every 16 weights.
    Bytes(usize),
    /// Q2_K: a byte for every 16 weights, the scale in its low and the minimum in its high half.
    Nibbles(usize),
    /// Q4_K, Q5_K: 12 bytes; see `six_bits`.
    SixBits(usize),
    /// Q3_K: 12 bytes; see `signed_six_bits`.
    SignedSixBits(usize),
}

/// Bytes of both forms of 6-bit scales.
const SIX_BITS_BYTES: usize = 12;

impl Scales {
    /// Weights that share a scale, in a block of `elements`.
    #[inline(always)]
    pub const fn group_elements(self, elements: usize) -> usize {
        match self {
            Self::One => elements,
            Self::SixBits(_) => 32,
            Self::Bytes(_) | Self::Nibbles(_) | Self::SignedSixBits(_) => 16,
        }
    }

    /// Greatest magnitude of a scale.
    pub const fn max_scale(self) -> i32 {
        match self {
            Self::One => 1,
            Self::Bytes(_) => 128,
            Self::Nibbles(_) => 15,
            Self::SixBits(_) => 63,
            Self::SignedSixBits(_) => 32,
        }
    }

    /// Greatest minimum, where the format has one.
    pub const fn max_minimum(self) -> i32 {
        match self {
            Self::One => 1,
            Self::Bytes(_) | Self::SignedSixBits(_) => 0,
            Self::Nibbles(_) => 15,
            Self::SixBits(_) => 63,
        }
    }

    /// First byte and number of bytes.
    pub const fn field(self) -> (usize, usize) {
        match self {
            Self::One => (0, 0),
            Self::Bytes(at) | Self::Nibbles(at) => (at, 16),
            Self::SixBits(at) | Self::SignedSixBits(at) => (at, SIX_BITS_BYTES),
        }
    }

    /// The scale and the minimum of each 16 weights of `block`, which has at most 256.
    #[inline(always)]
    pub fn unpack(self, block: &[u8]) -> [[i8; 16]; 2] {
        match self {
            Self::One => [[1; 16]; 2],
            Self::Bytes(at) => [part(block, at).map(|byte| byte as i8), [0; 16]],
            Self::Nibbles(at) => {
                let bytes: &[u8; 16] = part(block, at);
                [bytes.map(|byte| (byte & 0x0f) as i8), bytes.map(|byte| (byte >> 4) as i8)]
            }
            Self::SixBits(at) => six_bits(part(block, at)).map(twice),
            Self::SignedSixBits(at) => [signed_six_bits(part(block, at)), [0; 16]],
        }
    }
}

/// The 8 scales and 8 minima of Q4_K and Q5_K, 6 bits each in 12 bytes.
///
/// For `i < 4`, scale `i` and minimum `i` are the low 6 bits of bytes `i` and `4 + i`; scale
/// `4 + i` and minimum `4 + i` have their low 4 bits in the halves of byte `8 + i` and their upper
/// 2 in the upper 2 bits of bytes `i` and `4 + i`.
#[cfg_attr(feature = "inlined", inline(always))]
fn six_bits(bytes: &[u8; SIX_BITS_BYTES]) -> [[i8; 8]; 2] {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for i in 0..4 {
        let (scale, minimum, low) = (bytes[i], bytes[4 + i], bytes[8 + i]);
        scales[i] = (scale & 0x3f) as i8;
        minima[i] = (minimum & 0x3f) as i8;
        scales[4 + i] = (low & 0x0f | scale >> 6 << 4) as i8;
        minima[4 + i] = (low >> 4 | minimum >> 6 << 4) as i8;
    }
    [scales, minima]
}

/// The 16 scales of Q3_K, 6 bits each in 12 bytes.
///
/// Scale `i` has its low 4 bits in a half of byte `i % 8` and its upper 2 in byte `8 + i % 4` at
/// bit `2 * (i / 4)`; it is stored plus 32.
#[inline(always)]
fn signed_six_bits(bytes: &[u8; SIX_BITS_BYTES]) -> [i8; 16] {
    let mut scales = [0; 16];
    for i in 0..8 {
        // The pair of scale i + 8 lies 4 bits above that of scale i.
        let high = bytes[8 + i % 4] >> (2 * (i / 4));
        scales[i] = (bytes[i] & 0x0f | (high & 3) << 4) as i8 - 32;
        scales[i + 8] = (bytes[i] >> 4 | (high >> 4 & 3) << 4) as i8 - 32;
    }
    scales
}

/// Each number two times: those of groups of 32 as those of groups of 16.
#[cfg_attr(feature = "inlined", inline(always))]
fn twice(numbers: [i8; 8]) -> [i8; 16] {
    core::array::from_fn(|group| numbers[group / 2])
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
    /// First byte of the f16 scale.
    pub scale: usize,
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
    /// What formats begin with that have a scale in front and neither minima nor integer scales.
    /// The plane is one of no bytes, which `Self::assert_gap_free` refuses.
    pub const PLAIN: Self = Self {
        scale: 0,
        minimum: Minimum::None,
        scales: Scales::One,
        low: Plane { at: 0, bits: 1, run: 0 },
        high: None,
        code: Code::Unsigned(0),
    };

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

    /// The f16 scale and minimum of `block` as they are stored; 0 where there is no minimum.
    #[inline(always)]
    pub fn halves(&self, block: &[u8]) -> [u16; 2] {
        let half = |at| u16::from_le_bytes(*part(block, at));
        [half(self.scale), self.minimum_at().map_or(0, half)]
    }

    /// What is subtracted from the stored quants: 0 where they are not numbers without a sign.
    #[inline(always)]
    pub const fn offset(&self) -> i16 {
        match self.code {
            Code::Unsigned(offset) => offset as i16,
            Code::Signed | Code::Codebook(_) => 0,
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
        (1 << self.bits()) - 1
    }

    /// Whether quants have signs before an offset is subtracted.
    pub const fn is_signed(&self) -> bool {
        !matches!(self.code, Code::Unsigned(_))
    }

    /// Greatest magnitude of a quant to which the offset is still to be added.
    pub const fn max_before_offset(&self) -> i32 {
        if self.is_signed() { self.max_quant() } else { self.max_stored() }
    }

    /// Greatest magnitude of a quant.
    pub const fn max_quant(&self) -> i32 {
        match self.code {
            Code::Unsigned(offset) => {
                let (below, above) = (offset as i32, self.max_stored() - offset as i32);
                if below > above { below } else { above }
            }
            Code::Signed => 1 << (self.bits() - 1),
            Code::Codebook(table) => {
                let (mut max, mut at) = (0, 0);
                while at < table.len() {
                    let magnitude = table[at].unsigned_abs() as i32;
                    max = if magnitude > max { magnitude } else { max };
                    at += 1;
                }
                max
            }
        }
    }

    /// First byte and number of bytes of each field of a block of `elements` weights; 0 bytes where
    /// the format has no such field.
    const fn fields(&self, elements: usize) -> [(usize, usize); 5] {
        let minimum = match self.minimum {
            Minimum::None => (0, 0),
            Minimum::Added(at) | Minimum::Subtracted(at) => (at, 2),
        };
        let high = match self.high {
            None => (0, 0),
            Some(high) => (high.at, high.bytes(elements)),
        };
        let low = (self.low.at, self.low.bytes(elements));
        [(self.scale, 2), minimum, self.scales.field(), low, high]
    }

    /// Fails to compile where the fields do not cover a block of `bytes` bytes and `elements`
    /// weights without gap or overlap, or where a plane is no whole number of runs.
    pub(super) const fn assert_gap_free(&self, bytes: usize, elements: usize) {
        let fields = self.fields(elements);
        let (mut byte, mut total) = (0, 0);
        while byte < bytes {
            let (mut field, mut owners) = (0, 0);
            while field < fields.len() {
                let (start, length) = fields[field];
                owners += (byte >= start && byte < start + length) as usize;
                field += 1;
            }
            assert!(owners == 1);
            byte += 1;
        }
        let mut field = 0;
        while field < fields.len() {
            total += fields[field].1;
            field += 1;
        }
        assert!(total == bytes);
        assert!(elements.is_multiple_of(self.low.run_elements()));
        if let Some(high) = self.high {
            assert!(elements.is_multiple_of(high.run_elements()));
        }
        // An unsigned quant of 8 bits would not be an i8.
        assert!(matches!(self.code, Code::Signed) == (self.bits() == 8));
        assert!(!matches!(self.code, Code::Codebook(_)) || self.bits() <= 4);
    }
}
