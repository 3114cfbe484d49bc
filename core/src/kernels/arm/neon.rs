//! ARMv7 NEON, for integers only: Cortex-A7 and its kin, and 64-bit cores that run 32-bit systems.
//!
//! Floats stay on the VFP, because this NEON takes subnormal numbers for 0. Stable Rust has no
//! intrinsics for it, so a block's integer sums are one piece of assembly each, which gets
//! addresses and gives numbers; it names its own unit (`.fpu neon`), so that a binary for CPUs
//! without NEON can carry it for those that have it.
//!
//! As on aarch64 without `sdot`, products are added in 16-bit lanes for as long as they fit
//! (`n * quant * 127 <= 32767`) and widened by the multiplication with a group's scale.
// Unsafe: inline assembly that reads blocks through pointers.
#![allow(unsafe_code)]

use crate::kernels::portable::integer;
use crate::kernels::{Activations, Candidate, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::num;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::BlockFormat;
use crate::quant::blocks32::{Q4_0, Q4_1, Q8_0};
use crate::quant::k_quants::{Q4_K, Q5_K, Q6_K};
use core::arch::asm;

/// A block format whose integer sums are in assembly.
trait Format<const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>:
    BlockFormat<BYTES, ELEMENTS, GROUPS>
{
    /// Where the f16 scale is; an f16 minimum follows it.
    const SCALE_AT: usize;

    /// `isum` and `msum` of a block.
    fn sums(block: &[u8; BYTES], x: &[i8; ELEMENTS], x_sums: &[i16; GROUPS]) -> (i32, i32);

    /// The block's scale and minimum. `unpack` knows them too, but the compiler keeps the rest of
    /// what it does.
    #[inline(always)]
    fn factors(block: &[u8; BYTES]) -> (f32, f32) {
        let half = |at: usize| {
            let bytes = block.get(at..).and_then(|bytes| bytes.first_chunk());
            num::f16_le(bytes.copied().unwrap_or_default())
        };
        if !Self::HAS_MINIMUM {
            return (half(Self::SCALE_AT), 0.0);
        }
        // The formats of 32 add theirs.
        let minimum = half(Self::SCALE_AT + 2);
        (half(Self::SCALE_AT), if ELEMENTS == 32 { -minimum } else { minimum })
    }
}

const fn kernels<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
-> FormatKernels
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "neon",
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        dequantize: integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: integer::encode::<ELEMENTS>,
        matmul: matmul::<F, BYTES, ELEMENTS, GROUPS>,
    }
}

/// Each weight row stays in the L1 cache while all activation rows have their turn.
fn matmul<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: Format<BYTES, ELEMENTS, GROUPS>,
{
    let blocks = activations.columns / ELEMENTS;
    let weights = weights.as_chunks::<BYTES>().0;
    let quants = activations.quants.as_chunks::<ELEMENTS>().0;
    let sums = activations.sums.as_chunks::<GROUPS>().0;
    for column in 0..out.columns() {
        let weights = &weights[column * blocks..][..blocks];
        for row in 0..activations.rows {
            let of_row = row * blocks..(row + 1) * blocks;
            let x = quants[of_row.clone()].iter().zip(&sums[of_row.clone()]);
            let x = x.zip(&activations.scales[of_row]);
            let mut dot = 0.0;
            for (bytes, ((quants, sums), &x_scale)) in weights.iter().zip(x) {
                let (isum, msum) = F::sums(bytes, quants, sums);
                let (scale, minimum) = F::factors(bytes);
                dot += F::combine(scale, minimum, x_scale, isum, msum);
            }
            if let Some(out) = out.row_mut(row).get_mut(column) {
                *out = dot;
            }
        }
    }
}

/// Runs assembly that may use every NEON register but q4 to q7, which callers keep their own in.
macro_rules! neon {
    ($($code:expr),+ ; $($operands:tt)*) => {
        asm!(
            ".fpu neon",
            $($code,)+
            $($operands)*
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d16") _, out("d17") _, out("d18") _, out("d19") _,
            out("d20") _, out("d21") _, out("d22") _, out("d23") _,
            out("d24") _, out("d25") _, out("d26") _, out("d27") _,
            out("d28") _, out("d29") _, out("d30") _, out("d31") _,
            options(readonly, nostack),
        )
    };
}

