//! ARMv7 NEON, for integers only: Cortex-A7 and its kin, and 64-bit cores that run 32-bit systems.
//!
//! Floats stay on the VFP, because this NEON takes subnormal numbers for 0. Stable Rust has no
//! intrinsics for it, so a block's integer sums are one piece of assembly, which gets addresses and
//! gives numbers; it names its own unit (`.fpu neon`), so that a binary for CPUs without NEON can
//! carry it for those that have it. A format's layout comes as constants, by which the assembler
//! itself leaves out (`.if`) what the format has no use for.
//!
//! As on aarch64 without `sdot`, products are added in 16-bit lanes for as long as they fit
//! (`n * quant * 127 <= 32767`) and widened by the multiplication with a group's scale.
//!
//! Registers: q0 and q1 scales, or a table; q2 to q5 low bits, q6 and q7 those above them; q8 and
//! q9 activations; q10 and q11 quants; q12 and q13 products; q14 the sum; q15 a mask.
// Unsafe: inline assembly that reads blocks through pointers.
#![allow(unsafe_code)]

use super::blocks::{Quants, Row, Sums, factors, word};
use crate::kernels::portable::integer;
use crate::kernels::{Activations, Candidate, Encoding, FormatKernels, candidates};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::BlockFormat;
use crate::quant::activations::MAX_QUANT;
use crate::quant::block::Array;
use crate::quant::layout::{Code, Plane};
use crate::quant::scales::Scales;
use core::arch::asm;

/// The table of format `F`. Blocks that are not plain are left to `portable`.
const fn kernels<F: BlockFormat>() -> Option<FormatKernels> {
    if !F::IS_PLAIN {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "neon",
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        dequantize: integer::dequantize::<F>,
        encode: integer::encode::<F>,
        matmul: if F::ELEMENTS == 32 { matmul_blocks32::<F> } else { matmul_k_quants::<F> },
    })
}

/// The kernels of block format `F`, where the CPU has NEON.
fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    const { &kernels::<F>() }.as_ref().filter(|_| cpu.has(CpuFeature::Neon))
}

/// Every block format's kernels.
pub(super) const ALL: &[Candidate] = candidates!(blocks new);

fn matmul_blocks32<F: BlockFormat>(w: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    matmul::<F>(w, activations, out, sums_of_32::<F>);
}

fn matmul_k_quants<F: BlockFormat>(w: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    matmul::<F>(w, activations, out, sums_of_256::<F>);
}

/// Each weight row stays in the L1 cache while all activation rows have their turn. `sums` gives
/// `isum` and `msum` of a block.
#[inline(always)]
fn matmul<F: BlockFormat>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
    sums: impl Fn(&F::Bytes, &Quants<F>, &Sums<F>) -> (i32, i32),
) {
    let blocks = activations.columns / F::ELEMENTS;
    let weights = F::Bytes::split(weights);
    for column in 0..out.columns() {
        let weights = &weights[column * blocks..][..blocks];
        for row in 0..activations.rows {
            let x = Row::<F>::new(activations, row);
            let rows = weights.iter().zip(x.quants).zip(x.sums.iter().zip(x.scales));
            let mut dot = 0.0;
            for ((block, quants), (x_sums, &x_scale)) in rows {
                let (isum, msum) = sums(block, quants, x_sums);
                let (scale, minimum) = factors::<F>(block);
                dot += F::combine(scale, minimum, x_scale, isum, msum);
            }
            if let Some(out) = out.row_mut(row).get_mut(column) {
                *out = dot;
            }
        }
    }
}

/// Fails to compile where `products` products with stored quants of `F` overflow a 16-bit lane.
const fn assert_fits<F: BlockFormat>(products: i32) {
    assert!(products * F::MAX * MAX_QUANT <= i16::MAX as i32);
}

/// Runs assembly that may use every NEON register but q4 to q7, which a function has to save for
/// its caller: where they are wanted, operands name them.
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

