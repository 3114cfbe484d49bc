//! Hunyuan, dense: heads are rotated first and normed then.

use super::Family;
use crate::model::block::{Block, Needs};
use crate::model::tensor::Tensor;

/// Dense models.
pub static HUNYUAN: Family = Family {
    architecture: "hunyuan-dense",
    block: Block { rotates_first: true, ..Block::HALVES },
    needs: Needs::required(&[Tensor::QueryNorm, Tensor::KeyNorm]),
    configure: |keys, config| {
        // The base of a longer context, scaled as NTK-aware interpolation does.
        if let Some(alpha) = keys.optional_positive("rope.scaling.alpha")? {
            let dimensions = config.key_dim as f32;
            let exponent = dimensions / (dimensions - 2.0).max(1.0);
            config.rope.frequency_base *= libm::powf(alpha, exponent);
        }
        Ok(())
    },
    ..Family::PLAIN
};
