//! Blocks of 32 times many activation rows: 16 weight rows are unpacked once, the rows in lanes.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::{ELEMENTS, Row, TILE_ROWS, combine, no_block};
use crate::kernels::Activations;
use crate::kernels::x86_64::avx512::lanes::{self, Level};
use crate::kernels::x86_64::avx512::unpack::quants_of_two;
use crate::kernels::x86_64::prefetch::{prefetch_at, prefetch_soon};
use crate::quant::BlockFormat;
use core::arch::x86_64::*;

/// Two blocks of 16 weight rows, unpacked with the rows in lanes.
struct Unpacked {
    /// Four weights of each row.
    quants: [__m512i; 2 * ELEMENTS / 4],
    scales: [__m512; 2],
    minima: [__m512; 2],
}

/// Up to 16 weight rows times the activation rows from `first` on, as many as there are `sums`, to
/// which they are added.
///
/// # Safety
///
/// The CPU has the level; `weights` is 1 to 16 rows of `blocks` blocks.
#[inline(always)]
pub(super) unsafe fn tile<F: BlockFormat, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    blocks: usize,
    sums: &mut [[f32; TILE_ROWS]],
) {
    for block in (0..blocks).step_by(2) {
        // The next 16 rows follow these: a part of them for each pair of blocks, in their order.
        let next = weights.len() + block * TILE_ROWS * F::BYTES;
        prefetch_at(weights.as_ptr().wrapping_add(next), 2 * TILE_ROWS * F::BYTES);
        let count = 2.min(blocks - block);
        let starts: [[*const u8; TILE_ROWS]; 2] = core::array::from_fn(|i| {
            core::array::from_fn(|row| {
                let start = (row * blocks + block + i) * F::BYTES;
                match weights.get(start..) {
                    Some(bytes) if i < count && !bytes.is_empty() => bytes.as_ptr(),
                    _ => no_block::<F>(),
                }
            })
        });
        // SAFETY: the caller's; every row of the chunk is one of the batch, and `count` says
        // whether there is a second block.
        unsafe {
            let unpacked = unpack::<F>(starts);
            if count == 2 {
                multiply_all::<F, L, 2>(&unpacked, activations, first, block, sums);
            } else {
                multiply_all::<F, L, 1>(&unpacked, activations, first, block, sums);
            }
        }
    }
}

/// Unpacks two blocks of each of 16 rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn unpack<F: BlockFormat>(starts: [[*const u8; TILE_ROWS]; 2]) -> Unpacked {
    // SAFETY: every start is that of a block.
    unsafe {
        let mut vectors = [_mm512_setzero_si512(); TILE_ROWS];
        let mut halves = [[[0u16; TILE_ROWS]; 2]; 2];
        for (row, vector) in vectors.iter_mut().enumerate() {
            let blocks = starts.map(|starts| starts[row]);
            prefetch_soon(blocks[1].wrapping_add(F::BYTES), 64);
            *vector = quants_of_two::<F>(blocks);
            for (halves, block) in halves.iter_mut().zip(blocks) {
                let half = |at: usize| block.add(at).cast::<u16>().read_unaligned();
                halves[0][row] = half(F::LAYOUT.scale);
                if let Some(at) = const { F::LAYOUT.minimum_at() } {
                    halves[1][row] = half(at);
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn wide_halves(halves: &[u16; TILE_ROWS]) -> __m512 {
    // SAFETY: `halves` are 32 bytes.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast())) }
}

/// Adds the parts of `BLOCKS` unpacked blocks to the sums of all `rows`.
#[inline(always)]
unsafe fn multiply_all<F: BlockFormat, L: Level, const BLOCKS: usize>(
    unpacked: &Unpacked,
    activations: &Activations<'_>,
    first: usize,
    block: usize,
    sums: &mut [[f32; TILE_ROWS]],
) {
    let mut row = first;
    let (eights, rest) = sums.as_chunks_mut::<8>();
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
unsafe fn multiply<F: BlockFormat, L: Level, const BLOCKS: usize, const ROWS: usize>(
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
            let isums = if F::IS_SIGNED {
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
