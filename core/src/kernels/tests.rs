//! The shared runner: every level's kernels against `portable`, bit for bit, and `portable` against
//! exact arithmetic on dequantised weights.
//!
//! A level's own test is one call: `equals_portable(&[new::<Q4_K>, ...], cpu)`.

extern crate std;

use super::portable::{self, float_activations::FLOAT_ACTIVATIONS};
use super::*;
use crate::mem::{Grid, Tiles};
use crate::num::f16;
use crate::quant::scales::Factor;
use crate::quant::{BlockFormat, BlockLayout, KvType};
use std::vec::Vec;

/// splitmix64: numbers that look random and are the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Roughly normal, standard deviation about 1: the sum of 4 uniform numbers in -0.866..0.866.
    pub(crate) fn normal(&mut self) -> f32 {
        let word = self.next();
        let sum: i64 = (0..4).map(|i| i64::from((word >> (16 * i)) as i16)).sum();
        sum as f32 / 32768.0 * 0.866
    }
}

/// What tests know of block formats.
const BLOCKS: &[fn() -> (TensorType, BlockLayout)] = candidates!(blocks layout_of);

const fn layout_of<F: BlockFormat>() -> (TensorType, BlockLayout) {
    (F::TENSOR_TYPE, F::LAYOUT)
}

/// The layout of a block format; the float formats have none.
fn layout(tensor_type: TensorType) -> Option<BlockLayout> {
    let mut all = BLOCKS.iter().map(|layout| layout());
    all.find(|(block_type, _)| *block_type == tensor_type).map(|(_, layout)| layout)
}

/// Writes `scale`, or a scale that is near, as the scale and as the minimum of a block.
fn put_scale(layout: &BlockLayout, block: &mut [u8], scale: f32) {
    let half = f16::from_f32(scale).to_bits();
    let at = layout.scale;
    let exponent = (scale.to_bits() >> 23) as u8;
    match layout.factor {
        Factor::Half => block[at..at + 2].copy_from_slice(&half.to_le_bytes()),
        Factor::Exponent => block[at] = exponent + 1,
        // Its exponent counts from -7, and it stands for half of itself.
        Factor::Small => block[at..at + 4].fill((exponent - 119).min(14) << 3),
        Factor::Nibbles => {
            for (nibble, word) in block[at..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
                word[1] = word[1] & 0x0f | (half >> (4 * nibble) << 4) as u8 & 0xf0;
            }
        }
    }
    if let Some(at) = layout.minimum_at() {
        block[at..at + 2].copy_from_slice(&half.to_le_bytes());
    }
}

/// What the weights of a test look like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bytes {
    /// Random quants, scales of a plausible size.
    Plausible,
    /// Every byte random: any scale, also infinite or NaN, any float.
    Any,
    /// Every byte this value, f16 fields and the like 1.0: extremes of all quants and scales.
    All(u8),
}

fn weights(tensor_type: TensorType, elements: usize, bytes: Bytes, random: &mut Random) -> Vec<u8> {
    let count = tensor_type.bytes_for(elements as u64).unwrap() as usize;
    let plausible = |random: &mut Random| match tensor_type {
        TensorType::F32 => random.normal().to_le_bytes().to_vec(),
        TensorType::F16 => f16::from_f32(random.normal()).to_le_bytes().to_vec(),
        TensorType::BF16 => random.normal().to_le_bytes()[2..].to_vec(),
        _ => random.next().to_le_bytes().to_vec(),
    };
    let mut made = match bytes {
        Bytes::Plausible => (0..count).flat_map(|_| plausible(random)).take(count).collect(),
        Bytes::Any => (0..count).map(|_| random.next() as u8).collect(),
        Bytes::All(byte) => std::vec![byte; count],
    };
    if let Some(layout) = layout(tensor_type)
        && bytes != Bytes::Any
    {
        for block in made.chunks_exact_mut(tensor_type.block_bytes() as usize) {
            let scale = 0.01 + (random.next() % 1000) as f32 * 1e-5;
            put_scale(&layout, block, if bytes == Bytes::Plausible { scale } else { 1.0 });
        }
    }
    made
}