/// Nibbles times 32 activations.
#[inline(always)]
fn nibbles_dot(packed: &[u8], x: &[i8; 32]) -> i32 {
    assert!(packed.len() == 16);
    let sum: i32;
    // SAFETY: reads 16 bytes of `packed` (asserted) and 32 of `x`. A table with this code is had
    // by showing that the CPU has NEON.
    unsafe {
        neon!(
            "vld1.8 {{d0, d1}}, [{packed}]",
            "vld1.8 {{d4, d5, d6, d7}}, [{x}]",
            "vmov.i8 q8, #15",
            "vshr.u8 q1, q0, #4",
            "vand q0, q0, q8",
            // 4 products in a lane: 4 * 15 * 127 = 7620.
            "vmull.s8 q9, d0, d4",
            "vmlal.s8 q9, d1, d5",
            "vmlal.s8 q9, d2, d6",
            "vmlal.s8 q9, d3, d7",
            "vpaddl.s16 q9, q9",
            "vadd.i32 d18, d18, d19",
            "vpadd.i32 d18, d18, d18",
            "vmov.32 {sum}, d18[0]";
            packed = in(reg) packed.as_ptr(),
            x = in(reg) x.as_ptr(),
            sum = lateout(reg) sum,
        );
    }
    sum
}

/// The sum of all activations of a block of 32.
#[inline(always)]
fn total(x_sums: &[i16; 2]) -> i32 {
    i32::from(x_sums[0]) + i32::from(x_sums[1])
}

impl Format<18, 32, 2> for Q4_0 {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 18], x: &[i8; 32], x_sums: &[i16; 2]) -> (i32, i32) {
        (nibbles_dot(&block[Self::QUANTS], x) - 8 * total(x_sums), 0)
    }
}

impl Format<20, 32, 2> for Q4_1 {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 20], x: &[i8; 32], x_sums: &[i16; 2]) -> (i32, i32) {
        (nibbles_dot(&block[Self::QUANTS], x), total(x_sums))
    }
}

impl Format<34, 32, 2> for Q8_0 {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 34], x: &[i8; 32], _: &[i16; 2]) -> (i32, i32) {
        let quants = &block[Self::QUANTS];
        const { assert!(Self::QUANTS.end - Self::QUANTS.start == 32) };
        let sum: i32;
        // SAFETY: reads 32 bytes of `quants` (asserted) and of `x`; NEON as above.
        unsafe {
            neon!(
                "vld1.8 {{d0, d1, d2, d3}}, [{quants}]",
                "vld1.8 {{d4, d5, d6, d7}}, [{x}]",
                // 2 products in a lane: 2 * 128 * 127 = 32512.
                "vmull.s8 q8, d0, d4",
                "vmull.s8 q9, d2, d6",
                "vmlal.s8 q8, d1, d5",
                "vmlal.s8 q9, d3, d7",
                "vpaddl.s16 q8, q8",
                "vpadal.s16 q8, q9",
                "vadd.i32 d16, d16, d17",
                "vpadd.i32 d16, d16, d16",
                "vmov.32 {sum}, d16[0]";
                quants = in(reg) quants.as_ptr(),
                x = in(reg) x.as_ptr(),
                sum = lateout(reg) sum,
            );
        }
        (sum, 0)
    }
}

/// Bytes 0 to 7: the scales of Q4_K and Q5_K, 8 to 15: the minima, four at a time. See
/// [`crate::quant::k_quants::scales_and_minima`].
#[inline(always)]
fn scales_and_minima(packed: &[u8]) -> [u32; 4] {
    let word = |at: usize| {
        let bytes = packed.get(4 * at..).and_then(|bytes| bytes.first_chunk());
        u32::from_le_bytes(bytes.copied().unwrap_or_default())
    };
    let (first, second, third) = (word(0), word(1), word(2));
    [
        first & 0x3f3f_3f3f,
        third & 0x0f0f_0f0f | first >> 2 & 0x3030_3030,
        second & 0x3f3f_3f3f,
        third >> 4 & 0x0f0f_0f0f | second >> 2 & 0x3030_3030,
    ]
}

