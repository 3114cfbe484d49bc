//! Kernels of RV64 without vectors: several small products in one 64-bit multiplication.

mod lanes;
mod swar;
mod words;

use super::{Candidate, FormatKernels, VectorCandidate, candidates, join, portable};
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;

/// The kernels of block format `F`, which run on every CPU: they need 64-bit registers, no feature.
pub fn new<F: BlockFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    Some(const { &swar::kernels::<F>() })
}

/// The kernels of this instruction set alone.
const SWAR: &[Candidate] = candidates!(blocks new);
const USUAL: &[Candidate] = candidates!(usual new);

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = join!(SWAR, portable::ALL);

/// The usual types'.
pub const FEW: &[Candidate] = join!(USUAL, portable::UNUSUAL);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[VectorCandidate] = VECTORS;

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::kernels::tests::{equals_portable, halves};
    use crate::kernels::{Activations, EncodedRow, bind};
    use crate::mem::{Grid, Tiles};
    use std::vec::Vec;

    #[test]
    fn swar_equals_portable() {
        equals_portable(SWAR, CpuFeatures::baseline());
    }

    /// The dot product of one row of weights with activations that are all `x`.
    fn dot(kernels: &FormatKernels, weights: &[u8], x: f32, columns: usize) -> f32 {
        let x = std::vec![x; columns];
        let (mut quants, mut sums) = (std::vec![0; columns], std::vec![0; columns / 16]);
        let block = kernels.tensor_type().block_elements() as usize;
        let mut scales = std::vec![0.0; columns / block];
        let row = EncodedRow { quants: &mut quants, scales: &mut scales, sums: &mut sums };
        kernels.encode(&x, row).unwrap();
        let activations = Activations {
            rows: 1,
            columns,
            float: &x,
            quants: &quants,
            scales: &scales,
            sums: &sums,
        };
        let grid =
            Grid { rows: 1, stride: 1, first_column: 0, columns: 1, tile_rows: 1, tile_columns: 1 };
        let mut out = [0.0];
        let tiles = Tiles::new(&mut out, grid).unwrap();
        kernels.matmul(weights, &activations, &mut tiles.tile(0).unwrap()).unwrap();
        out[0]
    }

    #[test]
    fn lanes_hold_the_greatest_sums() {
        // Every activation 127 or -127, every weight byte the same: all lanes at their extremes at
        // once, which random numbers never reach. 0x1d and 0x1d1d as f16 are small and finite.
        for candidate in SWAR {
            let kernels = candidate(CpuFeatures::baseline()).unwrap();
            let tensor_type = kernels.tensor_type();
            let portable = bind(portable::ALL, CpuFeatures::baseline(), tensor_type).unwrap();
            let block = tensor_type.block_bytes() as usize;
            for byte in 0..=u8::MAX {
                let mut weights: Vec<u8> = std::vec![byte; 3 * block];
                for block in weights.chunks_exact_mut(block) {
                    for at in halves(tensor_type) {
                        block[at..][..2].fill(0x1d);
                    }
                }
                let columns = 3 * tensor_type.block_elements() as usize;
                for x in [1.0, -1.0] {
                    let ours = dot(kernels, &weights, x, columns);
                    let theirs = dot(portable, &weights, x, columns);
                    assert!(theirs.is_finite());
                    assert_eq!(ours, theirs, "{} {byte:#x} {x}", tensor_type.name());
                }
            }
        }
    }
}
