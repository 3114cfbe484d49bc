//! How fast the machine can read memory: the bound that decoding is measured against.
//!
//! A loop that does nothing but load every byte once, in the widest registers there are and with
//! prefetching, over the very file that the model lies in. What it reads is folded into one word,
//! so that no load can be left out.
// Unsafe: loads of instruction sets that were detected, and prefetches.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use picolm_core::port::Parallel;

/// Bytes that a worker takes at a time: some 50 microseconds of reading, so that a file of a few
/// megabytes is shared evenly, and the end of each, where prefetching begins anew, is nothing.
const PIECE_BYTES: usize = 1 << 20;

/// Reads `bytes` once, with all workers. Returns the exclusive or of its little-endian 64-bit
/// words, the last one filled up with zeroes.
pub fn read_all(parallel: &dyn Parallel, bytes: &[u8]) -> u64 {
    let fold = best_fold();
    let folded = AtomicU64::new(0);
    let pieces = bytes.len().div_ceil(PIECE_BYTES);
    parallel.run(pieces, &|_, piece| {
        let start = piece * PIECE_BYTES;
        let end = bytes.len().min(start + PIECE_BYTES);
        folded.fetch_xor(fold(&bytes[start..end]), Ordering::Relaxed);
    });
    folded.into_inner()
}

type Fold = fn(&[u8]) -> u64;

/// The definition of what every fold computes.
fn fold_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // Eight words at a time have no order among them, and become vectors where there are such.
    let (lines, words) = words.as_chunks::<8>();
    let mut lanes = [0; 8];
    for line in lines {
        for (lane, word) in lanes.iter_mut().zip(line) {
            *lane ^= u64::from_le_bytes(*word);
        }
    }
    let words = words.iter().fold(0, |folded, word| folded ^ u64::from_le_bytes(*word));
    lanes.iter().fold(words ^ u64::from_le_bytes(last), |folded, lane| folded ^ lane)
}

#[cfg(not(target_arch = "x86_64"))]
fn best_fold() -> Fold {
    fold_words
}

#[cfg(target_arch = "x86_64")]
use x86_64::best_fold;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::{Fold, fold_words};
    use core::arch::x86_64::*;
    use std::arch::is_x86_feature_detected as has;

    /// A cache line: what a load of memory brings.
    const LINE: usize = 64;

    /// Lines of one turn of the loop.
    const UNROLL: usize = 4;

    /// How far ahead to prefetch: with 100 ns from memory and 15 to 25 GB/s, 1.5 to 2.5 KB are on
    /// their way. From 1 to 8 KB it made no difference that could be told from noise.
    pub(super) const AHEAD_BYTES: usize = 4 << 10;

    pub(super) fn best_fold() -> Fold {
        if has!("avx512f") {
            fold_avx512
        } else if has!("avx2") {
            fold_avx2
        } else {
            fold_words
        }
    }

    fn fold_avx512(bytes: &[u8]) -> u64 {
        assert!(has!("avx512f"));
        // SAFETY: the feature was just asked for.
        unsafe { fold_512(bytes) }
    }

    fn fold_avx2(bytes: &[u8]) -> u64 {
        assert!(has!("avx2"));
        // SAFETY: the feature was just asked for.
        unsafe { fold_256(bytes) }
    }

    /// Asks the cache for the line at `ahead`.
    // Without features: where they are, compilers differ on whether the call is unsafe.
    #[inline(always)]
    fn prefetch(ahead: *const u8) {
        // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint that never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(ahead.cast()) };
    }

    #[target_feature(enable = "avx512f")]
    fn fold_512(bytes: &[u8]) -> u64 {
        let (turns, rest) = bytes.as_chunks::<{ UNROLL * LINE }>();
        let mut folded = [_mm512_setzero_si512(); UNROLL];
        for turn in turns {
            let start = turn.as_ptr();
            for (index, folded) in folded.iter_mut().enumerate() {
                prefetch(start.wrapping_add(index * LINE + AHEAD_BYTES));
                // SAFETY: `turn` has UNROLL lines, `index` is below UNROLL, and loadu needs no
                // alignment.
                let line = unsafe { _mm512_loadu_si512(start.add(index * LINE).cast()) };
                *folded = _mm512_xor_si512(*folded, line);
            }
        }
        let folded = folded.into_iter().fold(_mm512_setzero_si512(), |a, b| _mm512_xor_si512(a, b));
        let mut lanes = [0u8; LINE];
        // SAFETY: `lanes` has the 64 bytes of the register.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), folded) };
        fold_words(&lanes) ^ fold_words(rest)
    }

    #[target_feature(enable = "avx2")]
    fn fold_256(bytes: &[u8]) -> u64 {
        let (turns, rest) = bytes.as_chunks::<{ UNROLL * LINE }>();
        let mut folded = [_mm256_setzero_si256(); 2 * UNROLL];
        for turn in turns {
            let start = turn.as_ptr();
            for (index, folded) in folded.iter_mut().enumerate() {
                if index % 2 == 0 {
                    prefetch(start.wrapping_add(index * LINE / 2 + AHEAD_BYTES));
                }
                // SAFETY: `turn` has 2 * UNROLL half lines, `index` is below that, and loadu needs
                // no alignment.
                let half = unsafe { _mm256_loadu_si256(start.add(index * LINE / 2).cast()) };
                *folded = _mm256_xor_si256(*folded, half);
            }
        }
        let folded = folded.into_iter().fold(_mm256_setzero_si256(), |a, b| _mm256_xor_si256(a, b));
        let mut lanes = [0u8; LINE / 2];
        // SAFETY: `lanes` has the 32 bytes of the register.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), folded) };
        fold_words(&lanes) ^ fold_words(rest)
    }

    #[cfg(test)]
    pub(super) fn folds() -> Vec<Fold> {
        let mut folds: Vec<Fold> = vec![best_fold()];
        if has!("avx2") {
            folds.push(fold_avx2);
        }
        folds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picolm_core::port::Serial;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// Word by word, byte by byte.
    fn expected(bytes: &[u8]) -> u64 {
        let byte_at = |(index, &byte): (usize, &u8)| u64::from(byte) << (index % 8 * 8);
        bytes.iter().enumerate().map(byte_at).fold(0, |folded, byte| folded ^ byte)
    }

    #[test]
    fn every_byte_is_read_by_every_loop() {
        let all = bytes(3000);
        for start in [0, 1, 63] {
            for count in (0..600).chain([2048, 2937]) {
                let part = &all[start..start + count];
                assert_eq!(fold_words(part), expected(part), "{start} {count}");
                #[cfg(target_arch = "x86_64")]
                for fold in x86_64::folds() {
                    assert_eq!(fold(part), expected(part), "{start} {count}");
                }
            }
        }
    }

    #[test]
    fn pieces_make_the_whole() {
        let all = bytes(2 * PIECE_BYTES + 12_345);
        assert_eq!(read_all(&Serial, &all), expected(&all));
        assert_eq!(read_all(&crate::threads::Pool::new(3), &all), expected(&all));
        assert_eq!(read_all(&Serial, &[]), 0);
    }
}