/// 64 weights of Q4_K: the low halves of 32 bytes times a scale, the high halves times the next.
/// Scales in q0, mask in q15, sum in q14.
macro_rules! q4_k_run {
    ($scale_low:literal, $scale_high:literal) => {
        concat!(
            "vld1.8 {{d4, d5, d6, d7}}, [{quants}]!\n",
            "vld1.8 {{d16, d17, d18, d19}}, [{x}]!\n",
            "vld1.8 {{d20, d21, d22, d23}}, [{x}]!\n",
            "vand q12, q2, q15\n",
            "vshr.u8 q2, q2, #4\n",
            "vmull.s8 q13, d24, d16\n",
            "vmlal.s8 q13, d25, d17\n",
            "vmull.s8 q8, d4, d20\n",
            "vmlal.s8 q8, d5, d21\n",
            "vand q12, q3, q15\n",
            "vshr.u8 q3, q3, #4\n",
            "vmlal.s8 q13, d24, d18\n",
            "vmlal.s8 q13, d25, d19\n",
            "vmlal.s8 q8, d6, d22\n",
            "vmlal.s8 q8, d7, d23\n",
            // 8 products in a lane: 8 * 15 * 127 = 15240.
            "vpadd.i16 d26, d26, d27\n",
            "vpadd.i16 d16, d16, d17\n",
            "vmlal.s16 q14, d26, ",
            $scale_low,
            "\n",
            "vmlal.s16 q14, d16, ",
            $scale_high,
        )
    };
}

impl Format<144, 256, 16> for Q4_K {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 144], x: &[i8; 256], x_sums: &[i16; 16]) -> (i32, i32) {
        let quants = &block[Self::QUANTS];
        const { assert!(Self::QUANTS.end - Self::QUANTS.start == 128) };
        let scales = scales_and_minima(&block[Self::SCALES]);
        let (isum, msum): (i32, i32);
        // SAFETY: reads 128 bytes of `quants` (asserted), 256 of `x`, the 16 of `scales` and 32 of
        // `x_sums`; NEON as above.
        unsafe {
            neon!(
                "vld1.32 {{d0, d1}}, [{scales}]",
                "vld1.16 {{d4, d5, d6, d7}}, [{sums}]",
                // 8 minima times the sums of 32.
                "vmovl.u8 q1, d1",
                "vmovl.u8 q0, d0",
                "vpadd.i16 d4, d4, d5",
                "vpadd.i16 d5, d6, d7",
                "vmull.s16 q10, d2, d4",
                "vmlal.s16 q10, d3, d5",
                "vadd.i32 d2, d20, d21",
                "vmov.i8 q15, #15",
                "vmov.i32 q14, #0",
                q4_k_run!("d0[0]", "d0[1]"),
                q4_k_run!("d0[2]", "d0[3]"),
                q4_k_run!("d1[0]", "d1[1]"),
                q4_k_run!("d1[2]", "d1[3]"),
                "vadd.i32 d28, d28, d29",
                "vpadd.i32 d28, d28, d2",
                "vmov {isum}, {msum}, d28";
                quants = inout(reg) quants.as_ptr() => _,
                x = inout(reg) x.as_ptr() => _,
                scales = in(reg) scales.as_ptr(),
                sums = in(reg) x_sums.as_ptr(),
                isum = lateout(reg) isum,
                msum = lateout(reg) msum,
            );
        }
        (isum, msum)
    }
}

/// 32 bytes of Q5_K's nibbles with the bits that q2 and q3 hold inverted: each bit that is 0 stands
/// for -16, which is an inserted nibble below ones. Scales in q0, sum in q14.
macro_rules! q5_k_run {
    ($bit_low:literal, $bit_high:literal, $scale_low:literal, $scale_high:literal) => {
        concat!(
            "vld1.8 {{d24, d25, d26, d27}}, [{quants}]!\n",
            "vld1.8 {{d20, d21, d22, d23}}, [{x}]!\n",
            "vmov.i8 q15, #",
            $bit_low,
            "\n",
            "vtst.8 q8, q2, q15\n",
            "vtst.8 q9, q3, q15\n",
            "vshl.i8 q8, q8, #4\n",
            "vshl.i8 q9, q9, #4\n",
            "vmov.i8 q15, #15\n",
            "vbit q8, q12, q15\n",
            "vbit q9, q13, q15\n",
            "vmull.s8 q15, d16, d20\n",
            "vmlal.s8 q15, d17, d21\n",
            "vmlal.s8 q15, d18, d22\n",
            "vmlal.s8 q15, d19, d23\n",
            // 8 products in a lane: 8 * 16 * 127 = 16256.
            "vpadd.i16 d30, d30, d31\n",
            "vmlal.s16 q14, d30, ",
            $scale_low,
            "\n",
            "vld1.8 {{d20, d21, d22, d23}}, [{x}]!\n",
            "vmov.i8 q15, #",
            $bit_high,
            "\n",
            "vtst.8 q8, q2, q15\n",
            "vtst.8 q9, q3, q15\n",
            "vsri.8 q8, q12, #4\n",
            "vsri.8 q9, q13, #4\n",
            "vmull.s8 q15, d16, d20\n",
            "vmlal.s8 q15, d17, d21\n",
            "vmlal.s8 q15, d18, d22\n",
            "vmlal.s8 q15, d19, d23\n",
            "vpadd.i16 d30, d30, d31\n",
            "vmlal.s16 q14, d30, ",
            $scale_high,
        )
    };
}

