//! Layer 6: the transformer. A batch of rows goes in, logits come out.
//!
//! | file | idea |
//! |---|---|
//! | [`config`](Config) | sizes and constants, checked once against each other |
//! | [`family`] | what differs between architectures |
//! | `tensors` | which tensor of the file plays which part, and in what order they are read |
//! | `kv_cache` | keys and values of every position |
//! | `experts` | the mixture-of-experts feed-forward |
//! | `forward` | the pass itself, read straight down |
//! | [`traffic`](Traffic) | the bytes that a decode pass reads |

mod config;
mod error;
mod experts;
pub mod family;
mod forward;
mod kv_cache;
mod tensors;
mod traffic;

pub use config::Config;
pub use error::{ModelError, Name, TensorSlot};
pub use family::Family;
pub(crate) use forward::State;
pub use forward::{ForwardError, Model, ModelOptions, Parts, Row};
pub use traffic::Traffic;
