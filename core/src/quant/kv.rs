//! How keys and values are stored: f16, or ggml's Q8_0 and Q4_0 blocks of 32 elements of a head.
//!
//! A few elements of a key are often far larger than the others, and in a block they would take
//! the others' bits. So the block types store a head *mixed*: every 64 elements `x`
//! become `2^-a * H x`, where `H` is the Walsh-Hadamard matrix, whose entries are 1 and -1. As
//! `H H = n I`, a query that was mixed by `2^-b * H`, `2^(a + b) = n`, has the same dot product
//! with a mixed key as the query with the key, and what mixed values sum up to is mixed back by the
//! same `2^-b * H`. The idea is QuaRot's (Ashkboos et al. 2024, arXiv 2404.00456); powers of two
//! leave no rounding but that of the additions.
//!
//! Scales are rounded to f16 before anything is divided by them. Where a block holds an infinity
//! or a NaN its scale is NaN, so that the engine sees it in the logits.

use super::blocks32::{Q4_0, Q8_0};
use super::{BlockFormat, TensorType};
use crate::num::{f16, f16_to_f32, round_ties_even};

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// 16 bits an element.
    #[default]
    F16,
    /// 8.5 bits an element.
    Q8_0,
    /// 4.5 bits an element.
    Q4_0,
}

/// Elements that share a scale.
const BLOCK: usize = 32;

/// Elements that are mixed with each other: two blocks. Where one is left of a head, it alone is.
const MIXED: usize = 2 * BLOCK;

impl KvType {
    /// Every type, most bits first.
    pub const ALL: [Self; 3] = [Self::F16, Self::Q8_0, Self::Q4_0];

    /// The type's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }

    /// The type with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kv_type| kv_type.name() == name)
    }

    /// ggml's type of the same layout.
    pub const fn tensor_type(self) -> TensorType {
        match self {
            Self::F16 => TensorType::F16,
            Self::Q8_0 => TensorType::Q8_0,
            Self::Q4_0 => TensorType::Q4_0,
        }
    }

    /// Bytes of a head of `elements` elements; `None` where they are not whole blocks.
    pub fn head_bytes(self, elements: usize) -> Option<usize> {
        let bytes = self.tensor_type().bytes_for(elements as u64)?;
        usize::try_from(bytes).ok()
    }

    /// Whether heads are stored mixed.
    pub const fn is_mixed(self) -> bool {
        !matches!(self, Self::F16)
    }
}

/// Mixes what meets a mixed cache, in place: queries before, sums of values after. `x` is heads of
/// `head_elements`; what is not whole blocks is left as it is.
pub fn mix(x: &mut [f32], head_elements: usize) {
    for head in x.chunks_exact_mut(head_elements.max(1)) {
        let (pairs, rest) = head.as_chunks_mut::<MIXED>();
        for pair in pairs {
            *pair = mixed(pair, MIXED.ilog2().div_ceil(2));
        }
        for block in rest.as_chunks_mut::<BLOCK>().0 {
            *block = mixed(block, BLOCK.ilog2().div_ceil(2));
        }
    }
}

/// `2^-shift * H x`: each step adds and subtracts the two halves and interleaves what comes out.
// Its steps are spelled out: one copy for each length is enough.
#[inline(never)]
fn mixed<const N: usize>(x: &[f32; N], shift: u32) -> [f32; N] {
    const { assert!(N.is_power_of_two()) };
    let mut x = *x;
    for _ in 0..N.ilog2() {
        let mut next = [0.0; N];
        let (low, high) = x.split_at(N / 2);
        for ((pair, low), high) in next.as_chunks_mut::<2>().0.iter_mut().zip(low).zip(high) {
            *pair = [low + high, low - high];
        }
        x = next;
    }
    let factor = 1.0 / (1u32 << shift) as f32;
    x.map(|x| x * factor)
}

/// Encodes a head as Q8_0 blocks. Where lengths do not belong together the excess is left as it
/// was.
pub fn encode_q8_0(head: &[f32], out: &mut [u8]) {
    encode(head, out, encode_block_q8_0);
}

/// Encodes a head as Q4_0 blocks. Where lengths do not belong together the excess is left as it
/// was.
pub fn encode_q4_0(head: &[f32], out: &mut [u8]) {
    encode(head, out, encode_block_q4_0);
}

