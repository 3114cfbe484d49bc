//! Dequantises raw blocks: `dequantize TYPE < blocks > values`, f32 little-endian.
//!
//! `ci/dequantize-check` compares what it writes with gguf-py's values. Blocks are read in pieces,
//! so any number of them may come.

use core::error::Error;
use picolm_core::kernels::{bind, portable};
use picolm_core::port::CpuFeatures;
use picolm_core::quant::TensorType;
use std::io::{Read, Write, stdin, stdout};

/// Blocks that are converted at a time.
const PIECE_BLOCKS: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: dequantize TYPE < blocks > values")?;
    let tensor_type = TensorType::ALL.iter().find(|tensor_type| tensor_type.name() == name);
    let tensor_type = *tensor_type.ok_or("no such tensor type")?;
    let kernels = bind(portable::ALL, CpuFeatures::baseline(), tensor_type).ok_or("no kernels")?;
    let (block_bytes, block_elements) =
        (tensor_type.block_bytes() as usize, tensor_type.block_elements() as usize);

    let mut input = stdin().lock();
    let mut output = stdout().lock();
    let mut blocks = Vec::new();
    let mut values = vec![0.0f32; PIECE_BLOCKS * block_elements];
    loop {
        blocks.clear();
        input.by_ref().take((PIECE_BLOCKS * block_bytes) as u64).read_to_end(&mut blocks)?;
        if blocks.is_empty() {
            return Ok(());
        }
        if blocks.len() % block_bytes != 0 {
            return Err("input ends within a block".into());
        }
        let values = &mut values[..blocks.len() / block_bytes * block_elements];
        kernels.dequantize(&blocks, values).map_err(|_| "lengths do not belong together")?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        output.write_all(&bytes)?;
    }
}
