//! Phi 2, and Phi 3 to 4: fused matrices.

use super::Family;
use crate::model::block::{Block, FEED_FORWARD_UNNORMED, Needs};
use crate::model::config::Habits;
use crate::model::tensor::{Fused, Tensor};
use crate::ops::{Norm, gelu};

/// Phi 2: both halves read one norm of the residual stream.
pub static PHI2: Family = Family {
    architecture: "phi2",
    block: Block {
        feed_forwards: &[&FEED_FORWARD_UNNORMED],
        habits: Habits { norm: Norm::LAYER, ..Block::HALVES.habits },
        activation: gelu,
        ..Block::HALVES
    },
    needs: Needs::biased(&[Tensor::AttentionNorm]),
    outside: Needs::biased(&[Tensor::OutputNorm]),
    fused: &[Fused::ATTENTION],
    configure: |_, config| {
        config.is_parallel = true;
        Ok(())
    },
};

/// Phi 3 and later. As llama.cpp does, the window that some files name is left out.
pub static PHI3: Family = Family {
    architecture: "phi3",
    block: Block::HALVES,
    outside: Needs::optional(&[Tensor::RopeFactorsLong, Tensor::RopeFactorsShort]),
    fused: &[Fused::ATTENTION, Fused::GATE_UP],
    configure: |keys, config| config.extend_by_factors(keys),
    ..Family::PLAIN
};