/// A batch as `kernels` encodes it.
struct Encoded {
    quants: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i16>,
}

fn encode(kernels: &FormatKernels, x: &[f32], columns: usize) -> Encoded {
    let Encoding::Int8 { block, .. } = kernels.encoding() else {
        return Encoded { quants: Vec::new(), scales: Vec::new(), sums: Vec::new() };
    };
    let (blocks, groups) = (columns / block, columns / SUM_ELEMENTS);
    let rows = x.len() / columns;
    // Filled with what no encoder writes, so that a place left out shows.
    let mut encoded = Encoded {
        quants: std::vec![-128; x.len()],
        scales: std::vec![-1.0; rows * blocks],
        sums: std::vec![i16::MAX; rows * groups],
    };
    for (row, x) in x.chunks_exact(columns).enumerate() {
        let out = EncodedRow {
            quants: &mut encoded.quants[row * columns..][..columns],
            scales: &mut encoded.scales[row * blocks..][..blocks],
            sums: &mut encoded.sums[row * groups..][..groups],
        };
        kernels.encode(x, out).unwrap();
    }
    encoded
}

/// `[rows of x, weight rows]`. The tile lies inside a wider matrix whose rest must stay untouched.
fn matmul(kernels: &FormatKernels, weights: &[u8], x: &[f32], columns: usize) -> Vec<f32> {
    matmul_beside(kernels, weights, x, columns, [3, 4])
}

/// [`matmul`] with so many columns of the matrix before and after those of the tile.
fn matmul_beside(
    kernels: &FormatKernels,
    weights: &[u8],
    x: &[f32],
    columns: usize,
    [margin, after]: [usize; 2],
) -> Vec<f32> {
    let encoded = encode(kernels, x, columns);
    let rows = x.len() / columns;
    let activations = Activations {
        rows,
        columns,
        float: x,
        quants: &encoded.quants,
        scales: &encoded.scales,
        sums: &encoded.sums,
    };
    let weight_rows = weights.len() / kernels.row_bytes(columns).unwrap();
    let stride = margin + weight_rows + after;
    let mut matrix = std::vec![123.0; rows * stride];
    let grid = Grid {
        rows,
        stride,
        first_column: margin,
        columns: weight_rows,
        tile_rows: rows,
        tile_columns: weight_rows,
    };
    let tiles = Tiles::new(&mut matrix, grid).unwrap();
    kernels.matmul(weights, &activations, &mut tiles.tile(0).unwrap()).unwrap();
    let mut out = Vec::new();
    for row in matrix.chunks_exact(stride) {
        let (before, rest) = row.split_at(margin);
        let (inside, after) = rest.split_at(weight_rows);
        assert!(before.iter().chain(after).all(|&value| value == 123.0), "wrote beyond its tile");
        out.extend_from_slice(inside);
    }
    out
}

/// Equal bits; NaN equals NaN, whose payload IEEE 754 leaves open.
fn assert_same(ours: &[f32], theirs: &[f32], what: core::fmt::Arguments<'_>) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{what}, value {index}: {a:e} ({:08x}), not {b:e}", a.to_bits());
    }
}

/// Activations: `rows` of them, the first plain, later ones with outliers, zeros and extremes.
fn activation_rows(rows: usize, columns: usize, random: &mut Random) -> Vec<f32> {
    (0..rows * columns)
        .map(|at| match (at / columns) % 4 {
            1 if at % 37 == 0 => 100.0 * random.normal(),
            2 if at % columns < 64 => 0.0,
            3 => {
                if random.next() & 1 == 0 {
                    1.0
                } else {
                    -1.0
                }
            }
            _ => random.normal(),
        })
        .collect()
}

