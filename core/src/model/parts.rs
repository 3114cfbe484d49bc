//! Which part a tensor plays: its name says it, and the configuration says its shape.
//!
//! Every tensor of a file must have a part and that part's shape: one that is left out would change
//! the answers silently.

use super::config::Config;
use super::error::{ModelError, Name, TensorSlot};
use crate::gguf::{Gguf, TensorInfo};

/// The embedding's slot: its rows are the vocabulary.
pub(super) const TOKEN_EMBEDDING: TensorSlot =
    TensorSlot { layer: None, suffix: "token_embd.weight" };

/// What a tensor's name says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Embedding,
    OutputNorm,
    Output,
    OutputBias,
    RopeFactors,
    AttentionNorm,
    Query,
    QueryBias,
    Key,
    KeyBias,
    Value,
    ValueBias,
    AttentionOutput,
    AttentionOutputBias,
    FeedForwardNorm,
    Gate,
    GateBias,
    Up,
    UpBias,
    Down,
    DownBias,
    Router,
    ExpertGates,
    ExpertUps,
    ExpertDowns,
}

/// Names outside of blocks.
const GLOBAL_PARTS: &[(&str, Part)] = &[
    ("token_embd.weight", Part::Embedding),
    ("output_norm.weight", Part::OutputNorm),
    ("output.weight", Part::Output),
    ("output.bias", Part::OutputBias),
    ("rope_freqs.weight", Part::RopeFactors),
];

/// Names within a block, after `blk.N.`.
const LAYER_PARTS: &[(&str, Part)] = &[
    ("attn_norm.weight", Part::AttentionNorm),
    ("attn_q.weight", Part::Query),
    ("attn_q.bias", Part::QueryBias),
    ("attn_k.weight", Part::Key),
    ("attn_k.bias", Part::KeyBias),
    ("attn_v.weight", Part::Value),
    ("attn_v.bias", Part::ValueBias),
    ("attn_output.weight", Part::AttentionOutput),
    ("attn_output.bias", Part::AttentionOutputBias),
    ("ffn_norm.weight", Part::FeedForwardNorm),
    ("ffn_gate.weight", Part::Gate),
    ("ffn_gate.bias", Part::GateBias),
    ("ffn_up.weight", Part::Up),
    ("ffn_up.bias", Part::UpBias),
    ("ffn_down.weight", Part::Down),
    ("ffn_down.bias", Part::DownBias),
    ("ffn_gate_inp.weight", Part::Router),
    ("ffn_gate_exps.weight", Part::ExpertGates),
    ("ffn_up_exps.weight", Part::ExpertUps),
    ("ffn_down_exps.weight", Part::ExpertDowns),
];

/// A tensor's shape: `[experts, rows, columns]`, rows and experts 1 for a vector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) experts: u32,
}

impl Part {
    /// The shape that `config` gives this part; `None` where the architecture has no such part.
    fn shape(self, config: &Config) -> Option<Shape> {
        let vector = |columns| Shape { columns, rows: 1, experts: 1 };
        let matrix = |rows, columns| Shape { columns, rows, experts: 1 };
        let (embd, ff) = (config.n_embd, config.n_ff);
        let dense = config.n_expert == 0;
        let shape = match self {
            Self::Embedding | Self::Output => matrix(config.n_vocab, embd),
            Self::OutputNorm
            | Self::AttentionNorm
            | Self::FeedForwardNorm
            | Self::AttentionOutputBias
            | Self::DownBias => vector(embd),
            Self::OutputBias => vector(config.n_vocab),
            Self::RopeFactors => vector(config.rope.dimensions / 2),
            Self::Query => matrix(config.query_len() as u32, embd),
            Self::QueryBias => vector(config.query_len() as u32),
            Self::Key => matrix(config.key_len() as u32, embd),
            Self::KeyBias => vector(config.key_len() as u32),
            Self::Value => matrix(config.value_len() as u32, embd),
            Self::ValueBias => vector(config.value_len() as u32),
            Self::AttentionOutput => matrix(embd, config.attention_len() as u32),
            Self::Gate | Self::Up => matrix(ff, embd),
            Self::GateBias | Self::UpBias => vector(ff),
            Self::Down => matrix(embd, ff),
            Self::Router => matrix(config.n_expert, embd),
            Self::ExpertGates | Self::ExpertUps => {
                Shape { columns: embd, rows: ff, experts: config.n_expert }
            }
            Self::ExpertDowns => Shape { columns: ff, rows: embd, experts: config.n_expert },
        };
        let belongs = match self {
            Self::Gate | Self::Up | Self::Down => dense,
            Self::GateBias | Self::UpBias | Self::DownBias => dense,
            Self::Router | Self::ExpertGates | Self::ExpertUps | Self::ExpertDowns => !dense,
            _ => true,
        };
        belongs.then_some(shape)
    }