/// 32 quants in q10 and q11 times the activations in q8 and q9: as groups of 16 in q12 and q13, 2
/// products in a lane, or as one of 32 in q12, 4 in a lane.
macro_rules! products {
    () => {
        concat!(
            "vmull.s8 q12, d20, d16\n",
            ".if {group} == 16\n",
            "vmull.s8 q13, d22, d18\n",
            "vmlal.s8 q12, d21, d17\n",
            "vmlal.s8 q13, d23, d19\n",
            ".else\n",
            "vmlal.s8 q12, d21, d17\n",
            "vmlal.s8 q12, d22, d18\n",
            "vmlal.s8 q12, d23, d19\n",
            ".endif\n",
        )
    };
}

/// Quants of a block of 32 whose products fit in one vector's lanes.
const fn group_of_32<F: BlockFormat>() -> i32 {
    if 4 * F::MAX * MAX_QUANT > i16::MAX as i32 { 16 } else { 32 }
}

/// Bit `i % 8` in byte `i`.
static BIT_OF_LANE: [i8; 16] = [1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128];

/// `isum` and `msum` of a block of 32: nibbles, perhaps with a word of bits above them, or bytes.
#[inline(always)]
fn sums_of_32<F: BlockFormat>(block: &F::Bytes, x: &Quants<F>, x_sums: &Sums<F>) -> (i32, i32) {
    const {
        assert!(matches!(F::LAYOUT.low, Plane { bits: 4, run: 16, .. } | Plane { bits: 8, .. }));
        assert!(matches!(F::LAYOUT.high, None | Some(Plane { run: 1, .. })));
        assert_fits::<F>(group_of_32::<F>() / 8);
    }
    let block = block.as_ref();
    let above = F::LAYOUT.high.map_or(0, |high| word(block, high.at));
    let table = if let Code::Codebook(table, _) = F::LAYOUT.code { table } else { &BIT_OF_LANE };
    let sum: i32;
    // SAFETY: reads 16 bytes of `table`, 32 of `x` and the low plane, which lies within the block
    // (`BlockLayout::assert_gap_free`). A table with this code is had by showing that the CPU has
    // NEON.
    unsafe {
        neon!(
            "vld1.8 {{d16, d17, d18, d19}}, [{x}]",
            ".if {low_bits} == 8",
            "vld1.8 {{d20, d21, d22, d23}}, [{low}]",
            ".else",
            "vld1.8 {{d4, d5}}, [{low}]",
            "vmov.i8 q15, #15",
            "vand q10, q2, q15",
            "vshr.u8 q11, q2, #4",
            ".if {high_bits} + {is_codebook}",
            "vld1.8 {{d0, d1}}, [{table}]",
            ".endif",
            ".if {is_codebook}",
            "vtbl.8 d20, {{d0, d1}}, d20",
            "vtbl.8 d21, {{d0, d1}}, d21",
            "vtbl.8 d22, {{d0, d1}}, d22",
            "vtbl.8 d23, {{d0, d1}}, d23",
            ".endif",
            // Each byte of the word 8 times, all ones where it has the lane's bit.
            ".if {high_bits}",
            "vmov.32 d28[0], {above}",
            "vdup.8 d24, d28[0]",
            "vdup.8 d25, d28[1]",
            "vdup.8 d26, d28[2]",
            "vdup.8 d27, d28[3]",
            "vtst.8 q12, q12, q0",
            "vtst.8 q13, q13, q0",
            "vmov.i8 q15, #16",
            "vbit q10, q12, q15",
            "vbit q11, q13, q15",
            ".endif",
            ".endif",
            products!(),
            "vpaddl.s16 q14, q12",
            ".if {group} == 16",
            "vpadal.s16 q14, q13",
            ".endif",
            "vadd.i32 d28, d28, d29",
            "vpadd.i32 d28, d28, d28",
            "vmov.32 {sum}, d28[0]";
            x = in(reg) x.as_ref().as_ptr(),
            low = in(reg) block[F::LAYOUT.low.at..].as_ptr(),
            above = in(reg) above,
            table = in(reg) table.as_ptr(),
            low_bits = const F::LAYOUT.low.bits,
            high_bits = const F::LAYOUT.bits() - F::LAYOUT.low.bits,
            is_codebook = const matches!(F::LAYOUT.code, Code::Codebook(..)) as u8,
            group = const group_of_32::<F>(),
            sum = lateout(reg) sum,
        );
    }
    let total = x_sums.as_ref().iter().map(|&sum| i32::from(sum)).sum();
    (sum - i32::from(F::OFFSET) * total, total)
}

