//! BitNet b1.58: norms within each half (Wang et al. 2023, arXiv 2310.11453).

use super::Family;
use crate::model::block::{Block, Needs, SUB_NORMED};
use crate::model::tensor::Tensor;

/// Dense models.
pub static BITNET: Family = Family {
    architecture: "bitnet",
    block: Block { feed_forwards: &[&SUB_NORMED], ..Block::HALVES },
    needs: Needs::required(&[Tensor::AttentionSubNorm]),
    ..Family::PLAIN
};