impl Format<176, 256, 16> for Q5_K {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 176], x: &[i8; 256], x_sums: &[i16; 16]) -> (i32, i32) {
        let (quants, high_bits) = (&block[Self::QUANTS], &block[Self::HIGH_BITS]);
        const { assert!(Self::QUANTS.end - Self::QUANTS.start == 128) };
        const { assert!(Self::HIGH_BITS.end - Self::HIGH_BITS.start == 32) };
        let scales = scales_and_minima(&block[Self::SCALES]);
        let (isum, msum): (i32, i32);
        // SAFETY: reads 128 bytes of `quants` and 32 of `high_bits` (asserted), 256 of `x`, the 16
        // of `scales` and 32 of `x_sums`; NEON as above.
        unsafe {
            neon!(
                "vld1.32 {{d0, d1}}, [{scales}]",
                "vld1.16 {{d4, d5, d6, d7}}, [{sums}]",
                "vmovl.u8 q1, d1",
                "vmovl.u8 q0, d0",
                "vpadd.i16 d4, d4, d5",
                "vpadd.i16 d5, d6, d7",
                "vmull.s16 q10, d2, d4",
                "vmlal.s16 q10, d3, d5",
                "vadd.i32 d2, d20, d21",
                // What all quants are short of, 16, times scales and sums.
                "vmull.s16 q14, d0, d4",
                "vmlal.s16 q14, d1, d5",
                "vshl.i32 q14, q14, #4",
                "vld1.8 {{d4, d5, d6, d7}}, [{high_bits}]",
                "vmvn q2, q2",
                "vmvn q3, q3",
                q5_k_run!("1", "2", "d0[0]", "d0[1]"),
                q5_k_run!("4", "8", "d0[2]", "d0[3]"),
                q5_k_run!("16", "32", "d1[0]", "d1[1]"),
                q5_k_run!("64", "128", "d1[2]", "d1[3]"),
                "vadd.i32 d28, d28, d29",
                "vpadd.i32 d28, d28, d2",
                "vmov {isum}, {msum}, d28";
                quants = inout(reg) quants.as_ptr() => _,
                high_bits = in(reg) high_bits.as_ptr(),
                x = inout(reg) x.as_ptr() => _,
                scales = in(reg) scales.as_ptr(),
                sums = in(reg) x_sums.as_ptr(),
                isum = lateout(reg) isum,
                msum = lateout(reg) msum,
            );
        }
        (isum, msum)
    }
}

/// 16 quants of Q6_K in q12 times 16 activations and a scale; sum in q14. The activations that the
/// same bytes hold next are 32 further on.
macro_rules! q6_k_group {
    ($scale:literal) => {
        concat!(
            "vld1.8 {{d26, d27}}, [{x}], {stride}\n",
            "vmull.s8 q11, d24, d26\n",
            "vmlal.s8 q11, d25, d27\n",
            // 4 products in a lane: 4 * 63 * 127 = 32004.
            "vpadd.i16 d22, d22, d23\n",
            "vmlal.s16 q14, d22, ",
            $scale,
            "\n",
        )
    };
}

/// 64 weights of Q6_K: 16 bytes of nibbles, the 16 that lie 32 further on, 16 bytes of pairs.
macro_rules! q6_k_column {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "vld1.8 {{d16, d17}}, [{quants}], {stride}\n",
            "vld1.8 {{d18, d19}}, [{quants}]\n",
            "vld1.8 {{d20, d21}}, [{pairs}]!\n",
            "vmov q12, q8\n",
            "vsli.8 q12, q10, #4\n",
            "vand q12, q12, q15\n",
            q6_k_group!($a),
            "vshr.u8 q13, q10, #2\n",
            "vmov q12, q9\n",
            "vsli.8 q12, q13, #4\n",
            "vand q12, q12, q15\n",
            q6_k_group!($b),
            "vmov q12, q10\n",
            "vsri.8 q12, q8, #4\n",
            "vand q12, q12, q15\n",
            q6_k_group!($c),
            "vshr.u8 q12, q10, #2\n",
            "vsri.8 q12, q9, #4\n",
            q6_k_group!($d),
            // To the next 16 bytes of each.
            "sub {quants}, {quants}, #16\n",
            "sub {x}, {x}, #112\n",
        )
    };
}