/// The lowest bit of weights `32 * $step ..` in their bytes of a plane.
macro_rules! shift {
    (low $step:literal) => {
        concat!("(32*", $step, "%(8*{low_run}/{low_bits})/{low_run}*{low_bits})")
    };
    (high $step:literal) => {
        concat!("(32*", $step, "%(8*{high_run}/{high_bits})/{high_run}*{high_bits})")
    };
}

/// An instruction that makes q10 of `$a` and q11 of `$b`.
macro_rules! both {
    ($code:literal, $a:literal, $b:literal $(, $rest:expr)*) => {
        concat!($code, " q10, ", $a $(, $rest)*, "\n", $code, " q11, ", $b $(, $rest)*, "\n")
    };
}

/// Stored weights `32 * $step ..` in q10 and q11, from the bytes of the low plane in `$a` and `$b`.
/// Bytes are loaded, `$bytes` the registers' halves, when their lowest bits are wanted: each once.
macro_rules! unpack {
    ($step:literal, $a:literal, $b:literal, $bytes:literal) => {
        concat!(
            ".if ", shift!(low $step), " == 0\n",
            "vld1.8 {{", $bytes, "}}, [{low}]!\n",
            ".endif\n",
            ".if {high_bits} == 0\n",
            ".if ", shift!(low $step), " == 0\n",
            both!("vand", $a, $b, ", q15"),
            ".else\n",
            both!("vshr.u8", $a, $b, ", #", shift!(low $step)),
            ".if ", shift!(low $step), " + {low_bits} < 8\n",
            both!("vand", "q10", "q11", ", q15"),
            ".endif\n",
            ".endif\n",
            ".else\n",
            // The high bits move to their place, the low ones are inserted below.
            ".if ", shift!(high $step), " == 0\n",
            "vld1.8 {{d12, d13, d14, d15}}, [{high}]!\n",
            ".endif\n",
            ".if ", shift!(high $step), " > {low_bits}\n",
            both!("vshr.u8", "q6", "q7", ", #", shift!(high $step), " - {low_bits}"),
            ".else\n",
            both!("vshl.i8", "q6", "q7", ", #{low_bits} - ", shift!(high $step)),
            ".endif\n",
            ".if ", shift!(low $step), " + {low_bits} == 8\n",
            both!("vsri.8", $a, $b, ", #8 - {low_bits}"),
            ".else\n",
            "vshl.i8 q12, ", $a, ", #8 - {low_bits} - ", shift!(low $step), "\n",
            "vshl.i8 q13, ", $b, ", #8 - {low_bits} - ", shift!(low $step), "\n",
            both!("vsri.8", "q12", "q13", ", #8 - {low_bits}"),
            ".endif\n",
            ".if ", shift!(high $step), " + {high_bits} < 8\n",
            both!("vand", "q10", "q11", ", q15"),
            ".endif\n",
            ".endif\n",
        )
    };
}

