//! Groups of matrices against one matrix at a time: whatever the encodings, stripes, leases, rows
//! and workers, the same bits.

extern crate std;

use super::{Broken, Calls, Counting, Random, Reverse, Threads, WRONG, right_calls};
use crate::kernels::{
    Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS, bind, portable,
};
use crate::mem::{Arena, Grid, Tiles};
use crate::ops::{Encoder, KEEP, Machine, Matrix, OpError, PARALLEL_ELEMENTS, Product, multiply};
use crate::port::{
    CpuFeatures, FlashWeights, Lease, Need, Parallel, ReadError, Serial, Stripe, Weights,
};
use crate::quant::TensorType::{self, F32, Q4_0, Q4_K, Q8_0};
use core::sync::atomic::Ordering;
use std::vec::Vec;

const COLUMNS: usize = 512;

/// A group: matrices one behind the other in a file, their schedule, and activations.
struct Group {
    file: Vec<u8>,
    stripes: Vec<Stripe>,
    matrices: Vec<(&'static FormatKernels, Matrix)>,
    bias: Vec<f32>,
    values: Vec<f32>,
}

/// Kept as a flash file, leased `leases` at a time.
struct Source<'f> {
    file: FlashWeights<'f>,
    leases: usize,
}

impl Weights for Source<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    fn leases(&self) -> usize {
        self.leases
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        self.file.lease(index, stripe)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read(offset, into)
    }
}

impl Group {
    /// Matrices of these formats and rows, in stripes of `stripe_rows`, and `rows` rows of
    /// activations.
    fn new(formats: &[(TensorType, u32)], stripe_rows: u32, rows: usize) -> Self {
        let mut random = Random(rows as u32);
        let mut group = Self {
            file: Vec::new(),
            stripes: Vec::new(),
            matrices: Vec::new(),
            bias: (0..999).map(|_| random.next()).collect(),
            values: (0..rows * COLUMNS).map(|_| random.next()).collect(),
        };
        for &(tensor_type, rows) in formats {
            let kernels = bind(portable::ALL, CpuFeatures::baseline(), tensor_type).unwrap();
            let row_bytes = kernels.row_bytes(COLUMNS).unwrap() as u64;
            let matrix = Matrix {
                offset: group.file.len() as u64,
                rows,
                columns: COLUMNS as u32,
                first_stripe: group.stripes.len() as u32,
                stripe_rows,
                tensor_type,
                expert_rows: 0,
                unused: [0; 3],
            };
            group.matrices.push((kernels, matrix));
            for first in (0..rows).step_by(stripe_rows as usize) {
                let bytes = u64::from(stripe_rows.min(rows - first)) * row_bytes;
                let offset = matrix.offset + u64::from(first) * row_bytes;
                group.stripes.push(Stripe { offset, bytes, need: Need::Always, group: 0 });
            }
            let bytes = rows as usize * row_bytes as usize;
            // Exponents of scales and of f32 stay small: their bytes are below 0x3f.
            group.file.extend((0..bytes).map(|_| (random.next().abs() * 60.0) as u8));
        }
        group
    }

    fn rows(&self) -> usize {
        self.values.len() / COLUMNS
    }

    /// Every matrix's outputs and, behind them, sums with 1; the encoder has room for `encodings`.
    fn run(
        &self,
        parallel: &dyn Parallel,
        leases: usize,
        encodings: usize,
    ) -> Result<Vec<u32>, OpError> {
        let file = FlashWeights::new(&self.file);
        let source = Source { file, leases };
        let machine = Machine { parallel, weights: &source, stripes: &self.stripes };
        let (rows, columns) = (self.rows() as u64, (encodings * COLUMNS) as u64);
        let mut memory = std::vec![0; 16 * (rows * columns) as usize];
        let mut arena = Arena::new(&mut memory);
        let mut encoder = Encoder::take(rows, columns, &mut arena);
        let outputs = |value: f32| -> Vec<Vec<f32>> {
            let matrices = self.matrices.iter();
            matrices.map(|(_, m)| std::vec![value; self.rows() * m.rows as usize]).collect()
        };
        let (mut outs, mut totals) = (outputs(f32::NAN), outputs(1.0));
        let places = outs.iter_mut().zip(&mut totals);
        let products = self.matrices.iter().zip(places);
        let mut products: Vec<_> = products
            .map(|(&(kernels, matrix), (out, sum))| {
                let bias = &self.bias[..matrix.rows as usize];
                Product { kernels, matrix, bias, out, sum }
            })
            .collect();
        let mut values = self.values.clone();
        multiply(machine, &mut encoder, &mut values, COLUMNS, KEEP, &mut products)?;
        Ok(outs.iter().chain(&totals).flatten().map(|value| value.to_bits()).collect())
    }

