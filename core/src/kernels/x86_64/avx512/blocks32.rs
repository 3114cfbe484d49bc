//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 on AVX-512: blocks of 32 weights with int8 activations.
//!
//! Two blocks fill a vector of 64 unsigned quants in the order of the weights, so activations stay
//! in theirs.
//!
//! **Few rows** (decode): sixteen blocks of a weight row at a time; the sums of all sixteen are
//! reduced together and their float parts computed in lanes. The parts of sixteen weight rows
//! are then transposed and added up side by side, blocks ascending: a row alone would wait for each
//! addition.
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
use core::mem::MaybeUninit;
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

/// Weight rows whose parts are added up side by side, in lanes.
const GROUP_ROWS: usize = 16;

/// Blocks of a row whose parts are kept at a time: 16 * 256 * 4 bytes stay in L1, and rows of 8,192
/// weights are walked to their end.
const GROUP_BLOCKS: usize = 256;

/// Stands in for two blocks of a row that does not exist: scale 0 makes their parts 0.
static NO_BLOCK: [u8; 128] = [0; 128];

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
        let a = _mm512_broadcast_i32x4(_mm_loadu_si128(starts[0].cast()));
        let both = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(starts[1].cast()));
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
            let a = _mm256_loadu_si256(blocks[0].add(Self::QUANTS.start).cast());
            let b = _mm256_loadu_si256(blocks[1].add(Self::QUANTS.start).cast());
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
        let mut parts = MaybeUninit::uninit();
        for column in (0..out.columns()).step_by(GROUP_ROWS) {
            let count = GROUP_ROWS.min(out.columns() - column);
            let weights = &weights[column * row_bytes..][..count * row_bytes];
            for row in 0..activations.rows {
                let x = (blocks > 0).then(|| Row::new(activations, row));
                let dots = match x {
                    // SAFETY: the caller's; `weights` is `count` rows of `blocks` blocks.
                    Some(x) => unsafe { dots::<F, L>(weights, count, x, blocks, &mut parts) },
                    None => [0.0; GROUP_ROWS],
                };
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

/// The parts of a group's blocks: whole units of up to 256 blocks. `[units, GROUP_ROWS, UNIT]`
type Parts = [[[f32; UNIT]; GROUP_ROWS]; GROUP_BLOCKS / UNIT];

/// Up to 16 weight rows times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` is `count` (at most 16) rows of `blocks` blocks.
#[inline(always)]
unsafe fn dots<F: SmallBlock, L: Level>(
    weights: &[u8],
    count: usize,
    x: Row,
    blocks: usize,
    parts: &mut MaybeUninit<Parts>,
) -> [f32; GROUP_ROWS] {
    let parts = parts.as_mut_ptr().cast::<[[f32; UNIT]; GROUP_ROWS]>();
    let mut dots = [0.0; GROUP_ROWS];
    // SAFETY: the caller's. Of `parts`, the `units` first entries are written for `count` rows before
    // they are read; the lanes of other rows may hold anything and are not used.
    unsafe {
        let mut sums = _mm512_setzero_ps();
        for first in (0..blocks).step_by(GROUP_BLOCKS) {
            let here = GROUP_BLOCKS.min(blocks - first);
            let units = here / UNIT;
            for row in 0..GROUP_ROWS {
                for unit in 0..units {
                    let at = parts.add(unit).cast::<[f32; UNIT]>().add(row);
                    if row < count {
                        let block = first + unit * UNIT;
                        let start = weights.as_ptr().add((row * blocks + block) * F::BYTES);
                        unit_parts::<F, L>(start, x.from(block), &mut *at);
                    } else {
                        *at = [0.0; UNIT];
                    }
                }
            }
            for unit in 0..units {
                let rows = (*parts.add(unit)).as_ptr();
                let mut vectors = [_mm512_setzero_si512(); GROUP_ROWS];
                for (row, vector) in vectors.iter_mut().enumerate() {
                    *vector = lanes::load(rows.add(row).cast());
                }
                for block in lanes::transposed(&vectors) {
                    sums = _mm512_add_ps(sums, _mm512_castsi512_ps(block));
                }
            }
            for block in (first + units * UNIT..first + here).step_by(2) {
                let row = |row: usize| {
                    let start = (row * blocks + block) * F::BYTES;
                    if row < count { weights.as_ptr().add(start) } else { NO_BLOCK.as_ptr() }
                };
                let second = block + 1 < blocks;
                let (low, high) = (core::array::from_fn(row), core::array::from_fn(|i| row(8 + i)));
                let low = pair_parts::<F, L>(low, x.from(block), second);
                let high = pair_parts::<F, L>(high, x.from(block), second);
                let even =
                    _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                sums = _mm512_add_ps(sums, _mm512_permutex2var_ps(low, even, high));
                if second {
                    let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
                    sums = _mm512_add_ps(sums, _mm512_permutex2var_ps(low, odd, high));
                }
            }
        }
        _mm512_storeu_ps(dots.as_mut_ptr(), sums);
    }
    dots
}

/// The parts of the 16 blocks at `start`.
#[inline(always)]
unsafe fn unit_parts<F: SmallBlock, L: Level>(start: *const u8, x: Row, parts: &mut [f32; UNIT]) {
    // SAFETY: the caller's level and pointers.
    unsafe {
        lanes::prefetch::<{ 16 * 20 }>(start);
        let mut sums = [_mm512_setzero_si512(); UNIT / 2];
        for (pair, sum) in sums.iter_mut().enumerate() {
            let block = start.add(2 * pair * F::BYTES);
            let quants = F::quants([block, block.add(F::BYTES)]);
            *sum = dot::<F, L>(*sum, quants, lanes::load(x.quants.add(2 * pair * ELEMENTS)));
        }
        let isum = block_sums(sums);
        let scale = every_half::<F, 0>(start);
        let minimum = if F::MINIMUM { every_half::<F, 2>(start) } else { _mm512_setzero_ps() };
        let dx = _mm512_loadu_ps(x.scales);
        let x_sums = lanes::load(x.sums.cast());
        _mm512_storeu_ps(parts.as_mut_ptr(), combine::<F>(scale, minimum, dx, isum, x_sums));
    }
}

/// The f16 at byte `at` (even) of each of the 16 blocks at `start`, as f32.
///
/// The blocks are read 64 bytes at a time, and a permutation of words takes from each what lies in
/// it. A word's place within 64 bytes is its place in all modulo 32, so that all permutations are
/// the same and only their masks differ.
#[inline(always)]
unsafe fn every_half<F: SmallBlock, const AT: usize>(start: *const u8) -> __m512 {
    // SAFETY: the caller has AVX-512 and 16 blocks at `start`; the last load ends with them.
    unsafe {
        let place = const { Places::new(F::BYTES, AT) };
        let index = lanes::load((&raw const place.words).cast());
        let mut halves = _mm512_setzero_si512();
        for (part, &mask) in place.masks.iter().enumerate() {
            // The words of this part, or none.
            let words = (UNIT * F::BYTES / 2).saturating_sub(32 * part).min(32);
            if words == 0 {
                break;
            }
            let bytes = start.add(64 * part);
            let bytes = if words == 32 {
                lanes::load(bytes)
            } else {
                _mm512_maskz_loadu_epi16((1 << words) - 1, bytes.cast())
            };
            halves = _mm512_mask_permutexvar_epi16(halves, mask, index, bytes);
        }
        _mm512_cvtph_ps(_mm512_castsi512_si256(halves))
    }
}

/// Where a field of 16 blocks lies.
struct Places {
    /// The word within its 64 bytes, for each block.
    words: [i16; 32],
    /// The blocks whose field lies in each 64 bytes, of at most 16 * 34.
    masks: [u32; 9],
}

impl Places {
    /// Of the field at byte `at` of blocks of `bytes` bytes, both even.
    const fn new(bytes: usize, at: usize) -> Self {
        let mut places = Self { words: [0; 32], masks: [0; 9] };
        let mut block = 0;
        while block < UNIT {
            let word = (block * bytes + at) / 2;
            places.words[block] = (word % 32) as i16;
            places.masks[word / 32] |= 1 << block;
            block += 1;
        }
        places
    }
}

/// The f16 at byte `at` of each of 16 blocks, as f32.
#[inline(always)]
unsafe fn pair_halves(pairs: [[*const u8; 2]; 8], at: usize) -> __m512 {
    let mut halves = [[0u16; 2]; 8];
    for (halves, pair) in halves.iter_mut().zip(pairs) {
        for (half, block) in halves.iter_mut().zip(pair) {
            // SAFETY: the caller's blocks have the field.
            *half = unsafe { block.add(at).cast::<u16>().read_unaligned() };
        }
    }
    // SAFETY: the caller has AVX-512; `halves` are 32 bytes.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast())) }
}

/// The parts of one block or two of each of 8 weight rows, row by row: what is left of the rows when
/// it is too little for a unit.
#[inline(always)]
unsafe fn pair_parts<F: SmallBlock, L: Level>(
    rows: [*const u8; 8],
    x: Row,
    second: bool,
) -> __m512 {
    // SAFETY: the caller's level and pointers; without a second block nothing of it is read.
    unsafe {
        let pairs = rows
            .map(|row| [row, if second { row.wrapping_add(F::BYTES) } else { NO_BLOCK.as_ptr() }]);
        let quants = if second {
            lanes::load(x.quants)
        } else {
            _mm512_zextsi256_si512(_mm256_loadu_si256(x.quants.cast()))
        };
        let mut sums = [_mm512_setzero_si512(); 8];
        for (sum, pair) in sums.iter_mut().zip(pairs) {
            *sum = dot::<F, L>(*sum, F::quants(pair), quants);
        }
        let scale = pair_halves(pairs, 0);
        let minimum = if F::MINIMUM { pair_halves(pairs, 2) } else { _mm512_setzero_ps() };
        let dx = [*x.scales, if second { *x.scales.add(1) } else { 0.0 }];
        let dx = _mm512_castpd_ps(_mm512_set1_pd(dx.as_ptr().cast::<f64>().read_unaligned()));
        let x_sums = [
            [*x.sums, *x.sums.add(1)],
            if second { [*x.sums.add(2), *x.sums.add(3)] } else { [0, 0] },
        ];
        let x_sums = _mm512_set1_epi64(x_sums.as_ptr().cast::<i64>().read_unaligned());
        combine::<F>(scale, minimum, dx, block_sums(sums), x_sums)
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
        // The next 16 rows follow these: a part of them for each pair of blocks, in their order.
        let next = weights.len() + block * TILE_ROWS * F::BYTES;
        lanes::prefetch_at(weights.as_ptr().wrapping_add(next), 2 * TILE_ROWS * F::BYTES);
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
            lanes::prefetch_soon::<64>(blocks[1].wrapping_add(F::BYTES));
            *vector = F::quants(blocks);
            for (halves, block) in halves.iter_mut().zip(blocks) {
                halves[0][row] = block.cast::<u16>().read_unaligned();
                if F::MINIMUM {
                    halves[1][row] = block.add(2).cast::<u16>().read_unaligned();
                }
            }
        }
        Unpacked {
            quants: lanes::transposed(&vectors),
            scales: [wide_halves(&halves[0][0]), wide_halves(&halves[1][0])],
            minima: [wide_halves(&halves[0][1]), wide_halves(&halves[1][1])],
        }
    }
}

/// 16 f16 as f32.
#[inline(always)]
unsafe fn wide_halves(halves: &[u16; TILE_ROWS]) -> __m512 {
    // SAFETY: the caller has AVX-512; `halves` are 32 bytes.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast())) }
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
    let mut row = rows.start;
    let (eights, rest) = sums[..rows.len()].as_chunks_mut::<8>();
    let (fours, ones) = rest.as_chunks_mut::<4>();
    // SAFETY: the caller's; there is an activation row for each entry of `sums`.
    unsafe {
        for sums in eights {
            multiply::<F, L, BLOCKS, 8>(unpacked, activations, row, block, sums);
            row += 8;
        }
        for sums in fours {
            multiply::<F, L, BLOCKS, 4>(unpacked, activations, row, block, sums);
            row += 4;
        }
        for sums in ones.as_chunks_mut::<1>().0 {
            multiply::<F, L, BLOCKS, 1>(unpacked, activations, row, block, sums);
            row += 1;
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
    sums: &mut [[f32; TILE_ROWS]; ROWS],
) {
    let start = Row::new(activations, first).from(block);
    let blocks = activations.columns / ELEMENTS;
    // SAFETY: the caller has the level; the batch has `ROWS` rows from `first` on, and they have
    // `BLOCKS` blocks from `block` on.
    unsafe {
        let mut totals = [_mm512_setzero_ps(); ROWS];
        for (total, sums) in totals.iter_mut().zip(&*sums) {
            *total = _mm512_loadu_ps(sums.as_ptr());
        }
        for (index, quants) in unpacked.quants.as_chunks::<8>().0[..BLOCKS].iter().enumerate() {
            let row = start.from(index);
            let x = row.quants.cast();
            let isums = if F::OFFSET > 64 {
                lanes::products::<L, false, 8, ROWS>(quants, x, activations.columns)
            } else {
                lanes::products::<L, true, 8, ROWS>(quants, x, activations.columns)
            };
            for (i, (total, isum)) in totals.iter_mut().zip(isums).enumerate() {
                let dx = _mm512_set1_ps(*row.scales.add(i * blocks));
                let x_sums = lanes::load_dword(row.sums.add(2 * i * blocks));
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
