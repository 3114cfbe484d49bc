//! Products of unsigned weights and signed activations: what AVX2 and AVX-VNNI do differently.
//!
//! `maddubs` adds two products in 16 bits, saturating; every bound below keeps them exact.
//! `dpbusd` adds four in 32 bits. The loops over blocks are written once, over [`Dot`].
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// How bytes are multiplied and summed.
///
/// # Safety
///
/// Methods run on CPUs with the features that the implementation names only.
///
/// `u` holds unsigned quants, `x` activations within -127..=127; `2 * 127 * u` fits in 16 bits.
pub(super) trait Dot {
    /// How many times partial sums can be [`add`](Self::add)ed to before a `finish`, for quants up
    /// to `max` and groups of `group` times four: a power of two like `group`.
    fn adds(max: i32, group: usize) -> usize;

    /// Adds each four products to a 32-bit lane of `sum`.
    unsafe fn dot(sum: __m256i, u: __m256i, x: __m256i) -> __m256i;

    /// The same with all products multiplied by the 16-bit `scales`, both of a lane equal.
    unsafe fn dot_scaled(sum: __m256i, u: __m256i, x: __m256i, scales: __m256i) -> __m256i;

    /// Adds each four products to partial sums.
    unsafe fn add(partial: __m256i, u: __m256i, x: __m256i) -> __m256i;

    /// Adds partial sums to 32-bit sums.
    unsafe fn finish(sum: __m256i, partial: __m256i) -> __m256i;

    /// Adds partial sums times the 16-bit `scales`, both of a lane equal, to 32-bit sums.
    unsafe fn finish_scaled(sum: __m256i, partial: __m256i, scales: __m256i) -> __m256i;

    /// [`dot_scaled`](Self::dot_scaled) of two vectors with the same scales; `4 * 127 * u` fits in
    /// 16 bits.
    unsafe fn dot_two_scaled(
        sum: __m256i,
        u: [__m256i; 2],
        x: [__m256i; 2],
        scales: __m256i,
    ) -> __m256i;

    /// Sums each half: that of vector `i`'s lower half goes to lane `i`, of its upper half to lane
    /// `i + 4`. Each vector is the result of two [`add`](Self::add)s of quants up to `max`, where
    /// four are possible, or of two [`dot`](Self::dot)s.
    unsafe fn reduce_halves(vectors: [__m256i; 4], max: i32) -> __m256i;

    /// Adds [`reduce_halves`](Self::reduce_halves) times the 16-bit `scales`, both of a lane equal,
    /// to 32-bit sums.
    #[inline(always)]
    unsafe fn reduce_scaled(
        sum: __m256i,
        vectors: [__m256i; 4],
        max: i32,
        scales: __m256i,
    ) -> __m256i {
        // SAFETY: the caller has what this implementation needs, and AVX2.
        unsafe { add_scaled(sum, Self::reduce_halves(vectors, max), scales) }
    }
}

/// Adds 32-bit sums times the 16-bit `scales`, both of a lane equal.
#[inline]
#[target_feature(enable = "avx2")]
fn add_scaled(sum: __m256i, sums: __m256i, scales: __m256i) -> __m256i {
    let scales = _mm256_srai_epi32::<16>(scales);
    _mm256_add_epi32(sum, _mm256_mullo_epi32(sums, scales))
}

/// [`Dot::reduce_halves`] of 32-bit sums.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn reduce_halves(vectors: [__m256i; 4]) -> __m256i {
    let [a, b, c, d] = vectors;
    _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d))
}

/// `maddubs`, then `madd` with 1 or with the scale.
pub(super) struct Avx2;

