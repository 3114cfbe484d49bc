//! Layer 6: choosing the next token from the scores of the vocabulary.
//!
//! The same seed gives the same tokens on every machine: the generator is integer arithmetic, `exp`
//! is [`crate::num::exp`], and every sum is a serial one in f64, over ids ascending or over
//! candidates best first as each place says.

//!
//! The order of the stages is llama.cpp's, behind the mask of a constraint: bias, penalties, DRY;
//! top-k, typical, top-p, min-p, XTC (or Mirostat instead of these); temperature; one draw. None of
//! them can forbid the last token that is left.

mod candidates;
mod chain;
mod dry;
mod filters;
mod history;
mod mask;
mod mirostat;
mod nucleus;
mod options;
mod penalties;
mod rng;
mod scores;
mod temperature;

pub use chain::{SampleError, Sampler, argmax};
pub use mask::mask_words;
pub use options::{
    Dry, DynamicTemperature, Mirostat, Penalties, SamplerError, SamplerOptions, Xtc,
};
pub use rng::Rng;
