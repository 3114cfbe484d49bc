//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 on AVX-512: blocks of 32 weights with int8 activations.
//!
//! Two blocks fill a vector of 64 unsigned quants in the order of the weights, so activations stay
//! in theirs.
//!
//! **Few rows** (decode): sixteen blocks of a weight row at a time; the sums of all sixteen are
//! reduced together and their float parts computed in lanes. The parts of eight weight rows are
//! then added up side by side, blocks ascending: a row alone would wait for each addition.
//!
//! **Many rows** (prefill): two blocks of 16 weight rows are unpacked once with the rows in lanes
//! and multiplied with every activation row, four bytes of which at a time are broadcast.
//!
//! The float part is [`BlockFormat::combine`]'s.
//!
//! [`BlockFormat::combine`]: crate::quant::BlockFormat::combine
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes::{self, Level};
use crate::kernels::Activations;
use crate::mem::Tile;
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use core::arch::x86_64::*;
use core::ops::Range;

const ELEMENTS: usize = 32;

/// Blocks whose sums are reduced together.
const UNIT: usize = 16;

/// Weight rows in the lanes of a tile.
const TILE_ROWS: usize = 16;

/// From how many activation rows on a tile pays: unpacking costs about as much as three.
const MIN_TILE_BATCH: usize = 4;

/// Activation rows that share a tile: their accumulators, 64 * 64 bytes, stay in L1.
const TILE_BATCH: usize = 64;

/// Weight rows whose parts are added up side by side.
const GROUP_ROWS: usize = 8;

/// Blocks of a row whose parts are kept at a time: 8 * 256 * 4 bytes stay in L1, and rows of 8,192
/// weights are walked to their end.
const GROUP_BLOCKS: usize = 256;

/// Stands in for blocks beyond a row's end: scale 0 makes its part 0.
static NO_BLOCK: [u8; 64] = [0; 64];

/// How a format's blocks are taken apart.
pub(super) trait SmallBlock {
    /// Bytes of a block, which begins with its f16 scale; that of the minimum follows.
    const BYTES: usize;
    /// Whether there is a minimum.
    const MINIMUM: bool;
    /// What is added to the quants to make them unsigned.
    const OFFSET: i16;

    /// The quants of two blocks as unsigned bytes.
    unsafe fn quants(blocks: [*const u8; 2]) -> __m512i;
}

/// Four times 16 bytes, `[a, a, b, b]`: the low nibbles of the first of each pair, the high ones of
/// the second.
#[inline(always)]
unsafe fn nibbles(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: the caller has AVX-512 and 16 bytes at each start.
    unsafe {
        let [a, b] = starts.map(|start| _mm_loadu_si128(start.cast()));
        let both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(a), 0xff00, b);
        let counts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
        _mm512_and_si512(_mm512_srlv_epi64(both, counts), _mm512_set1_epi8(0x0f))
    }
}

/// `quants` with 16 added where the blocks' words of high bits have ones.
#[inline(always)]
unsafe fn with_high_bits(quants: __m512i, words: [*const u8; 2]) -> __m512i {
    // SAFETY: the caller has AVX-512 and 4 bytes at each word.
    unsafe {
        let [low, high] = words.map(|word| word.cast::<u32>().read_unaligned());
        let mask = u64::from(high) << 32 | u64::from(low);
        _mm512_mask_add_epi8(quants, mask, quants, _mm512_set1_epi8(16))
    }
}

macro_rules! nibble_format {
    ($format:ident, $bytes:literal, minimum: $minimum:literal, offset: $offset:literal $(, $high:ident)?) => {
        impl SmallBlock for $format {
            const BYTES: usize = $bytes;
            const MINIMUM: bool = $minimum;
            const OFFSET: i16 = $offset;

            #[inline(always)]
            unsafe fn quants(blocks: [*const u8; 2]) -> __m512i {
                // SAFETY: the caller's blocks have the format's bytes.
                unsafe {
                    let quants = nibbles(blocks.map(|block| block.add(Self::QUANTS.start)));
                    $(
                        let words = blocks.map(|block| block.add(Self::$high.start));
                        let quants = with_high_bits(quants, words);
                    )?
                    quants
                }
            }
        }
    };
}