/// Adds the products of weights `32 * $step ..`, times the scales in two lanes, of groups of 16, or
/// in the third, of groups of 32. Runs of 64 bytes are two pairs of registers.
macro_rules! step {
    (even $step:literal, $first:literal, $second:literal, $both:literal) => {
        concat!(unpack!($step, "q2", "q3", "d4, d5, d6, d7"), step!($first, $second, $both))
    };
    (odd $step:literal, $first:literal, $second:literal, $both:literal) => {
        concat!(
            ".if {low_run} == 64\n",
            unpack!($step, "q4", "q5", "d8, d9, d10, d11"),
            ".else\n",
            unpack!($step, "q2", "q3", "d4, d5, d6, d7"),
            ".endif\n",
            step!($first, $second, $both)
        )
    };
    ($first:literal, $second:literal, $both:literal) => {
        concat!(
            "vld1.8 {{d16, d17, d18, d19}}, [{x}]!\n",
            products!(),
            "vpadd.i16 d24, d24, d25\n",
            ".if {group} == 16\n",
            "vpadd.i16 d25, d26, d27\n",
            "vmlal.s16 q14, d24, ",
            $first,
            "\n",
            "vmlal.s16 q14, d25, ",
            $second,
            "\n",
            ".else\n",
            "vmlal.s16 q14, d24, ",
            $both,
            "\n",
            ".endif\n",
        )
    };
}

/// The scales of groups of 16 in q0 and q1, or those of groups of 32 in q0 and, as bytes, their
/// minima in d2.
macro_rules! load_scales {
    () => {
        concat!(
            ".if {six_bits}\n",
            // Bytes of 6 bits, four scales and four minima; above them the upper 2 bits of four
            // others, whose lower 4 are the halves of the last bytes.
            "vld1.8 {{d0}}, [{scales}]!\n",
            "vld1.32 {{d2[]}}, [{scales}]\n",
            "vshr.u8 d4, d0, #6\n",
            "vmov.i8 d5, #63\n",
            "vand d0, d0, d5\n",
            "vshr.u8 d3, d2, #4\n",
            "vtrn.32 d2, d3\n",
            "vsli.8 d2, d4, #4\n",
            "vtrn.32 d0, d2\n",
            ".elseif {signed_six_bits}\n",
            // The halves of 8 bytes, below the pairs of bits of the last 4 bytes.
            "vld1.8 {{d2}}, [{scales}]!\n",
            "vld1.32 {{d4[]}}, [{scales}]\n",
            "vshr.u8 d3, d2, #4\n",
            "vshr.u8 d5, d4, #2\n",
            "vtrn.32 d4, d5\n",
            "vshr.u8 d5, d4, #4\n",
            "vsli.8 q1, q2, #4\n",
            "vmov.i8 q2, #63\n",
            "vand q1, q1, q2\n",
            "vmov.i8 q2, #32\n",
            "vsub.i8 q1, q1, q2\n",
            ".elseif {group} == 16\n",
            "vld1.8 {{d2, d3}}, [{scales}]\n",
            ".if {nibbles}\n",
            "vmov.i8 q2, #15\n",
            "vand q1, q1, q2\n",
            ".endif\n",
            ".else\n",
            "vmov.i8 d0, #1\n",
            "vmov.i8 d2, #1\n",
            ".endif\n",
            ".if {group} == 16\n",
            "vmovl.s8 q0, d2\n",
            "vmovl.s8 q1, d3\n",
            ".else\n",
            "vmovl.s8 q0, d0\n",
            ".endif\n",
        )
    };
}

/// The minima in the scales' place.
macro_rules! load_minima {
    () => {
        concat!(
            ".if {nibbles}\n",
            "vld1.8 {{d2, d3}}, [{scales}]\n",
            "vshr.u8 q1, q1, #4\n",
            "vmovl.s8 q0, d2\n",
            "vmovl.s8 q1, d3\n",
            ".else\n",
            "vmovl.s8 q0, d2\n",
            ".endif\n",
        )
    };
}

/// Scales or minima times the activations' sums, in q13.
macro_rules! times_sums {
    () => {
        concat!(
            "vld1.16 {{d16, d17, d18, d19}}, [{sums}]\n",
            ".if {group} == 16\n",
            "vmull.s16 q13, d0, d16\n",
            "vmlal.s16 q13, d1, d17\n",
            "vmlal.s16 q13, d2, d18\n",
            "vmlal.s16 q13, d3, d19\n",
            ".else\n",
            "vpadd.i16 d16, d16, d17\n",
            "vpadd.i16 d17, d18, d19\n",
            "vmull.s16 q13, d0, d16\n",
            "vmlal.s16 q13, d1, d17\n",
            ".endif\n",
        )
    };
}

