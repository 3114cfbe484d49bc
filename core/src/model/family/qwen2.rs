//! Qwen 2 and 2.5: biases on queries, keys and values (taken where the file has them), and halves
//! of a head rotated together.

use super::Family;
use crate::ops::Pairing;

/// The Qwen 2 family.
pub const QWEN2: Family = Family { architecture: "qwen2", pairing: Pairing::Halves };