    /// The same by a kernel's single call for each matrix.
    fn expected(&self) -> Vec<u32> {
        let rows = self.rows();
        let (mut outs, mut totals) = (Vec::new(), Vec::new());
        for &(kernels, matrix) in &self.matrices {
            let block = match kernels.encoding() {
                Encoding::Int8 { block, .. } => block,
                Encoding::F32 => COLUMNS,
            };
            let (scale_columns, sum_columns) = (COLUMNS / block, COLUMNS / SUM_ELEMENTS);
            let mut quants = std::vec![0; rows * COLUMNS];
            let mut scales = std::vec![0.0; rows * scale_columns];
            let mut sums = std::vec![0; rows * sum_columns];
            for row in 0..rows {
                let encoded = EncodedRow {
                    quants: &mut quants[row * COLUMNS..][..COLUMNS],
                    scales: &mut scales[row * scale_columns..][..scale_columns],
                    sums: &mut sums[row * sum_columns..][..sum_columns],
                };
                kernels.encode(&self.values[row * COLUMNS..][..COLUMNS], encoded).unwrap();
            }
            let activations = Activations {
                rows,
                columns: COLUMNS,
                float: &self.values,
                quants: &quants,
                scales: &scales,
                sums: &sums,
            };
            let outputs = matrix.rows as usize;
            let mut out = std::vec![f32::NAN; rows * outputs];
            let grid = Grid {
                rows,
                stride: outputs,
                first_column: 0,
                columns: outputs,
                tile_rows: rows,
                tile_columns: outputs,
            };
            let bytes = outputs * kernels.row_bytes(COLUMNS).unwrap();
            let weights = &self.file[matrix.offset as usize..][..bytes];
            let tiles = Tiles::new(&mut out, grid).unwrap();
            kernels.matmul(weights, &activations, &mut tiles.tile(0).unwrap()).unwrap();
            for (out, bias) in out.iter_mut().zip(self.bias[..outputs].iter().cycle()) {
                *out += bias;
            }
            totals.extend(out.iter().map(|value| (1.0 + value).to_bits()));
            outs.extend(out.iter().map(|value| value.to_bits()));
        }
        outs.extend(totals);
        outs
    }
}

const FORMATS: [(TensorType, u32); 4] = [(Q4_K, 100), (Q4_0, 33), (F32, 17), (Q8_0, 64)];

#[test]
fn a_group_is_its_matrices_one_by_one() {
    // Rows of few and of enough elements for the workers.
    for rows in [1, 3, PARALLEL_ELEMENTS / COLUMNS + 1] {
        for stripe_rows in [7, 16, 48, 1000] {
            let group = Group::new(&FORMATS, stripe_rows, rows);
            let expected = group.expected();
            assert!(expected.iter().all(|&bits| f32::from_bits(bits).is_finite()));
            for leases in [0, 1, 2, 4, 9] {
                for encodings in [1, 2] {
                    let others: [&dyn Parallel; 3] =
                        [&Serial, &Reverse { workers: 3 }, &Threads { workers: 2 }];
                    for parallel in others {
                        let found = group.run(parallel, leases, encodings).unwrap();
                        assert!(found == expected, "{rows} {stripe_rows} {leases} {encodings}");
                    }
                }
            }
        }
    }
}

#[test]
fn leases_and_room_make_jobs_of_a_group() {
    let jobs = |leases, encodings| {
        let counting = Counting::default();
        Group::new(&FORMATS, 1000, 2).run(&counting, leases, encodings).unwrap();
        counting.jobs.load(Ordering::Relaxed)
    };
    assert_eq!(jobs(4, 2), 1);
    assert_eq!(jobs(2, 2), 2);
    assert_eq!(jobs(1, 2), 4);
    // With room for one encoding, Q4_K is alone; F32 needs none, and Q8_0 has that of Q4_0.
    assert_eq!(jobs(4, 1), 2);
    assert_eq!(jobs(2, 1), 3);
}

#[test]
fn a_pool_that_breaks_its_contract_is_an_error() {
    let group = Group::new(&FORMATS, 64, PARALLEL_ELEMENTS / COLUMNS + 1);
    let verdict = |change: fn(&mut Calls)| {
        let calls = move |chunks| {
            let mut calls = right_calls(chunks);
            assert!(calls.len() > 3, "the case has several tiles");
            change(&mut calls);
            calls
        };
        group.run(&Broken { calls }, 4, 2).map(|_| ())
    };
    assert_eq!(verdict(|_| ()), Ok(()));
    // The last of them names a worker that does not exist, which is nothing to a matmul.
    for (index, change) in WRONG[..WRONG.len() - 1].iter().enumerate() {
        assert_eq!(verdict(*change), Err(OpError::Parallel), "{index}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let group = Group::new(&FORMATS, 1000, 2);
    assert_eq!(group.run(&Serial, 4, 0), Err(OpError::Shape));
    let mut short = Group::new(&FORMATS, 1000, 2);
    short.values.pop();
    assert_eq!(short.run(&Serial, 4, 2), Err(OpError::Shape));
    let mut lost = Group::new(&FORMATS, 48, 2);
    lost.stripes[1].bytes -= 1;
    assert!(matches!(lost.run(&Serial, 4, 2), Err(OpError::Read(_))));
    lost.stripes.truncate(1);
    assert_eq!(lost.run(&Serial, 4, 2), Err(OpError::Shape));
}