    pub(super) const fn is_vector(self) -> bool {
        matches!(
            self,
            Self::OutputNorm
                | Self::AttentionNorm
                | Self::FeedForwardNorm
                | Self::AttentionOutputBias
                | Self::DownBias
                | Self::OutputBias
                | Self::RopeFactors
                | Self::QueryBias
                | Self::KeyBias
                | Self::ValueBias
                | Self::GateBias
                | Self::UpBias
        )
    }
}

/// Finds the part that `name` plays, and in which block.
fn recognise(name: &[u8], n_layer: u32) -> Option<(TensorSlot, Part)> {
    let find = |parts: &'static [(&'static str, Part)], suffix: &[u8]| {
        parts.iter().find(|(name, _)| name.as_bytes() == suffix)
    };
    let Some(rest) = name.strip_prefix(b"blk.") else {
        let (suffix, part) = find(GLOBAL_PARTS, name)?;
        return Some((TensorSlot { layer: None, suffix }, *part));
    };
    let dot = rest.iter().position(|&byte| byte == b'.')?;
    let (number, suffix) = rest.split_at_checked(dot)?;
    // "blk.03" and "blk.+3" are other names than "blk.3".
    if number.len() > 1 && number.first() == Some(&b'0') || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let layer: u32 = str::from_utf8(number).ok()?.parse().ok()?;
    let (suffix, part) = find(LAYER_PARTS, suffix.get(1..)?)?;
    (layer < n_layer).then_some((TensorSlot { layer: Some(layer), suffix }, *part))
}

/// One tensor of the file with its part.
pub(super) struct Placed<'a> {
    pub(super) slot: TensorSlot,
    /// Its block among those that run, or `None` for a tensor outside of blocks.
    pub(super) layer: Option<u32>,
    pub(super) part: Part,
    pub(super) shape: Shape,
    pub(super) info: TensorInfo<'a>,
}

/// Every tensor with its part, shape checked; none of the blocks that are skipped.
pub(super) fn placed<'a>(
    gguf: &Gguf<'a>,
    config: &Config,
) -> impl Iterator<Item = Result<Placed<'a>, ModelError>> {
    let config = *config;
    gguf.tensors().filter_map(move |info| place(info, &config).transpose())
}

/// One tensor's part; `None` where its block is skipped.
fn place<'a>(info: TensorInfo<'a>, config: &Config) -> Result<Option<Placed<'a>>, ModelError> {
    let unknown = ModelError::UnknownTensor(Name::new(info.name));
    let (slot, part) = recognise(info.name, config.n_layer_stored()).ok_or(unknown)?;
    let layer = match slot.layer.map(|layer| config.index_of(layer)) {
        Some(None) => return Ok(None),
        kept => kept.flatten(),
    };
    let shape = part.shape(config).ok_or(unknown)?;
    let stored = [u64::from(shape.columns), u64::from(shape.rows), u64::from(shape.experts), 1];
    if info.dimensions != stored {
        return Err(ModelError::WrongShape(slot));
    }
    Ok(Some(Placed { slot, layer, part, shape, info }))
}
