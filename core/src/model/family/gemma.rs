//! Gemma 1 to 3 and EmbeddingGemma: scaled embeddings, GELU, and from the second on norms after
//! each half and windows in most blocks.

use super::Family;
use crate::model::block::{Block, Needs};
use crate::model::config::{Config, LayerShape, Pooling, attention_factor, bound};
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::tensor::Tensor;
use crate::num;
use crate::ops::{Rope, gelu};

const BLOCK: Block =
    Block { activation: gelu, shape: LayerShape::local_if_marked, ..Block::HALVES };

const POST_NORMS: Needs =
    Needs::required(&[Tensor::AttentionPostNorm, Tensor::FeedForwardPostNorm]);

/// Gemma 1.
pub static GEMMA: Family = Family {
    architecture: "gemma",
    block: BLOCK,
    configure: |_, config| {
        config.embedding_scale = num::sqrt(config.n_embd as f32);
        Ok(())
    },
    ..Family::PLAIN
};

/// Gemma 2.
pub static GEMMA2: Family = Family {
    architecture: "gemma2",
    block: BLOCK,
    needs: POST_NORMS,
    configure: |keys, config| {
        config.embedding_scale = num::sqrt(config.n_embd as f32);
        config.mark_local(keys, 4096, 2)?;
        config.rotate_locally(keys, config.rope)?;
        config.attention_cap = keys.positive("attn_logit_softcapping", 50.0)?;
        config.logit_cap = keys.positive("final_logit_softcapping", 30.0)?;
        scale_attention(config, 46);
        Ok(())
    },
    ..Family::PLAIN
};

/// Gemma 3.
pub static GEMMA3: Family = Family {
    architecture: "gemma3",
    block: BLOCK,
    needs: POST_NORMS.and(Needs::required(&[Tensor::QueryNorm, Tensor::KeyNorm])),
    configure: |keys, config| {
        gemma3(keys, config)?;
        config.logit_cap = keys.optional_positive("final_logit_softcapping")?.unwrap_or(0.0);
        scale_attention(config, 62);
        Ok(())
    },
    ..Family::PLAIN
};

/// EmbeddingGemma: Gemma 3 whose rows see all of their text.
pub static GEMMA_EMBEDDING: Family = Family {
    architecture: "gemma-embedding",
    outside: Needs::optional(&[Tensor::Dense2, Tensor::Dense3]),
    configure: |keys, config| {
        gemma3(keys, config)?;
        config.is_causal = false;
        config.pooling = config.pooling.or(Some(Pooling::Mean));
        for (length, key) in config.n_dense.iter_mut().zip(["dense_2_feat_out", "dense_3_feat_out"])
        {
            *length = keys.optional_size(key, bound::EMBEDDING)?.unwrap_or(0);
        }
        Ok(())
    },
    ..GEMMA3
};

fn gemma3(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    config.embedding_scale = num::sqrt(config.n_embd as f32);
    config.mark_local(keys, 0, 6)?;
    let magnitude = attention_factor(keys)?;
    let local = Rope { frequency_base: 10_000.0, magnitude, ..config.rope.unscaled() };
    config.rotate_locally(keys, local)
}

/// The models of 27 billion parameters, which have `largest` blocks, divide by the square root of
/// a head's share of the residual stream.
fn scale_attention(config: &mut Config, largest: u32) {
    if config.n_layer == largest {
        config.attention_scale = 1.0 / num::sqrt((config.n_embd / config.n_head) as f32);
    }
}