/// Mixes a head and encodes its blocks one by one.
#[inline(always)]
fn encode<const BYTES: usize>(
    head: &[f32],
    out: &mut [u8],
    encode_block: impl Fn(&[f32; BLOCK]) -> [u8; BYTES],
) {
    let mut blocks = out.as_chunks_mut::<BYTES>().0.iter_mut();
    let (pairs, rest) = head.as_chunks::<MIXED>();
    for pair in pairs {
        let pair = mixed(pair, MIXED.ilog2() / 2);
        for (x, block) in pair.as_chunks().0.iter().zip(&mut blocks) {
            *block = encode_block(x);
        }
    }
    for (x, block) in rest.as_chunks::<BLOCK>().0.iter().zip(blocks) {
        *block = encode_block(&mixed(x, BLOCK.ilog2() / 2));
    }
}

/// The element of greatest magnitude; NaN where one is infinite or not a number.
#[inline(always)]
fn greatest(x: &[f32; BLOCK]) -> f32 {
    // Without its sign bit a float orders as an integer does, NaN above infinity: no NaN is lost
    // in the maximum, as it would be with f32::max. The sign, put below, decides between equals.
    let key = |x: &f32| x.to_bits().rotate_left(1);
    let greatest = f32::from_bits(x.iter().fold(0, |most, x| most.max(key(x))).rotate_right(1));
    if greatest.is_finite() { greatest } else { f32::NAN }
}

/// A block's scale as it is stored, and what elements are multiplied by to become quants: 0 where
/// the scale has no reciprocal.
#[inline(always)]
fn stored_scale(scale: f32) -> ([u8; 2], f32) {
    let stored = f16::from_f32(scale).to_bits();
    let inverse = 1.0 / f16_to_f32(stored);
    (stored.to_le_bytes(), if inverse.is_finite() { inverse } else { 0.0 })
}

/// The greatest magnitude becomes 127 or -127.
#[inline(always)]
fn encode_block_q8_0(x: &[f32; BLOCK]) -> [u8; 34] {
    let mut block = [0; 34];
    let (scale, inverse) = stored_scale(greatest(x).abs() / 127.0);
    block[Q8_0::LAYOUT.scale..][..2].copy_from_slice(&scale);
    for (quant, x) in block[Q8_0::LAYOUT.low.at..].iter_mut().zip(x) {
        *quant = round_ties_even((x * inverse).clamp(-127.0, 127.0)) as i32 as u8;
    }
    block
}