nibble_format!(Q4_0, 18, minimum: false, offset: 8);
nibble_format!(Q4_1, 20, minimum: true, offset: 0);
nibble_format!(Q5_0, 22, minimum: false, offset: 16, HIGH_BITS);
nibble_format!(Q5_1, 24, minimum: true, offset: 0, HIGH_BITS);

impl SmallBlock for Q8_0 {
    const BYTES: usize = 34;
    const MINIMUM: bool = false;
    const OFFSET: i16 = 128;

    #[inline(always)]
    unsafe fn quants(blocks: [*const u8; 2]) -> __m512i {
        // SAFETY: the caller's blocks have 34 bytes.
        unsafe {
            let [a, b] =
                blocks.map(|block| _mm256_loadu_si256(block.add(Self::QUANTS.start).cast()));
            let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b);
            _mm512_xor_si512(both, _mm512_set1_epi8(-128))
        }
    }
}

/// The format's four-product sums.
#[inline(always)]
unsafe fn dot<F: SmallBlock, L: Level>(sum: __m512i, quants: __m512i, x: __m512i) -> __m512i {
    // SAFETY: the caller has the level.
    unsafe {
        if F::OFFSET > 64 {
            L::dot_bytes(sum, quants, x)
        } else {
            L::dot_small_bytes(sum, quants, x)
        }
    }
}

/// One encoded activation row.
#[derive(Clone, Copy)]
struct Row {
    quants: *const u8,  // [blocks, 32]
    scales: *const f32, // [blocks]
    sums: *const i16,   // [blocks, 2]
}

impl Row {
    /// Row `row`, below `activations.rows`.
    #[inline(always)]
    fn new(activations: &Activations<'_>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        Self {
            quants: activations.quants[row * activations.columns..].as_ptr().cast(),
            scales: activations.scales[row * blocks..].as_ptr(),
            sums: activations.sums[row * 2 * blocks..].as_ptr(),
        }
    }

    /// The row from block `block` on, which the caller knows to exist.
    #[inline(always)]
    fn from(self, block: usize) -> Self {
        Self {
            quants: self.quants.wrapping_add(block * ELEMENTS),
            scales: self.scales.wrapping_add(block),
            sums: self.sums.wrapping_add(2 * block),
        }
    }
}

/// Weight rows times activation rows.
///
/// # Safety
///
/// The CPU has the level. Lengths are those that `FormatKernels::matmul` checks.
#[inline(always)]
pub(super) unsafe fn matmul<F: SmallBlock, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let blocks = activations.columns / ELEMENTS;
    let row_bytes = blocks * F::BYTES;
    if blocks == 0 || activations.rows < MIN_TILE_BATCH {
        for column in (0..out.columns()).step_by(GROUP_ROWS) {
            let count = GROUP_ROWS.min(out.columns() - column);
            let weights = &weights[column * row_bytes..][..count * row_bytes];
            for row in 0..activations.rows {
                let x = (blocks > 0).then(|| Row::new(activations, row));
                // SAFETY: the caller's; `weights` is `count` rows of `blocks` blocks.
                let dots = x.map_or([0.0; GROUP_ROWS], |x| unsafe {
                    dots::<F, L>(weights, count, x, blocks)
                });
                out.row_mut(row)[column..column + count].copy_from_slice(&dots[..count]);
            }
        }
        return;
    }
    for first in (0..activations.rows).step_by(TILE_BATCH) {
        let rows = first..activations.rows.min(first + TILE_BATCH);
        for column in (0..out.columns()).step_by(TILE_ROWS) {
            let count = TILE_ROWS.min(out.columns() - column);
            let weights = &weights[column * row_bytes..][..count * row_bytes];
            // SAFETY: the caller's; `weights` has `count` whole rows.
            let sums = unsafe { tile::<F, L>(weights, activations, rows.clone(), blocks) };
            for (row, sums) in rows.clone().zip(&sums) {
                out.row_mut(row)[column..column + count].copy_from_slice(&sums[..count]);
            }
        }
    }
}

