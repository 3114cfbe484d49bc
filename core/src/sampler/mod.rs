//! Layer 6: choosing the next token from the scores of the vocabulary.
//!
//! The same seed gives the same tokens on every machine: the generator is integer arithmetic, `exp`
//! is [`crate::num::exp`], and every sum is a serial one in f64, over ids ascending or over
//! candidates best first as each place says.

mod candidates;
mod chain;
mod mask;
mod nucleus;
mod rng;

pub use chain::{SampleError, Sampler, SamplerError, SamplerOptions, argmax};
pub use mask::mask_words;
pub use rng::Rng;
