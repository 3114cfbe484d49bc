//! How keys and values are stored: f16, or ggml's Q8_0 and Q4_0 blocks of 32 elements of a head.
//!
//! A few elements of a key are often far larger than the others, and in a block they would take
//! the others' bits. So the block types store a head *mixed*: every [`MIX_ELEMENTS`] elements `x`
//! become `2^-a * H x`, where `H` is the Walsh-Hadamard matrix, whose entries are 1 and -1. As
//! `H H = n I`, a query that was mixed by `2^-b * H`, `2^(a + b) = n`, has the same dot product
//! with a mixed key as the query with the key, and what mixed values sum up to is mixed back by the
//! same `2^-b * H`. The idea is QuaRot's (Ashkboos et al. 2024, arXiv 2404.00456); powers of two
//! leave no rounding but that of the additions.
//!
//! Scales are rounded to f16 before anything is divided by them. Where a block holds an infinity
//! or a NaN its scale is NaN, so that the engine sees it in the logits.

use super::TensorType;
use super::blocks32::{Q4_0, Q8_0};
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
pub const KV_BLOCK_ELEMENTS: usize = 32;

/// Elements that are mixed with each other.
pub const MIX_ELEMENTS: usize = 32;

/// `b` of the module's head for what is asked of the cache, and `a` for what is stored.
const MIX_SHIFT: u32 = MIX_ELEMENTS.ilog2();

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

/// Mixes what meets a mixed cache, in place: queries before, sums of values after. Whole groups of
/// [`MIX_ELEMENTS`]; a rest is left as it is.
pub fn mix(x: &mut [f32]) {
    for group in x.as_chunks_mut().0 {
        *group = mixed(group, MIX_SHIFT.div_ceil(2));
    }
}

/// `2^-shift * H x`: each step adds and subtracts the two halves and interleaves what comes out.
#[inline(always)]
fn mixed(x: &[f32; MIX_ELEMENTS], shift: u32) -> [f32; MIX_ELEMENTS] {
    let mut x = *x;
    for _ in 0..MIX_SHIFT {
        let mut next = [0.0; MIX_ELEMENTS];
        let (low, high) = x.split_at(MIX_ELEMENTS / 2);
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
pub fn encode_q8_0(x: &[f32], out: &mut [u8]) {
    encode::<34>(x, out, encode_block_q8_0);
}

/// Encodes a head as Q4_0 blocks. Where lengths do not belong together the excess is left as it
/// was.
pub fn encode_q4_0(x: &[f32], out: &mut [u8]) {
    encode::<18>(x, out, encode_block_q4_0);
}

/// Mixes a head and encodes its blocks one by one.
#[inline(always)]
fn encode<const BYTES: usize>(
    x: &[f32],
    out: &mut [u8],
    block: impl Fn(&[f32; KV_BLOCK_ELEMENTS], &mut [u8; BYTES]),
) {
    const { assert!(MIX_ELEMENTS.is_multiple_of(KV_BLOCK_ELEMENTS)) };
    const BLOCKS: usize = MIX_ELEMENTS / KV_BLOCK_ELEMENTS;
    let groups = x.as_chunks::<MIX_ELEMENTS>().0.iter();
    for (group, out) in groups.zip(out.as_chunks_mut::<BYTES>().0.chunks_mut(BLOCKS)) {
        let group = mixed(group, MIX_SHIFT / 2);
        for (x, out) in group.as_chunks().0.iter().zip(out) {
            block(x, out);
        }
    }
}

/// The greatest magnitude; `None` where an element is infinite or not a number.
#[inline(always)]
fn greatest(x: &[f32; KV_BLOCK_ELEMENTS]) -> Option<f32> {
    // Without its sign bit a float orders as an integer does, NaN above infinity: no NaN is lost
    // in the maximum, as it would be with f32::max.
    let bits = x.iter().fold(0, |most, x| most.max(x.to_bits() & (u32::MAX >> 1)));
    let greatest = f32::from_bits(bits);
    greatest.is_finite().then_some(greatest)
}

/// `scale` as it will be read back, and what elements are multiplied by to become quants: 0 where
/// the scale has no reciprocal.
#[inline(always)]
fn stored_scale(scale: f32) -> ([u8; 2], f32, f32) {
    let stored = f16::from_f32(scale).to_bits();
    let scale = f16_to_f32(stored);
    let inverse = 1.0 / scale;
    (stored.to_le_bytes(), scale, if inverse.is_finite() { inverse } else { 0.0 })
}

#[inline(always)]
fn encode_block_q8_0(x: &[f32; KV_BLOCK_ELEMENTS], out: &mut [u8; 34]) {
    let greatest = greatest(x).unwrap_or(f32::NAN);
    let (stored, _, inverse) = stored_scale(greatest / 127.0);
    out[Q8_0::SCALE].copy_from_slice(&stored);
    for (out, x) in out[Q8_0::QUANTS].iter_mut().zip(x) {
        *out = round_ties_even((x * inverse).clamp(-127.0, 127.0)) as i32 as u8;
    }
}

const FACTORS: &[f32] = &[1.0];

#[inline(always)]
fn encode_block_q4_0(x: &[f32; KV_BLOCK_ELEMENTS], out: &mut [u8; 18]) {
    let greatest = greatest(x).unwrap_or(f32::NAN);
    let negative = x.iter().find(|x| x.abs() == greatest).is_some_and(|x| *x < 0.0);
    let signed = if negative { -greatest } else { greatest };
    let mut best = (f32::INFINITY, [0; 2], 0.0);
    for factor in FACTORS {
        let (stored, scale, inverse) = stored_scale(signed * factor / -8.0);
        let mut lanes = [0.0; 16];
        for x in x.as_chunks::<16>().0 {
            for (lane, x) in lanes.iter_mut().zip(x) {
                let error = x - round_ties_even((x * inverse).clamp(-8.0, 7.0)) * scale;
                *lane += error * error;
            }
        }
        let error = crate::num::tree_sum(lanes);
        if error < best.0 || factor == &FACTORS[0] {
            best = (error, stored, inverse);
        }
    }
    let (_, stored, inverse) = best;
    out[Q4_0::SCALE].copy_from_slice(&stored);
    let quant = |x: f32| round_ties_even((x * inverse).clamp(-8.0, 7.0)) as i32 as u8 + 8;
    let (low, high) = x.split_at(KV_BLOCK_ELEMENTS / 2);
    for ((out, low), high) in out[Q4_0::QUANTS].iter_mut().zip(low).zip(high) {
        *out = quant(*low) & 15 | quant(*high) << 4;
    }
}