/// Up to 8 weight rows times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` is `count` (at most 8) rows of `blocks` blocks.
#[inline(always)]
unsafe fn dots<F: SmallBlock, L: Level>(
    weights: &[u8],
    count: usize,
    x: Row,
    blocks: usize,
) -> [f32; GROUP_ROWS] {
    let mut parts = [[0.0; GROUP_BLOCKS]; GROUP_ROWS];
    let mut dots = [0.0; GROUP_ROWS];
    for first in (0..blocks).step_by(GROUP_BLOCKS) {
        let here = GROUP_BLOCKS.min(blocks - first);
        for (row, parts) in parts.iter_mut().enumerate().take(count) {
            let start = weights[(row * blocks + first) * F::BYTES..].as_ptr();
            // SAFETY: the caller's; `here` blocks from `first` on are the row's, and `parts` has
            // room for them, rounded up to whole units.
            unsafe { row_parts::<F, L>(start, x.from(first), here, parts) };
        }
        for block in 0..here {
            for (dot, parts) in dots.iter_mut().zip(&parts) {
                *dot += parts[block];
            }
        }
    }
    dots
}

/// The parts of a weight row's `count` blocks in its dot product; those up to the next multiple of
/// 16 are undefined.
#[inline(always)]
unsafe fn row_parts<F: SmallBlock, L: Level>(
    start: *const u8,
    x: Row,
    count: usize,
    parts: &mut [f32; GROUP_BLOCKS],
) {
    for (unit, parts) in parts.as_chunks_mut::<UNIT>().0.iter_mut().enumerate() {
        let first = unit * UNIT;
        if first >= count {
            return;
        }
        // SAFETY: the caller's; `unit` reads blocks `first..min(first + 16, count)` only.
        unsafe {
            let (start, x) = (start.add(first * F::BYTES), x.from(first));
            if count - first >= UNIT {
                unit_parts::<F, L, true>(start, x, UNIT, parts);
            } else {
                unit_parts::<F, L, false>(start, x, count - first, parts);
            }
        }
    }
}

/// The parts of the `count` blocks at `start`; `WHOLE` says that they are 16.
#[inline(always)]
unsafe fn unit_parts<F: SmallBlock, L: Level, const WHOLE: bool>(
    start: *const u8,
    x: Row,
    count: usize,
    parts: &mut [f32; UNIT],
) {
    // SAFETY: the caller's level and pointers; blocks beyond `count` are `NO_BLOCK`, and their
    // activations are not loaded: the masks below end at `count`.
    unsafe {
        lanes::prefetch::<{ 16 * 20 }>(start);
        let there = u64::MAX >> (64 - 4 * count);
        let block = |i: usize| {
            if WHOLE || i < count { start.add(i * F::BYTES) } else { NO_BLOCK.as_ptr() }
        };
        let mut sums = [_mm512_setzero_si512(); UNIT / 2];
        for (pair, sum) in sums.iter_mut().enumerate() {
            if !WHOLE && 2 * pair >= count {
                break;
            }
            let at = x.quants.add(2 * pair * ELEMENTS);
            let x = if WHOLE || 2 * pair + 1 < count {
                lanes::load(at)
            } else {
                _mm512_zextsi256_si512(_mm256_loadu_si256(at.cast()))
            };
            *sum = dot::<F, L>(*sum, F::quants([block(2 * pair), block(2 * pair + 1)]), x);
        }
        let isum = block_sums(sums);
        let there_16 = (there >> (3 * count)) as u16 & (u32::MAX >> (32 - count)) as u16;
        let x_sums = _mm512_maskz_loadu_epi16(u32::MAX >> (32 - 2 * count), x.sums);
        let dx = _mm512_maskz_loadu_ps(there_16, x.scales);
        let mut halves = [[0u16; UNIT]; 2];
        for i in 0..UNIT {
            halves[0][i] = block(i).cast::<u16>().read_unaligned();
            if F::MINIMUM {
                halves[1][i] = block(i).add(2).cast::<u16>().read_unaligned();
            }
        }
        let [scale, minimum] =
            halves.map(|halves| _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast())));
        let part = combine::<F>(scale, minimum, dx, isum, x_sums);
        _mm512_storeu_ps(parts.as_mut_ptr(), part);
    }
}