/// Runs every one of `candidates` that `cpu` allows and compares it with `portable`, bit for bit:
/// dequantisation, encoding and matmul. Fails if there is none.
pub(crate) fn equals_portable(candidates: &[Candidate], cpu: CpuFeatures) {
    let mut ran = 0;
    for kernels in candidates.iter().filter_map(|candidate| candidate(cpu)) {
        let tensor_type = kernels.tensor_type();
        let oracle = bind(portable::ALL, CpuFeatures::baseline(), tensor_type).unwrap();
        check_kernels(kernels, oracle);
        check_long_rows(kernels, oracle);
        check_small_batches(kernels, oracle);
        check_large_batches(kernels, oracle);
        check_greatest_sums(kernels, oracle);
        ran += 1;
    }
    assert!(ran > 0, "no kernels for this CPU");
}

/// Rows of so many blocks that a level which walks rows in pieces has several, the last not whole:
/// the longest piece is 256 blocks of 32 (8,192 weights).
fn check_long_rows(kernels: &FormatKernels, oracle: &FormatKernels) {
    let tensor_type = kernels.tensor_type();
    let mut random = Random(0x10f6 + tensor_type as u64);
    let block = tensor_type.block_elements() as usize;
    let columns = if block == 32 { (256 + 139) * block } else { 139 * block };
    let weights = weights(tensor_type, 9 * columns, Bytes::Plausible, &mut random);
    for rows in [1, 2, 5, 9] {
        let x = activation_rows(rows, columns, &mut random);
        let what = format_args!("{} {}: long rows, {rows}", kernels.level(), tensor_type.name());
        let ours = matmul(kernels, &weights, &x, columns);
        assert_same(&ours, &matmul(oracle, &weights, &x, columns), what);
    }
}

/// Every number of activation rows that a level may treat by itself, with several distances from a
/// row of outputs to the next, and weight rows that are whole eights and others.
fn check_small_batches(kernels: &FormatKernels, oracle: &FormatKernels) {
    let tensor_type = kernels.tensor_type();
    let mut random = Random(0x5a11 + tensor_type as u64);
    let block = (tensor_type.block_elements() as usize).max(20);
    for columns in [block, 2 * block, 5 * block] {
        for (rows, beside) in
            (1..=9).flat_map(|rows| [(rows, [0, 0]), (rows, [5, 0]), (rows, [0, 41])])
        {
            let weight_rows = 16 + rows % 3;
            let weights = weights(tensor_type, weight_rows * columns, Bytes::Any, &mut random);
            let x = activation_rows(rows, columns, &mut random);
            let what = format_args!(
                "{} {}: {columns} columns, batch of {rows}, {beside:?} beside",
                kernels.level(),
                tensor_type.name(),
            );
            let ours = matmul_beside(kernels, &weights, &x, columns, beside);
            assert_same(&ours, &matmul(oracle, &weights, &x, columns), what);
        }
    }
}

/// Batches beyond what a level multiplies at a time (32 and 256 rows), with every rest.
fn check_large_batches(kernels: &FormatKernels, oracle: &FormatKernels) {
    let tensor_type = kernels.tensor_type();
    let mut random = Random(0xba7c + tensor_type as u64);
    let columns = (3 * tensor_type.block_elements() as usize).max(40);
    let weights = weights(tensor_type, 18 * columns, Bytes::Plausible, &mut random);
    for rows in [33, 66, 131, 259, 270] {
        let x = activation_rows(rows, columns, &mut random);
        let what = format_args!("{} {}: batch of {rows}", kernels.level(), tensor_type.name());
        let ours = matmul(kernels, &weights, &x, columns);
        assert_same(&ours, &matmul(oracle, &weights, &x, columns), what);
    }
}

/// Every activation 127 or -127, every weight byte the same: all lanes at their extremes at once,
/// which random numbers never reach. One activation row, and two.
fn check_greatest_sums(kernels: &FormatKernels, oracle: &FormatKernels) {
    let tensor_type = kernels.tensor_type();
    let columns = 3 * tensor_type.block_elements() as usize;
    for byte in 0..=u8::MAX {
        let weights = weights(tensor_type, 9 * columns, Bytes::All(byte), &mut Random(0));
        for (x, rows) in [(1.0, 1), (-1.0, 1), (1.0, 2), (-1.0, 2)] {
            let x = std::vec![x; rows * columns];
            let what = format_args!("{} {}: {byte:#x}", kernels.level(), tensor_type.name());
            let ours = matmul(kernels, &weights, &x, columns);
            assert_same(&ours, &matmul(oracle, &weights, &x, columns), what);
        }
    }
}

