//! Llama 1 to 3.2, TinyLlama, Mistral, Mixtral, SmolLM2 and others converted to `llama`.
//!
//! Converters permute the query and key weights of these models so that pairs to rotate are
//! neighbours. Llama 3.1 and later carry `rope_freqs.weight`; Mixtral carries experts.

use super::Family;
use crate::model::block::{Block, EXPERTS};

/// Dense models.
pub static LLAMA: Family = Family { architecture: "llama", ..Family::PLAIN };

/// Mixtures of experts.
pub static LLAMA_EXPERTS: Family = Family {
    block: Block { feed_forwards: &[&EXPERTS], ..Block::LLAMA },
    architecture: "llama",
    ..Family::PLAIN
};