/// The greatest magnitude becomes -8, by a scale of its opposite sign: the other end is 7 only.
#[inline(always)]
fn encode_block_q4_0(x: &[f32; BLOCK]) -> [u8; 18] {
    let mut block = [0; 18];
    let (scale, inverse) = stored_scale(greatest(x) / -8.0);
    block[Q4_0::LAYOUT.scale..][..2].copy_from_slice(&scale);
    let quant = |x: f32| (round_ties_even((x * inverse).clamp(-8.0, 7.0)) + 8.0) as i32 as u8;
    let (low, high) = x.split_at(BLOCK / 2);
    for ((out, low), high) in block[Q4_0::LAYOUT.low.at..].iter_mut().zip(low).zip(high) {
        *out = quant(*low) | quant(*high) << 4;
    }
    block
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    const TYPES: [KvType; 2] = [KvType::Q8_0, KvType::Q4_0];

    fn stored(kv_type: KvType, head: &[f32]) -> Vec<u8> {
        let mut bytes = std::vec![0xaa; kv_type.head_bytes(head.len()).unwrap()];
        match kv_type {
            KvType::F16 => unreachable!(),
            KvType::Q8_0 => encode_q8_0(head, &mut bytes),
            KvType::Q4_0 => encode_q4_0(head, &mut bytes),
        }
        bytes
    }

    /// Still mixed.
    fn widened(kv_type: KvType, bytes: &[u8]) -> Vec<f32> {
        match kv_type {
            KvType::F16 => unreachable!(),
            KvType::Q8_0 => bytes.as_chunks().0.iter().flat_map(Q8_0::dequantize).collect(),
            KvType::Q4_0 => bytes.as_chunks().0.iter().flat_map(Q4_0::dequantize).collect(),
        }
    }

    fn read_back(kv_type: KvType, head: &[f32]) -> Vec<f32> {
        let mut back = widened(kv_type, &stored(kv_type, head));
        mix(&mut back, head.len());
        back
    }

    /// Roughly normal numbers.
    fn normal(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| uniform() + uniform() + uniform()).collect()
    }

    /// `sqrt(sum((a - b)^2) / sum(b^2))`.
    fn relative_error(a: &[f32], b: &[f32]) -> f64 {
        let squares = |values: &mut dyn Iterator<Item = f32>| -> f64 {
            values.map(|x| f64::from(x) * f64::from(x)).sum()
        };
        libm::sqrt(
            squares(&mut a.iter().zip(b).map(|(a, b)| a - b)) / squares(&mut b.iter().copied()),
        )
    }

    #[test]
    fn sizes_are_ggmls() {
        for (kv_type, bytes) in [(KvType::F16, 128), (KvType::Q8_0, 68), (KvType::Q4_0, 36)] {
            assert_eq!(kv_type.head_bytes(64), Some(bytes));
            assert_eq!(KvType::from_name(kv_type.name()), Some(kv_type));
        }
        assert_eq!(KvType::F16.head_bytes(48), Some(96));
        assert_eq!(KvType::Q8_0.head_bytes(48), None);
        assert_eq!(KvType::from_name("f32"), None);
    }

    /// The definition: 2^-shift times the matrix whose entry `[i, j]` is -1 to the number of common
    /// bits of `i` and `j`.
    #[test]
    fn mixing_is_the_walsh_hadamard_matrix() {
        for (length, shift) in [(32, 3), (64, 3)] {
            for one in 0..length {
                let mut x = std::vec![0.0; length];
                x[one] = 1.0;
                mix(&mut x, length);
                for (index, x) in x.into_iter().enumerate() {
                    let odd = (index & one).count_ones() % 2 == 1;
                    let entry = 1.0 / f32::from(1u8 << shift);
                    assert_eq!(x, if odd { -entry } else { entry }, "{length}: {index}, {one}");
                }
            }
        }
    }

    /// A dot product with what is stored is one with what was to be stored.
    #[test]
    fn mixed_queries_see_the_keys_themselves() {
        for length in [32, 64, 96, 128, 160] {
            let (key, query) = (normal(length, 1), normal(length, 2));
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let mut mixed_query = query.clone();
            mix(&mut mixed_query, length);
            for kv_type in TYPES {
                let mixed_key = widened(kv_type, &stored(kv_type, &key));
                let direct = dot(&query, &read_back(kv_type, &key));
                assert!((dot(&mixed_query, &mixed_key) - direct).abs() < 1e-5, "{length}");
            }
        }
    }

    /// Steps are 1/127 and 1/8 of the greatest of 32 numbers, about 2.1 standard deviations, and
    /// what is rounded is evenly between two: 2.1 / 127 / sqrt(12) and 2.1 / 8 / sqrt(12).
    #[test]
    fn errors_are_those_of_their_bits() {
        for (kv_type, expected) in [(KvType::Q8_0, 0.0048), (KvType::Q4_0, 0.076)] {
            for length in [32, 64, 96] {
                let head = normal(length * 200, 7);
                let back: Vec<f32> =
                    head.chunks(length).flat_map(|head| read_back(kv_type, head)).collect();
                let error = relative_error(&back, &head);
                assert!(error < 1.15 * expected, "{} of {length}: {error}", kv_type.name());
            }
        }
    }

    /// One element a hundred times as large as the others does not wipe them out.
    #[test]
    fn a_large_element_leaves_the_others() {
        let mut head = normal(64, 3);
        head[5] = 100.0;
        let back = read_back(KvType::Q4_0, &head);
        // Unmixed, the step were 100 / 8, and every other element of its block 0.
        let error = relative_error(&back[6..], &head[6..]);
        assert!(error < 0.75, "{error}");
    }

    #[test]
    fn zeros_stay_and_what_is_not_finite_stays_visible() {
        for kv_type in TYPES {
            for tiny in [0.0, -0.0, 1e-45, 1e-9] {
                assert_eq!(read_back(kv_type, &[tiny; 64]), [0.0; 64]);
            }
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38] {
                let mut head = [1.0; 64];
                head[40] = bad;
                let back = read_back(kv_type, &head);
                assert!(back.iter().all(|x| !x.is_finite()), "{} {bad}", kv_type.name());
            }
        }
    }

    /// Exponents whose scales are normal f16s, both signs, mantissas at both ends: no quant wraps.
    #[test]
    fn the_greatest_keeps_its_sign() {
        for exponent in 120u32..142 {
            for mantissa in [0, 1, 0x2a_aaaa, 0x40_0000, 0x7f_ffff] {
                let x = f32::from_bits(exponent << 23 | mantissa);
                for x in [x, -x] {
                    let mut block = [x / 2.0; 32];
                    block[9] = x;
                    let eight = Q8_0::dequantize(&encode_block_q8_0(&block));
                    let four = Q4_0::dequantize(&encode_block_q4_0(&block));
                    for (values, least) in [(eight, 0.99), (four, 0.9)] {
                        for (value, x) in values.iter().zip(&block) {
                            let ratio = value / x;
                            assert!(ratio > least && ratio < 1.1, "{value:e} for {x:e}");
                        }
                    }
                }
            }
        }
    }
}