/// The sums of 16 blocks, ascending, from vectors whose halves belong to a block each.
#[inline(always)]
unsafe fn block_sums(pairs: [__m512i; UNIT / 2]) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let [a, b, c, d, e, f, g, h] = pairs;
        // Lanes 0 + 1: even blocks, 2 + 3: odd ones.
        let (low, high) = (lanes::lane_sums(a, b, c, d), lanes::lane_sums(e, f, g, h));
        let sums = _mm512_add_epi32(
            _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high),
        );
        let order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
        _mm512_permutexvar_epi32(order, sums)
    }
}

/// `BlockFormat::combine` in 16 lanes; `x_sums` are two sums of 16 activations for each.
#[inline(always)]
unsafe fn combine<F: SmallBlock>(
    scale: __m512,
    minimum: __m512,
    dx: __m512,
    isum: __m512i,
    x_sums: __m512i,
) -> __m512 {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let scale = _mm512_mul_ps(scale, dx);
        if F::MINIMUM {
            // m * msum is added: the format's description negates its minimum and subtracts.
            let msum = _mm512_madd_epi16(x_sums, _mm512_set1_epi16(1));
            let more = _mm512_mul_ps(_mm512_mul_ps(minimum, dx), _mm512_cvtepi32_ps(msum));
            return _mm512_add_ps(_mm512_mul_ps(scale, _mm512_cvtepi32_ps(isum)), more);
        }
        let offset = _mm512_madd_epi16(x_sums, _mm512_set1_epi16(F::OFFSET));
        _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(isum, offset)))
    }
}

/// Two blocks of 16 weight rows, unpacked with the rows in lanes.
struct Unpacked {
    /// Four weights of each row.
    quants: [__m512i; 2 * ELEMENTS / 4],
    scales: [__m512; 2],
    minima: [__m512; 2],
}

/// Up to 16 weight rows times the activation rows `rows`, at most 64 of them.
///
/// # Safety
///
/// The CPU has the level; `weights` is 1 to 16 rows of `blocks` blocks.
#[inline(always)]
unsafe fn tile<F: SmallBlock, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    rows: Range<usize>,
    blocks: usize,
) -> [[f32; TILE_ROWS]; TILE_BATCH] {
    let mut sums = [[0.0; TILE_ROWS]; TILE_BATCH];
    for block in (0..blocks).step_by(2) {
        let count = 2.min(blocks - block);
        let starts: [[*const u8; TILE_ROWS]; 2] = core::array::from_fn(|i| {
            core::array::from_fn(|row| {
                let start = (row * blocks + block + i) * F::BYTES;
                match weights.get(start..) {
                    Some(bytes) if i < count && !bytes.is_empty() => bytes.as_ptr(),
                    _ => NO_BLOCK.as_ptr(),
                }
            })
        });
        // SAFETY: the caller's; every row of the chunk is one of the batch, and `count` says
        // whether there is a second block.
        unsafe {
            let unpacked = unpack::<F>(starts);
            if count == 2 {
                multiply_all::<F, L, 2>(&unpacked, activations, rows.clone(), block, &mut sums);
            } else {
                multiply_all::<F, L, 1>(&unpacked, activations, rows.clone(), block, &mut sums);
            }
        }
    }
    sums
}