/// The high plane, or one that is not read.
const fn high<F: BlockFormat>() -> Plane {
    if let Some(high) = F::LAYOUT.high { high } else { F::LAYOUT.low }
}

/// `isum` and `msum` of a block of 256: planes whose runs are 32 bytes, of the low one perhaps 64.
#[inline(always)]
fn sums_of_256<F: BlockFormat>(block: &F::Bytes, x: &Quants<F>, x_sums: &Sums<F>) -> (i32, i32) {
    const {
        assert!(matches!(F::LAYOUT.code, Code::Unsigned(_)));
        assert!(matches!(F::LAYOUT.low.run, 32 | 64));
        assert!(matches!(F::LAYOUT.high, None | Some(Plane { run: 32, .. })));
        assert!(!F::HAS_MINIMUM || F::GROUP > 16 || matches!(F::LAYOUT.scales, Scales::Nibbles(_)));
        assert_fits::<F>(if F::GROUP == 16 { 4 } else { 8 });
    }
    let block = block.as_ref();
    let (isum, msum): (i32, i32);
    // SAFETY: reads 256 bytes of `x`, 32 of `x_sums`, and the planes and scales, which lie within
    // the block (`BlockLayout::assert_gap_free`). A table with this code is had by showing that the
    // CPU has NEON.
    unsafe {
        neon!(
            load_scales!(),
            // What all quants have too much, times scales and sums.
            ".if {offset}",
            times_sums!(),
            "vmvn.i32 q14, #{offset} - 1",
            "vmul.i32 q14, q14, q13",
            ".else",
            "vmov.i32 q14, #0",
            ".endif",
            "vmov.i8 q15, #{mask}",
            step!(even 0, "d0[0]", "d0[1]", "d0[0]"),
            step!(odd 1, "d0[2]", "d0[3]", "d0[1]"),
            step!(even 2, "d1[0]", "d1[1]", "d0[2]"),
            step!(odd 3, "d1[2]", "d1[3]", "d0[3]"),
            step!(even 4, "d2[0]", "d2[1]", "d1[0]"),
            step!(odd 5, "d2[2]", "d2[3]", "d1[1]"),
            step!(even 6, "d3[0]", "d3[1]", "d1[2]"),
            step!(odd 7, "d3[2]", "d3[3]", "d1[3]"),
            ".if {has_minimum}",
            load_minima!(),
            times_sums!(),
            ".endif",
            "vadd.i32 d28, d28, d29",
            "vadd.i32 d26, d26, d27",
            "vpadd.i32 d28, d28, d26",
            "vmov {isum}, {msum}, d28";
            x = inout(reg) x.as_ref().as_ptr() => _,
            low = inout(reg) block[F::LAYOUT.low.at..].as_ptr() => _,
            high = inout(reg) block[high::<F>().at..].as_ptr() => _,
            scales = inout(reg) block[F::LAYOUT.scales.field().0..].as_ptr() => _,
            sums = in(reg) x_sums.as_ref().as_ptr(),
            low_run = const F::LAYOUT.low.run,
            low_bits = const F::LAYOUT.low.bits,
            high_run = const high::<F>().run,
            high_bits = const F::LAYOUT.bits() - F::LAYOUT.low.bits,
            mask = const F::LAYOUT.max_stored(),
            offset = const F::OFFSET,
            six_bits = const matches!(F::LAYOUT.scales, Scales::SixBits(_)) as u8,
            signed_six_bits = const matches!(F::LAYOUT.scales, Scales::SignedSixBits(_)) as u8,
            nibbles = const matches!(F::LAYOUT.scales, Scales::Nibbles(_)) as u8,
            group = const if F::GROUP == 16 { 16 } else { 32 },
            has_minimum = const F::HAS_MINIMUM as u8,
            isum = lateout(reg) isum,
            msum = lateout(reg) msum,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _,
            out("d12") _, out("d13") _, out("d14") _, out("d15") _,
        );
    }
    (isum, msum)
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
