//! Blocks of 32 times few activation rows: weight rows are walked to their ends, 16 blocks at once.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::{ELEMENTS, Row, combine, dot, no_block};
use crate::kernels::x86_64::avx512::lanes::{self, Level};
use crate::kernels::x86_64::avx512::unpack::quants_of_two;
use crate::kernels::x86_64::prefetch::prefetch;
use crate::quant::BlockFormat;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Blocks whose sums are reduced together.
const UNIT: usize = 16;

/// Weight rows whose parts are added up side by side, in lanes.
pub(super) const GROUP_ROWS: usize = 16;

/// Blocks of a row whose parts are kept at a time: 16 * 256 * 4 bytes stay in L1, and rows of 8,192
/// weights are walked to their end.
const GROUP_BLOCKS: usize = 256;

/// The parts of a group's blocks: whole units of up to 256 blocks. `[units, GROUP_ROWS, UNIT]`
pub(super) type Parts = [[[f32; UNIT]; GROUP_ROWS]; GROUP_BLOCKS / UNIT];

/// Up to 16 weight rows times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` is `count` (at most 16) rows of `blocks` blocks.
#[inline(always)]
pub(super) unsafe fn dots<F: BlockFormat, L: Level>(
    weights: &[u8],
    count: usize,
    x: Row,
    blocks: usize,
    parts: &mut MaybeUninit<Parts>,
) -> [f32; GROUP_ROWS] {
    let parts = parts.as_mut_ptr().cast::<[[f32; UNIT]; GROUP_ROWS]>();
    let mut dots = [0.0; GROUP_ROWS];
    // SAFETY: the caller's. Of `parts`, the `units` first entries are written before they are read.
    unsafe {
        let mut sums = _mm512_setzero_ps();
        for first in (0..blocks).step_by(GROUP_BLOCKS) {
            let here = GROUP_BLOCKS.min(blocks - first);
            let units = here / UNIT;
            for row in 0..GROUP_ROWS {
                let mut start = weights.as_ptr().wrapping_add((row * blocks + first) * F::BYTES);
                for unit in 0..units {
                    let at = parts.add(unit).cast::<[f32; UNIT]>().add(row);
                    if row < count {
                        unit_parts::<F, L>(start, x.from(first + unit * UNIT), at.cast());
                        start = start.wrapping_add(UNIT * F::BYTES);
                    } else {
                        *at = [0.0; UNIT];
                    }
                }
                // What the row has left is read with that of the other rows.
                prefetch(start, (here - units * UNIT) * F::BYTES);
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
                    if row < count { weights.as_ptr().add(start) } else { no_block::<F>() }
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

/// The parts of the 16 blocks at `start`, written to `parts`.
#[inline(always)]
unsafe fn unit_parts<F: BlockFormat, L: Level>(start: *const u8, x: Row, parts: *mut f32) {
    // SAFETY: the caller's level and pointers.
    unsafe {
        prefetch(start, UNIT * F::BYTES);
        let mut sums = [_mm512_setzero_si512(); UNIT / 2];
        for (pair, sum) in sums.iter_mut().enumerate() {
            let block = start.add(2 * pair * F::BYTES);
            let quants = quants_of_two::<F>([block, block.add(F::BYTES)]);
            *sum = dot::<F, L>(*sum, quants, lanes::load(x.quants.add(2 * pair * ELEMENTS)));
        }
        let isum = block_sums(sums);
        let scale = every_half::<F>(start, const { &Places::new(F::BYTES, F::LAYOUT.scale) });
        let minimum = match const { F::LAYOUT.minimum_at() } {
            Some(_) => every_half::<F>(start, const { &Places::of_minimum::<F>() }),
            None => _mm512_setzero_ps(),
        };
        let dx = _mm512_loadu_ps(x.scales);
        let x_sums = lanes::load(x.sums.cast());
        _mm512_storeu_ps(parts, combine::<F>(scale, minimum, dx, isum, x_sums));
    }
}

/// The f16 at `place` of each of the 16 blocks at `start`, as f32.
///
/// The blocks are read 64 bytes at a time, and a permutation of words takes from each what lies in
/// it. A word's place within 64 bytes is its place in all modulo 32, so that all permutations are
/// the same and only their masks differ.
#[inline(always)]
unsafe fn every_half<F: BlockFormat>(start: *const u8, place: &'static Places) -> __m512 {
    // SAFETY: the caller has AVX-512 and 16 blocks at `start`; the last load ends with them.
    unsafe {
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
    /// Of the format's minimum, if it has one.
    const fn of_minimum<F: BlockFormat>() -> Self {
        match F::LAYOUT.minimum_at() {
            Some(at) => Self::new(F::BYTES, at),
            None => Self::new(F::BYTES, 0),
        }
    }

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

/// The parts of one block or two of each of 8 weight rows, row by row: what is left of the rows
/// when it is too little for a unit.
#[inline(always)]
unsafe fn pair_parts<F: BlockFormat, L: Level>(
    rows: [*const u8; 8],
    x: Row,
    second: bool,
) -> __m512 {
    // SAFETY: the caller's level and pointers; without a second block nothing of it is read.
    unsafe {
        let pairs = rows
            .map(|row| [row, if second { row.wrapping_add(F::BYTES) } else { no_block::<F>() }]);
        let words = if second { 0xff } else { 0x0f };
        let quants = _mm512_maskz_loadu_epi64(words, x.quants.cast());
        let mut sums = [_mm512_setzero_si512(); 8];
        for (sum, pair) in sums.iter_mut().zip(pairs) {
            *sum = dot::<F, L>(*sum, quants_of_two::<F>(pair), quants);
        }
        let scale = pair_halves(pairs, F::LAYOUT.scale);
        let minimum = match const { F::LAYOUT.minimum_at() } {
            Some(at) => pair_halves(pairs, at),
            None => _mm512_setzero_ps(),
        };
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn block_sums(pairs: [__m512i; UNIT / 2]) -> __m512i {
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