fn check_kernels(kernels: &FormatKernels, oracle: &FormatKernels) {
    let tensor_type = kernels.tensor_type();
    let mut random = Random(0x5eed + tensor_type as u64);
    let block = (tensor_type.block_elements() as usize).max(1);
    // One block, an odd number, half a register of terms, a whole one, and the 18 of a real model's
    // narrow rows.
    let mut sizes = std::vec![block, 3 * block, 4 * block, 8 * block, 18 * block];
    if block == 1 {
        // Rows that end within 16 lanes, and a whole number of them.
        sizes = std::vec![1, 15, 16, 17, 100, 256];
    }
    let kinds = [Bytes::Plausible, Bytes::Any, Bytes::All(0), Bytes::All(0xff), Bytes::All(0x80)];
    for &columns in &sizes {
        for bytes in kinds {
            for weight_rows in [1, 3, 4, 9, 16, 35] {
                let weights = weights(tensor_type, weight_rows * columns, bytes, &mut random);
                check_dequantize(kernels, oracle, &weights, weight_rows * columns);
                for rows in [1, 2, 3, 7, 19] {
                    let x = activation_rows(rows, columns, &mut random);
                    let what = format_args!(
                        "{} {}: {weight_rows} rows of {columns} ({bytes:?}), batch {rows}",
                        kernels.level(),
                        tensor_type.name(),
                    );
                    let ours = matmul(kernels, &weights, &x, columns);
                    assert_same(&ours, &matmul(oracle, &weights, &x, columns), what);
                }
            }
        }
        check_encode(kernels, oracle, columns, &mut random);
    }
}

fn check_dequantize(kernels: &FormatKernels, oracle: &FormatKernels, weights: &[u8], count: usize) {
    let (mut ours, mut theirs) = (std::vec![1.5; count], std::vec![2.5; count]);
    kernels.dequantize(weights, &mut ours).unwrap();
    oracle.dequantize(weights, &mut theirs).unwrap();
    assert_same(&ours, &theirs, format_args!("{} dequantize", kernels.level()));
}

/// Rows of every magnitude, with ties and with what is not finite. Where the order of
/// elements and sums is a level's own, only its scales are portable's: the matmul tests the rest.
fn check_encode(
    kernels: &FormatKernels,
    oracle: &FormatKernels,
    columns: usize,
    random: &mut Random,
) {
    let Encoding::Int8 { block, order } = kernels.encoding() else { return };
    assert!(matches!(oracle.encoding(), Encoding::Int8 { block: theirs, .. } if theirs == block));
    for round in 0..400 {
        let mut x: Vec<f32> = (0..columns)
            .map(|_| match round % 4 {
                0 => random.normal(),
                1 => ((random.next() % 255) as f32 - 127.0) / 2.0,
                2 => f32::from_bits(random.next() as u32 & 0xbfff_ffff),
                _ => random.normal() * f32::from_bits((random.next() as u32 % 250) << 23),
            })
            .collect();
        if round % 10 == 9 {
            let bad = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            x[random.next() as usize % columns] = bad[random.next() as usize % 4];
        }
        let (ours, theirs) = (encode(kernels, &x, columns), encode(oracle, &x, columns));
        assert_same(&ours.scales, &theirs.scales, format_args!("{} scales", kernels.level()));
        if order == 0 {
            assert_eq!(ours.quants, theirs.quants, "{} quants", kernels.level());
            assert_eq!(ours.sums, theirs.sums, "{} sums", kernels.level());
        }
    }
}

