//! Layer 6: the transformer. A batch of rows goes in, logits come out.
//!
//! | file | idea |
//! |---|---|
//! | [`config`](Config) | sizes and constants, checked once against each other |
//! | [`layers`](LayerSet) | a set of blocks: those left out |
//! | [`family`] | what differs between architectures |
//! | `parts` | which part a tensor of the file plays, by its name |
//! | `tensors` | the parts of a file, found and checked |
//! | `schedule` | in what order and in what stripes they are read |
//! | `kv_cache` | keys and values of every position |
//! | `stored` | keys and values as bytes, and what their bits depend on |
//! | `forget` | positions taken out of a text without a pass |
//! | `state` | buffers of the passes, planned to the byte |
//! | `load` | a model ready to run |
//! | `forward` | the pass itself, read straight down |
//! | `experts` | the mixture-of-experts feed-forward |
//! | [`traffic`](Traffic) | the bytes that a decode pass reads |

mod config;
mod error;
mod experts;
pub mod family;
mod forget;
mod forward;
mod kv_cache;
mod layers;
mod load;
mod parts;
mod schedule;
mod state;
mod stored;
mod tensors;
mod traffic;

pub use config::Config;
pub use error::{ModelError, Name, TensorSlot};
pub use family::Family;
pub use forward::{ForwardError, Row};
pub(crate) use kv_cache::{Part, Run};
pub use layers::LayerSet;
pub use load::{Model, Parts};
pub use state::ModelOptions;
pub(crate) use state::{State, row_bytes};
pub(crate) use stored::StoredShape;
pub use traffic::Traffic;
