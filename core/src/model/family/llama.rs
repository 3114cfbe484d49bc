//! Llama 1 to 3.2, TinyLlama, Mistral, Mixtral, SmolLM2 and others converted to `llama`.
//!
//! Converters permute the query and key weights of these models so that pairs to rotate are
//! neighbours. Llama 3.1 and later carry `rope_freqs.weight`; Mixtral carries experts.

use super::Family;
use crate::ops::Pairing;

/// The llama family.
pub const LLAMA: Family = Family { architecture: "llama", pairing: Pairing::Adjacent };