/// Unpacks two blocks of each of 16 rows.
#[inline(always)]
unsafe fn unpack<F: SmallBlock>(starts: [[*const u8; TILE_ROWS]; 2]) -> Unpacked {
    // SAFETY: the caller has AVX-512; every start is that of a block.
    unsafe {
        let mut vectors = [_mm512_setzero_si512(); TILE_ROWS];
        let mut halves = [[[0u16; TILE_ROWS]; 2]; 2];
        for (row, vector) in vectors.iter_mut().enumerate() {
            let blocks = starts.map(|starts| starts[row]);
            *vector = F::quants(blocks);
            for (halves, block) in halves.iter_mut().zip(blocks) {
                halves[0][row] = block.cast::<u16>().read_unaligned();
                if F::MINIMUM {
                    halves[1][row] = block.add(2).cast::<u16>().read_unaligned();
                }
            }
        }
        let wide =
            |halves: &[u16; TILE_ROWS]| _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast()));
        Unpacked {
            quants: lanes::transposed(&vectors),
            scales: [wide(&halves[0][0]), wide(&halves[1][0])],
            minima: [wide(&halves[0][1]), wide(&halves[1][1])],
        }
    }
}

/// Adds the parts of `BLOCKS` unpacked blocks to the sums of all `rows`.
#[inline(always)]
unsafe fn multiply_all<F: SmallBlock, L: Level, const BLOCKS: usize>(
    unpacked: &Unpacked,
    activations: &Activations<'_>,
    rows: Range<usize>,
    block: usize,
    sums: &mut [[f32; TILE_ROWS]],
) {
    let (mut row, mut sums) = (rows.start, sums);
    // SAFETY: the caller's; rows are below `rows.end`.
    unsafe {
        while rows.end - row >= 8 {
            multiply::<F, L, BLOCKS, 8>(unpacked, activations, row, block, sums);
            (row, sums) = (row + 8, &mut sums[8..]);
        }
        if rows.end - row >= 4 {
            multiply::<F, L, BLOCKS, 4>(unpacked, activations, row, block, sums);
            (row, sums) = (row + 4, &mut sums[4..]);
        }
        while row < rows.end {
            multiply::<F, L, BLOCKS, 1>(unpacked, activations, row, block, sums);
            (row, sums) = (row + 1, &mut sums[1..]);
        }
    }
}

/// [`multiply_all`] for activation rows `first..first + ROWS`.
#[inline(always)]
unsafe fn multiply<F: SmallBlock, L: Level, const BLOCKS: usize, const ROWS: usize>(
    unpacked: &Unpacked,
    activations: &Activations<'_>,
    first: usize,
    block: usize,
    sums: &mut [[f32; TILE_ROWS]],
) {
    let rows: [Row; ROWS] =
        core::array::from_fn(|row| Row::new(activations, first + row).from(block));
    // SAFETY: the caller has the level; the row has `BLOCKS` blocks from `block` on.
    unsafe {
        let mut totals: [__m512; ROWS] =
            core::array::from_fn(|row| _mm512_loadu_ps(sums[row].as_ptr()));
        for index in 0..BLOCKS {
            let mut products = [_mm512_setzero_si512(); ROWS];
            let quants = &unpacked.quants[index * 8..(index + 1) * 8];
            for (i, &quants) in quants.iter().enumerate() {
                for (products, row) in products.iter_mut().zip(rows) {
                    let x = lanes::load_dword(row.quants.add(index * ELEMENTS + 4 * i));
                    *products = dot::<F, L>(*products, quants, x);
                }
            }
            for ((total, isum), row) in totals.iter_mut().zip(products).zip(rows) {
                let dx = _mm512_set1_ps(*row.scales.add(index));
                let x_sums = lanes::load_dword(row.sums.add(2 * index));
                let (scale, minimum) = (unpacked.scales[index], unpacked.minima[index]);
                let part = combine::<F>(scale, minimum, dx, isum, x_sums);
                *total = _mm512_add_ps(*total, part);
            }
        }
        for (sums, total) in sums.iter_mut().zip(totals) {
            _mm512_storeu_ps(sums.as_mut_ptr(), total);
        }
    }
}