/// Runs every one of the vector `candidates` that `cpu` allows and compares it with `portable`, bit
/// for bit, on lengths with and without a partial vector. Fails if there is none.
pub(crate) fn vectors_equal_portable(candidates: &[VectorCandidate], cpu: CpuFeatures) {
    let oracle = bind_vector(portable::VECTORS, CpuFeatures::baseline()).unwrap();
    let mut ran = 0;
    for kernels in candidates.iter().filter_map(|candidate| candidate(cpu)) {
        let mut random = Random(7);
        for length in (0..70).chain([96, 127, 128, 500, 2048]) {
            check_vectors(kernels, oracle, length, &mut random);
        }
        check_every_half(kernels, oracle);
        check_stored(kernels, oracle, &mut random);
        ran += 1;
    }
    assert!(ran > 0, "no vector kernels for this CPU");
}

/// Numbers around 0, those around the ends of `exp`, some that are not finite.
fn hard_numbers(count: usize, random: &mut Random) -> Vec<f32> {
    let special = [0.0, -0.0, -87.0, 88.0, -87.01, 88.01, f32::MAX, f32::MIN, 1e-45, -3e-39];
    let not_finite = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    (0..count)
        .map(|_| match random.next() % 40 {
            0 => special[random.next() as usize % special.len()],
            1 if random.next().is_multiple_of(8) => not_finite[random.next() as usize % 3],
            2..10 => 90.0 * random.normal(),
            _ => random.normal(),
        })
        .collect()
}

fn check_vectors(
    kernels: &VectorKernels,
    oracle: &VectorKernels,
    length: usize,
    random: &mut Random,
) {
    let level = kernels.level();
    let (a, b) = (hard_numbers(length, random), hard_numbers(length, random));
    let same = |ours: &[f32], theirs: &[f32], what: &str| {
        assert_same(ours, theirs, format_args!("{level} {what} of {length}"));
    };
    same(&[kernels.dot(&a, &b).unwrap()], &[oracle.dot(&a, &b).unwrap()], "dot");
    for count in [0, 1, 2, 7, 15, 16, 17, 40, 64] {
        let rows = hard_numbers(count * length, random);
        let (mut ours, mut theirs) = (std::vec![1.0; count], std::vec![2.0; count]);
        kernels.dots(&a, &rows, &mut ours).unwrap();
        oracle.dots(&a, &rows, &mut theirs).unwrap();
        same(&ours, &theirs, "dots");
        let weights = hard_numbers(count, random);
        let (mut ours, mut theirs) = (b.clone(), b.clone());
        kernels.accumulate(&weights, &rows, &mut ours).unwrap();
        oracle.accumulate(&weights, &rows, &mut theirs).unwrap();
        same(&ours, &theirs, "accumulate");
        let (gain, queries) = (-0.7, hard_numbers(count, random));
        let step = StateUpdate { decay: 0.9, gain, keys: &weights, values: &a, queries: &queries };
        let (mut our_state, mut their_state) = (rows.clone(), rows);
        kernels.update_state(&step, &mut our_state, &mut ours).unwrap();
        oracle.update_state(&step, &mut their_state, &mut theirs).unwrap();
        same(&our_state, &their_state, "update_state");
        same(&ours, &theirs, "what update_state reads");
    }
    for shift in [0.0, 3.5, -80.0, f32::NEG_INFINITY] {
        let (mut ours, mut theirs) = (a.clone(), a.clone());
        let sums = [kernels.exp_sum(&mut ours, shift), oracle.exp_sum(&mut theirs, shift)];
        same(&ours, &theirs, "exp");
        same(&sums[..1], &sums[1..], "exp_sum");
    }
}

/// Every f16 to f32; and back, with numbers between two f16s.
fn check_every_half(kernels: &VectorKernels, oracle: &VectorKernels) {
    let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let (mut ours, mut theirs) = (std::vec![0.0; 1 << 16], std::vec![1.0; 1 << 16]);
    kernels.widen(KvType::F16, &halves, &mut ours).unwrap();
    oracle.widen(KvType::F16, &halves, &mut theirs).unwrap();
    assert_same(&ours, &theirs, format_args!("{} widen", kernels.level()));
    for factor in [1.0, 1.000_244_1, 1.000_488_3, 0.999_9] {
        let x: Vec<f32> = theirs.iter().map(|x| x * factor).collect();
        let (mut ours, mut theirs) = (std::vec![0; 2 * x.len()], std::vec![1; 2 * x.len()]);
        kernels.narrow(KvType::F16, &x, &mut ours).unwrap();
        oracle.narrow(KvType::F16, &x, &mut theirs).unwrap();
        let halves = [ours, theirs].map(|bytes| {
            let halves = bytes.as_chunks().0.iter();
            halves.map(|half| u16::from_le_bytes(*half)).collect::<Vec<_>>()
        });
        for (x, (&ours, &theirs)) in x.iter().zip(halves[0].iter().zip(&halves[1])) {
            let same = ours == theirs || x.is_nan() && f16::from_bits(ours).is_nan();
            assert!(same, "{} narrow {x:e}: {ours:x}, not {theirs:x}", kernels.level());
        }
    }
}