impl Format<210, 256, 16> for Q6_K {
    const SCALE_AT: usize = Self::SCALE.start;

    #[inline(always)]
    fn sums(block: &[u8; 210], x: &[i8; 256], x_sums: &[i16; 16]) -> (i32, i32) {
        let (quants, pairs) = (&block[Self::QUANTS], &block[Self::HIGH_BITS]);
        let scales = &block[Self::SCALES];
        const { assert!(Self::QUANTS.end - Self::QUANTS.start == 128) };
        const { assert!(Self::HIGH_BITS.end - Self::HIGH_BITS.start == 64) };
        const { assert!(Self::SCALES.end - Self::SCALES.start == 16) };
        let sum: i32;
        // SAFETY: reads 128 bytes of `quants`, 64 of `pairs` and 16 of `scales` (asserted), 256 of
        // `x` and 32 of `x_sums`; NEON as above.
        unsafe {
            neon!(
                "vld1.8 {{d2, d3}}, [{scales}]",
                "vld1.16 {{d16, d17, d18, d19}}, [{sums}]",
                "vmovl.s8 q0, d2",
                "vmovl.s8 q1, d3",
                // What all quants have too much, 32, times scales and sums.
                "vmull.s16 q14, d0, d16",
                "vmlal.s16 q14, d1, d17",
                "vmlal.s16 q14, d2, d18",
                "vmlal.s16 q14, d3, d19",
                "vshl.i32 q14, q14, #5",
                "vneg.s32 q14, q14",
                "vmov.i8 q15, #63",
                q6_k_column!("d0[0]", "d0[2]", "d1[0]", "d1[2]"),
                q6_k_column!("d0[1]", "d0[3]", "d1[1]", "d1[3]"),
                // Behind the first 32 bytes of nibbles are those used with them, and behind the
                // first 32 activations 96.
                "add {quants}, {quants}, #32",
                "add {x}, {x}, #96",
                q6_k_column!("d2[0]", "d2[2]", "d3[0]", "d3[2]"),
                q6_k_column!("d2[1]", "d2[3]", "d3[1]", "d3[3]"),
                "vadd.i32 d28, d28, d29",
                "vpadd.i32 d28, d28, d28",
                "vmov.32 {sum}, d28[0]";
                quants = inout(reg) quants.as_ptr() => _,
                pairs = inout(reg) pairs.as_ptr() => _,
                x = inout(reg) x.as_ptr() => _,
                scales = in(reg) scales.as_ptr(),
                sums = in(reg) x_sums.as_ptr(),
                stride = in(reg) 32,
                sum = lateout(reg) sum,
            );
        }
        (sum, 0)
    }
}

macro_rules! tables {
    ($($name:ident: $format:ty;)*) => {
        $(
            /// The format's table, for CPUs with NEON.
            fn $name(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                static KERNELS: FormatKernels = kernels::<$format, _, _, _>();
                cpu.has(CpuFeature::Neon).then_some(&KERNELS)
            }
        )*

        /// Every format that has kernels here.
        pub(super) const ALL: &[Candidate] = &[$($name,)*];
    };
}

tables! {
    q4_0: Q4_0;
    q4_1: Q4_1;
    q8_0: Q8_0;
    q4_k: Q4_K;
    q5_k: Q5_K;
    q6_k: Q6_K;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::equals_portable;

    extern crate std;

    /// What the system says of the CPU: stable std has no macro for it on this architecture.
    fn has_neon() -> bool {
        const HARDWARE_CAPABILITIES: usize = 16;
        const NEON: usize = 1 << 12;
        let entries = std::fs::read("/proc/self/auxv").unwrap_or_default();
        let numbers = entries.as_chunks().0.iter().map(|&bytes| usize::from_ne_bytes(bytes));
        let numbers: std::vec::Vec<usize> = numbers.collect();
        let mut pairs = numbers.as_chunks().0.iter();
        pairs.any(|&[key, value]| key == HARDWARE_CAPABILITIES && value & NEON != 0)
    }

    #[test]
    fn neon_equals_portable() {
        assert!(ALL.iter().all(|candidate| candidate(CpuFeatures::baseline()).is_none()));
        if !has_neon() {
            return;
        }
        // SAFETY: the system says so.
        let cpu = unsafe { CpuFeatures::baseline().with(CpuFeature::Neon) };
        equals_portable(ALL, cpu);
    }
}