impl Dot for Avx2 {
    #[inline(always)]
    fn adds(max: i32, group: usize) -> usize {
        let mut adds = group;
        while adds as i32 * 2 * max * MAX_QUANT > i32::from(i16::MAX) {
            adds /= 2;
        }
        adds
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn dot(sum: __m256i, u: __m256i, x: __m256i) -> __m256i {
        // SAFETY: this function has the same features.
        unsafe { Self::finish(sum, _mm256_maddubs_epi16(u, x)) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn dot_scaled(sum: __m256i, u: __m256i, x: __m256i, scales: __m256i) -> __m256i {
        // SAFETY: this function has the same features.
        unsafe { Self::finish_scaled(sum, _mm256_maddubs_epi16(u, x), scales) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn add(partial: __m256i, u: __m256i, x: __m256i) -> __m256i {
        _mm256_add_epi16(partial, _mm256_maddubs_epi16(u, x))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn finish(sum: __m256i, partial: __m256i) -> __m256i {
        // SAFETY: this function has the same features.
        unsafe { Self::finish_scaled(sum, partial, _mm256_set1_epi16(1)) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn finish_scaled(sum: __m256i, partial: __m256i, scales: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(partial, scales))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn dot_two_scaled(
        sum: __m256i,
        u: [__m256i; 2],
        x: [__m256i; 2],
        scales: __m256i,
    ) -> __m256i {
        // SAFETY: this function has the same features.
        unsafe {
            let partial = _mm256_maddubs_epi16(u[0], x[0]);
            Self::finish_scaled(sum, Self::add(partial, u[1], x[1]), scales)
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn reduce_halves(vectors: [__m256i; 4], max: i32) -> __m256i {
        let [a, b, c, d] = vectors;
        // SAFETY: this function has the same features.
        unsafe {
            let zero = _mm256_setzero_si256();
            match Self::adds(max, 8) {
                8 => Self::finish(zero, reduce_to_pairs(vectors)),
                4 => {
                    let [ab, cd] = [_mm256_hadd_epi16(a, b), _mm256_hadd_epi16(c, d)];
                    _mm256_hadd_epi32(Self::finish(zero, ab), Self::finish(zero, cd))
                }
                _ => reduce_halves(vectors),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn reduce_scaled(
        sum: __m256i,
        vectors: [__m256i; 4],
        max: i32,
        scales: __m256i,
    ) -> __m256i {
        // SAFETY: this function has the same features.
        unsafe {
            match Self::adds(max, 8) {
                8 => Self::finish_scaled(sum, reduce_to_pairs(vectors), scales),
                _ => add_scaled(sum, Self::reduce_halves(vectors, max), scales),
            }
        }
    }
}

/// [`Dot::reduce_halves`] of 16-bit sums but for the last step. A half is eight of them: two, then
/// four, stay within 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn reduce_to_pairs(vectors: [__m256i; 4]) -> __m256i {
    let [a, b, c, d] = vectors;
    _mm256_hadd_epi16(_mm256_hadd_epi16(a, b), _mm256_hadd_epi16(c, d))
}

/// Declares a [`Dot`] over a `dpbusd` and a `dpwssd`, after the features that these need: the
/// VEX-coded ones of AVX-VNNI, and for tests those of AVX512-VNNI, which more machines have.
macro_rules! vnni_dot {
    ($(#[$doc:meta])* $name:ident, $features:literal, $dpbusd:ident, $dpwssd:ident) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl Dot for $name {
            #[inline(always)]
            fn adds(_: i32, group: usize) -> usize {
                group
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn dot(sum: __m256i, u: __m256i, x: __m256i) -> __m256i {
                $dpbusd(sum, u, x)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn dot_scaled(sum: __m256i, u: __m256i, x: __m256i, s: __m256i) -> __m256i {
                $dpwssd(sum, _mm256_maddubs_epi16(u, x), s)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn add(partial: __m256i, u: __m256i, x: __m256i) -> __m256i {
                $dpbusd(partial, u, x)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn finish(sum: __m256i, partial: __m256i) -> __m256i {
                _mm256_add_epi32(sum, partial)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn finish_scaled(sum: __m256i, partial: __m256i, s: __m256i) -> __m256i {
                // A group's sum has more than 16 bits.
                add_scaled(sum, partial, s)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn dot_two_scaled(
                sum: __m256i,
                u: [__m256i; 2],
                x: [__m256i; 2],
                scales: __m256i,
            ) -> __m256i {
                let a = _mm256_maddubs_epi16(u[0], x[0]);
                let b = _mm256_maddubs_epi16(u[1], x[1]);
                $dpwssd(sum, _mm256_add_epi16(a, b), scales)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn reduce_halves(vectors: [__m256i; 4], _: i32) -> __m256i {
                reduce_halves(vectors)
            }
        }
    };
}

vnni_dot! {
    /// AVX-VNNI.
    AvxVnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32, _mm256_dpwssd_avx_epi32
}

#[cfg(test)]
vnni_dot! {
    /// The same instructions, EVEX-coded: AVX512-VNNI with AVX512-VL.
    Avx512Vnni, "avx2,avx512vl,avx512vnni", _mm256_dpbusd_epi32, _mm256_dpwssd_epi32
}