/// Heads of every length with a whole and a partial vector, of all types that have such; every
/// scale, whatever it is, and every quant.
fn check_stored(kernels: &VectorKernels, oracle: &VectorKernels, random: &mut Random) {
    for kv_type in KvType::ALL {
        for length in (0..70).chain([96, 128, 1 << 16]) {
            let Some(bytes) = kv_type.head_bytes(length) else { continue };
            let mut stored: Vec<u8> = (0..bytes).map(|_| random.next() as u8).collect();
            if kv_type != KvType::F16 && length > 128 {
                let blocks = stored.chunks_exact_mut(kv_type.tensor_type().block_bytes() as usize);
                for (scale, block) in (0..=u16::MAX).step_by(32).zip(blocks) {
                    let scale = scale | (random.next() as u16 & 31);
                    block[..2].copy_from_slice(&scale.to_le_bytes());
                }
            }
            let (mut ours, mut theirs) = (std::vec![1.5; length], std::vec![2.5; length]);
            kernels.widen(kv_type, &stored, &mut ours).unwrap();
            oracle.widen(kv_type, &stored, &mut theirs).unwrap();
            let what = format_args!("{} {} of {length}", kernels.level(), kv_type.name());
            assert_same(&ours, &theirs, what);
            assert_eq!(kernels.widen(kv_type, &[&stored[..], &[0]].concat(), &mut ours), REFUSED);
            assert_eq!(kernels.narrow(kv_type, &ours, &mut [&stored[..], &[0]].concat()), REFUSED);
        }
    }
}

const REFUSED: Result<(), ShapeMismatch> = Err(ShapeMismatch);

#[test]
fn the_vector_runner_accepts_portable_itself() {
    vectors_equal_portable(portable::VECTORS, CpuFeatures::baseline());
}

#[test]
fn portable_equals_itself_row_by_row() {
    // Promise 3 for the oracle: the batch and the number of weight rows leave no trace.
    let mut random = Random(1);
    for candidate in portable::ALL.iter().chain(FLOAT_ACTIVATIONS) {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        let columns = 512;
        let row_bytes = kernels.row_bytes(columns).unwrap();
        let weights = weights(kernels.tensor_type(), 5 * columns, Bytes::Plausible, &mut random);
        let x = activation_rows(19, columns, &mut random);
        let together = matmul(kernels, &weights, &x, columns);
        for (row, x) in x.chunks_exact(columns).enumerate() {
            for (column, weights) in weights.chunks_exact(row_bytes).enumerate() {
                let alone = matmul(kernels, weights, x, columns);
                let what = format_args!("{} alone", kernels.tensor_type().name());
                assert_same(&together[row * 5 + column..][..1], &alone, what);
            }
        }
    }
}

#[test]
fn the_runner_accepts_portable_itself() {
    equals_portable(portable::ALL, CpuFeatures::baseline());
}

