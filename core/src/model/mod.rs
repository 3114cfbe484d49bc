//! Layer 6: the transformer. A batch of rows goes in, logits come out.
//!
//! | file | idea |
//! |---|---|
//! | [`config`](Config) | sizes and constants, checked once against each other |
//! | [`layers`](LayerSet) | a set of blocks: those left out |
//! | [`per_block`](PerBlock) | a number of each block |
//! | `keys` | the metadata keys of an architecture |
//! | `tensor` | every tensor that the engine knows: name, shape, kind |
//! | `schedule` | in what order and in what stripes matrices are read |
//! | `tensors` | where the tensors of a loaded file lie |
//! | `kv_cache` | keys and values of every position |
//! | [`recurrence`](Recurrence) | sizes of what remembers all positions at once |
//! | `recurrent` | state that cannot go back, and marks to go back to |
//! | `state` | buffers of the passes |
//! | `loaded` | what the halves of a block run on |
//! | `block` | the halves of a block: attention and other mixers, feed-forward, experts |
//! | [`family`] | what differs between architectures, as data |
//! | `placement` | what a file's tensors are, by their names |
//! | [`layout`](Layout) | a model file, understood: what plans and engines are made from |
//! | `load` | a model ready to run |
//! | `forward` | the pass itself, read straight down |
//! | `pool` | the pass whose rows become one vector |
//! | `stored` | keys and values as bytes, and what their bits depend on |
//! | `forget` | positions taken out of a text without a pass |
//! | [`traffic`](Traffic) | the bytes that a decode pass reads |

mod block;
#[cfg(test)]
pub(crate) mod block_tests;
mod config;
mod error;
pub mod family;
mod forget;
mod forward;
mod keys;
mod kv_cache;
mod layers;
mod layout;
mod load;
mod loaded;
mod per_block;
mod placement;
mod pool;
mod recurrence;
mod recurrent;
mod schedule;
mod state;
mod stored;
mod tensor;
mod tensors;
mod traffic;

pub use block::{
    ATTENTION, ATTENTION_BESIDE_STATE_SPACE, ATTENTION_UNNORMED, Block, DELTA_NET,
    DELTA_NET_GROUPED, DENSE_EXPERTS, EXPERTS, FEED_FORWARD, FEED_FORWARD_UNNORMED, GATED,
    GATED_ATTENTION, GATED_UNNORMED, Half, KEEPING, Needs, Opening, PER_LAYER, PER_LAYER_INPUT,
    SCALED, SHARED_EXPERT, SHARING, SHORT_CONV, STATE_SPACE, SUB_NORMED,
};
pub use config::{BlockCounts, Config, LayerShape, Pooling, Router};
pub use error::{ForwardError, ModelError, Name, TensorSlot};
pub use family::Family;
pub use forward::Row;
pub use keys::Keys;
pub(crate) use kv_cache::Run;
pub use layers::LayerSet;
pub use layout::{Build, Layout};
pub use load::Model;
pub use per_block::PerBlock;
pub use recurrence::Recurrence;
pub(crate) use recurrent::Keep;
pub use state::ModelOptions;
pub(crate) use state::State;
pub use tensor::{Fused, Tensor, TensorSet};
pub use traffic::Traffic;
