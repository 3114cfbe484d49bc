//! Multiplies made-up weights with made-up activations, for counting instructions.
//!
//!     matmul LEVEL FORMAT WEIGHT_ROWS COLUMNS BATCH REPEATS
//!
//! Everything but the multiplication happens once: two runs that differ in REPEATS differ by
//! the multiplications' cost. For targets that are emulated, with a CPU that has all of a level's
//! features: on x86-64 only `sse2` and `portable` are to be had. Prints a checksum that is the same
//! for every level.
// Unsafe: says that the CPU has every feature. The counts are taken in an emulator that has them.
#![allow(unsafe_code)]

use picolm_core::kernels::{ALL, Activations, EncodedRow, Encoding, FormatKernels};
use picolm_core::mem::{Grid, Tiles};
use picolm_core::port::{CpuFeature, CpuFeatures};
use std::process::exit;

fn kernels(level: &str, format: &str) -> Option<&'static FormatKernels> {
    let features = [CpuFeature::Neon, CpuFeature::DotProd, CpuFeature::ArmDsp];
    // SAFETY: the emulated CPU has them: the caller asks for a level only where it has.
    let cpu =
        features.iter().fold(CpuFeatures::baseline(), |cpu, &feature| unsafe { cpu.with(feature) });
    ALL.iter()
        .filter_map(|candidate| candidate(cpu))
        .find(|kernels| kernels.level() == level && kernels.tensor_type().name() == format)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, format, numbers @ ..] = arguments.as_slice() else { exit(2) };
    let numbers: Vec<usize> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let [weight_rows, columns, batch, repeats] = numbers[..] else { exit(2) };
    let Some(kernels) = kernels(level, format) else {
        println!("none");
        return;
    };
    // A linear congruential generator's upper bits; floats in -1..1.
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let row_bytes = kernels.row_bytes(columns).unwrap_or_else(|| exit(2));
    // 0x3f3f and less: no f16 is infinite.
    let bytes: Vec<u8> = (0..weight_rows * row_bytes).map(|_| random() as u8 & 0x3f).collect();
    let x: Vec<f32> = (0..batch * columns).map(|_| random() as f32 / 8_388_608.0 - 1.0).collect();
    let block = match kernels.encoding() {
        Encoding::Int8 { block, .. } => block,
        Encoding::F32 => columns,
    };
    let (mut quants, mut sums) = (vec![0; x.len()], vec![0; x.len() / 16]);
    let mut scales = vec![0.0; x.len() / block];
    for (row, x) in x.chunks_exact(columns).enumerate() {
        let out = EncodedRow {
            quants: &mut quants[row * columns..][..columns],
            scales: &mut scales[row * (columns / block)..][..columns / block],
            sums: &mut sums[row * (columns / 16)..][..columns / 16],
        };
        kernels.encode(x, out).expect("lengths belong together");
    }
    let integers = matches!(kernels.encoding(), Encoding::Int8 { .. });
    let activations = Activations {
        rows: batch,
        columns,
        float: &x,
        quants: if integers { &quants } else { &[] },
        scales: if integers { &scales } else { &[] },
        sums: if integers { &sums } else { &[] },
    };
    let mut out = vec![0.0; batch * weight_rows];
    for _ in 0..repeats {
        let grid = Grid {
            rows: batch,
            stride: weight_rows,
            first_column: 0,
            columns: weight_rows,
            tile_rows: batch,
            tile_columns: weight_rows,
        };
        let tiles = Tiles::new(&mut out, grid).expect("the matrix has these lengths");
        let mut tile = tiles.tile(0).expect("there is one tile");
        kernels.matmul(&bytes, &activations, &mut tile).expect("lengths belong together");
    }
    let sum = out.iter().fold(0u32, |sum, value| sum.rotate_left(5) ^ value.to_bits());
    println!("{sum:08x}");
}