/// Normalised mean square error of `kernels` against f64 on dequantised weights.
fn error(kernels: &FormatKernels) -> f64 {
    let mut random = Random(2);
    let (columns, rows, weight_rows) = (2048, 4, 32);
    let weights =
        weights(kernels.tensor_type(), weight_rows * columns, Bytes::Plausible, &mut random);
    let x: Vec<f32> = (0..rows * columns).map(|_| random.normal()).collect();
    let mut values = std::vec![0.0; weight_rows * columns];
    kernels.dequantize(&weights, &mut values).unwrap();
    let (mut wrong, mut all) = (0.0, 0.0);
    let out = matmul(kernels, &weights, &x, columns);
    for (row, x) in x.chunks_exact(columns).enumerate() {
        for (column, values) in values.chunks_exact(columns).enumerate() {
            let products = x.iter().zip(values).map(|(&x, &w)| f64::from(x) * f64::from(w));
            let exact: f64 = products.sum();
            let off = f64::from(out[row * weight_rows + column]) - exact;
            wrong += off * off;
            all += exact * exact;
        }
    }
    assert!(all > 0.0);
    wrong / all
}

#[test]
fn dot_products_are_as_exact_as_their_activations() {
    for candidate in FLOAT_ACTIVATIONS {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        let error = error(kernels);
        assert!(error <= 1e-10, "{}: {error:e}", kernels.tensor_type().name());
    }
    for candidate in portable::ALL {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        let error = error(kernels);
        assert!(error <= 5e-4, "{}: {error:e}", kernels.tensor_type().name());
    }
}

#[test]
fn extremes_do_not_overflow() {
    // All bytes equal and x = +-1, so q = +-127 exactly and the result is a sum of f64-exact
    // products: an integer sum that wrapped would be far off.
    for candidate in portable::ALL {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        if layout(kernels.tensor_type()).is_none() {
            continue;
        }
        let columns = 1024;
        for byte in [0x00, 0x0f, 0x7f, 0x80, 0xf0, 0xff] {
            let weights = weights(kernels.tensor_type(), columns, Bytes::All(byte), &mut Random(3));
            let mut values = std::vec![0.0; columns];
            kernels.dequantize(&weights, &mut values).unwrap();
            for signs in [|_: f32| 1.0, |_: f32| -1.0, |w: f32| if w < 0.0 { -1.0 } else { 1.0 }] {
                let x: Vec<f32> = values.iter().map(|&w| signs(w)).collect();
                let exact: f64 = x.iter().zip(&values).map(|(&x, &w)| f64::from(x * w)).sum();
                let magnitude: f64 = values.iter().map(|&w| f64::from(w.abs())).sum();
                let dot = f64::from(matmul(kernels, &weights, &x, columns)[0]);
                let name = kernels.tensor_type().name();
                assert!((dot - exact).abs() <= 1e-5 * magnitude, "{name} {byte:#x}: {dot} {exact}");
            }
        }
    }
}

#[test]
fn what_is_not_finite_reaches_the_output() {
    for candidate in portable::ALL.iter().chain(FLOAT_ACTIVATIONS) {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        let columns = 512;
        let weights = weights(kernels.tensor_type(), 3 * columns, Bytes::Plausible, &mut Random(4));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = std::vec![0.25; columns];
            x[300] = bad;
            let out = matmul(kernels, &weights, &x, columns);
            assert!(out.iter().all(|value| !value.is_finite()), "{}", kernels.tensor_type().name());
        }
    }
}

#[test]
fn lengths_that_do_not_belong_together_are_refused() {
    for candidate in portable::ALL {
        let kernels = candidate(CpuFeatures::baseline()).unwrap();
        let bytes = std::vec![0; kernels.row_bytes(256).unwrap()];
        assert_eq!(kernels.dequantize(&bytes[1..], &mut [0.0; 256]), Err(ShapeMismatch));
        assert_eq!(kernels.dequantize(&bytes, &mut [0.0; 512]), Err(ShapeMismatch));
        let activations = Activations {
            rows: 1,
            columns: 256,
            float: &[0.0; 255],
            quants: &[0; 255],
            scales: &[],
            sums: &[],
        };
        let mut out = [0.0];
        let grid =
            Grid { rows: 1, stride: 1, first_column: 0, columns: 1, tile_rows: 1, tile_columns: 1 };
        let tiles = Tiles::new(&mut out, grid).unwrap();
        let mut tile = tiles.tile(0).unwrap();
        assert_eq!(kernels.matmul(&bytes, &activations, &mut tile), Err(ShapeMismatch));
    }
}
