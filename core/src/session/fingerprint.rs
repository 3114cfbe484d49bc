//! Which model a file that a run leaves for the next one belongs to, by a hash that costs
//! milliseconds.
//!
//! Hashed are the model file's length, its whole header (metadata and tensor table) and samples of
//! its weights: a fine-tuned model has the header of its parent. Against accidents, not against
//! someone who makes two models with one fingerprint and would only fool himself.

use crate::gguf::Gguf;
use crate::model::LayerSet;
use crate::port::{ReadError, Weights};

/// Tensors of which a sample is hashed, evenly spread over the file. Reading one costs a page or a
/// sector: 64 random reads take a slow SD card about 0.1 s.
const SAMPLES: u64 = 64;

/// Bytes of a sample, from the middle of a tensor.
const SAMPLE_BYTES: usize = 1024;

/// FNV-1a, 64 bits (Fowler, Noll and Vo; RFC 9923).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Hashes `bytes`, behind those before.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash of all bytes so far.
    pub const fn value(&self) -> u64 {
        self.0
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

/// Identifies a model in files that outlive a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of the file that `gguf` describes and `weights` reads.
    pub fn of(gguf: &Gguf<'_>, weights: &dyn Weights) -> Result<Self, ReadError> {
        let mut hash = Hash::new();
        hash.update(&weights.file_bytes().to_le_bytes());
        hash.update(gguf.header_bytes());
        let count = gguf.tensor_count();
        let mut next = 0;
        for (index, tensor) in (0u64..).zip(gguf.tensors()) {
            // The first tensor from index next * count / SAMPLES on; all of up to SAMPLES.
            if index * SAMPLES < next * count {
                continue;
            }
            next += 1;
            let mut sample = [0; SAMPLE_BYTES];
            let length = tensor.bytes.min(SAMPLE_BYTES as u64);
            let sample = &mut sample[..length as usize];
            weights.read(tensor.offset + (tensor.bytes - length) / 2, sample)?;
            hash.update(sample);
        }
        Ok(Self(hash.value()))
    }

    /// The hash of the model without the blocks of `skipped`.
    pub(super) fn without(self, skipped: LayerSet) -> u64 {
        let mut hash = Hash::new();
        hash.update(&self.0.to_le_bytes());
        skipped.iter().for_each(|layer| hash.update(&layer.to_le_bytes()));
        hash.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9923 for FNV-1a with 64 bits.
    #[test]
    fn examples_of_the_standard() {
        for (text, expected) in [
            (&b""[..], 0xcbf2_9ce4_8422_2325),
            (b"a", 0xaf63_dc4c_8601_ec8c),
            (b"foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hash = Hash::new();
            hash.update(text);
            assert_eq!(hash.value(), expected);
        }
    }
}
