//! Why a model cannot be loaded, and why a pass fails: small, `Copy`, naming the key or tensor.

use crate::gguf::GgufError;
use crate::kernels::ShapeMismatch;
use crate::mem::ArenaFull;
use crate::ops::{OpError, RowPosition};
use crate::port::ReadError;
use crate::quant::{KvType, TensorType};
pub use crate::text::Name;
use core::fmt;

/// A tensor by its place: `blk.3.attn_q.weight`, `output_norm.weight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorSlot {
    /// The block, or `None` for a tensor outside of blocks.
    pub layer: Option<u32>,
    /// The name: `attn_q`.
    pub name: &'static str,
    /// What follows it: `.weight`.
    pub suffix: &'static str,
}

impl fmt::Display for TensorSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blk.{layer}.")?;
        }
        write!(f, "{}{}", self.name, self.suffix)
    }
}

/// Why a model cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelError {
    /// The file is not a sound GGUF, or a key has the wrong type.
    Gguf(GgufError),
    /// No family of the list has this architecture.
    UnknownArchitecture(Name),
    /// The model has experts, and no family of the list with this architecture does.
    NoExperts(Name),
    /// A key that the architecture needs is not there. The suffix follows the architecture's name.
    MissingKey(&'static str),
    /// A key's value makes no sense, alone or beside others.
    InvalidKey(&'static str),
    /// A key has one number for each block, and they differ.
    UnequalKey(&'static str),
    /// A tensor that the architecture needs is not there.
    MissingTensor(TensorSlot),
    /// A tensor's shape is not what the configuration says.
    WrongShape(TensorSlot),
    /// The same tensor twice.
    DuplicateTensor(TensorSlot),
    /// No kernel for the tensor's type.
    UnsupportedType {
        /// The tensor.
        slot: TensorSlot,
        /// Its type.
        tensor_type: TensorType,
    },
    /// A tensor that this engine gives no meaning: leaving it out would change the answers.
    UnknownTensor(Name),
    /// The vocabulary's length is not the embedding's.
    VocabularyLength {
        /// Tokens listed.
        tokens: u64,
        /// Rows of the embedding.
        rows: u64,
    },
    /// The context asked for is 0 or longer than the model was trained for.
    Context {
        /// Positions asked for.
        asked: u32,
        /// Positions that the model was trained for.
        trained: u32,
    },
    /// Keys and values of heads that are not whole blocks.
    KvType {
        /// How they should be stored.
        kv_type: KvType,
        /// Elements of a head.
        head_elements: u32,
    },
    /// A block is to be skipped that the model does not have.
    NoSuchLayer {
        /// The block.
        layer: u32,
        /// Blocks of the model.
        n_layer: u32,
    },
    /// All blocks are to be skipped.
    NoLayersLeft,
    /// A block is to be skipped whose keys and values another one reads.
    SharedLayer {
        /// The block.
        layer: u32,
    },
    /// Its rows see what comes after them: it turns texts into vectors, and writes none.
    NotCausal,
    /// The file does not say how the rows of a text become one vector.
    NoPooling,
    /// A batch of no rows, no logits, or more rows than a run can have.
    Options,
    /// The file's claims add up to more than 64 bits of memory.
    TooLarge,
    /// The arena is too small.
    Arena(ArenaFull),
    /// Weights could not be read.
    Read(ReadError),
}

impl From<GgufError> for ModelError {
    fn from(error: GgufError) -> Self {
        Self::Gguf(error)
    }
}

impl From<ArenaFull> for ModelError {
    fn from(error: ArenaFull) -> Self {
        if error.needed_bytes == u64::MAX { Self::TooLarge } else { Self::Arena(error) }
    }
}

impl From<ReadError> for ModelError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gguf(error) => error.fmt(f),
            Self::UnknownArchitecture(name) => {
                write!(f, "architecture '{}' is not supported", name.as_str())
            }
            Self::NoExperts(name) => {
                write!(f, "architecture '{}' with experts is not supported", name.as_str())
            }
            Self::MissingKey(key) => write!(f, "the model lacks the key '{key}'"),
            Self::InvalidKey(key) => write!(f, "the model's key '{key}' has an impossible value"),
            Self::UnequalKey(key) => {
                write!(f, "the model's key '{key}' differs between blocks: not supported")
            }
            Self::MissingTensor(slot) => write!(f, "the model lacks the tensor '{slot}'"),
            Self::WrongShape(slot) => write!(f, "tensor '{slot}' has the wrong shape"),
            Self::DuplicateTensor(slot) => write!(f, "tensor '{slot}' is there twice"),
            Self::UnsupportedType { slot, tensor_type } => {
                write!(f, "tensor '{slot}' has type {}, which has no kernel", tensor_type.name())
            }
            Self::UnknownTensor(name) => {
                write!(f, "tensor '{}' has no meaning for this architecture", name.as_str())
            }
            Self::VocabularyLength { tokens, rows } => {
                write!(f, "{tokens} tokens are listed but the embedding has {rows} rows")
            }
            Self::Context { asked, trained } => write!(
                f,
                "a context of {asked} is not possible: the model was trained for {trained}"
            ),
            Self::KvType { kv_type, head_elements } => write!(
                f,
                "{} keys and values need heads of a multiple of {} elements, this model's have \
                 {head_elements}: use {}",
                kv_type.name(),
                kv_type.tensor_type().block_elements(),
                KvType::F16.name()
            ),
            Self::NoSuchLayer { layer, n_layer } => write!(
                f,
                "layer {layer} cannot be skipped: the model's {n_layer} layers are 0 to {}",
                n_layer.saturating_sub(1)
            ),
            Self::NoLayersLeft => f.write_str("all layers are skipped: at least one must stay"),
            Self::SharedLayer { layer } => {
                write!(f, "layer {layer} cannot be skipped: later layers read its keys and values")
            }
            Self::NotCausal => f.write_str("the model turns texts into vectors and writes none"),
            Self::NoPooling => f.write_str(
                "the model writes texts: its file does not say how one becomes a vector \
                 (pooling_type)",
            ),
            Self::Options => f.write_str(
                "context, sequences, batch or workers are out of range: a batch has 1 to 1024 rows",
            ),
            Self::TooLarge => f.write_str("the model's sizes do not fit in memory"),
            Self::Arena(full) => write!(
                f,
                "not enough memory for {}: {} bytes needed, {} left",
                full.purpose.name(),
                full.needed_bytes,
                full.left_bytes
            ),
            Self::Read(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ModelError {}

/// Why a pass failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardError {
    /// A token is not in the vocabulary.
    Token(u32),
    /// A row's sequence or position does not exist.
    Position(RowPosition),
    /// More rows, or more rows with logits, than the options allow.
    Batch,
    /// The engine was not made to turn texts into vectors.
    Pooling,
    /// The engine was made to turn texts into vectors.
    NoLogits,
    /// An operation failed.
    Op(OpError),
}

impl From<OpError> for ForwardError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl From<ShapeMismatch> for ForwardError {
    fn from(_: ShapeMismatch) -> Self {
        Self::Op(OpError::Shape)
    }
}

impl From<ReadError> for ForwardError {
    fn from(error: ReadError) -> Self {
        Self::Op(OpError::Read(error))
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "token {token} is not in the vocabulary"),
            Self::Position(at) => write!(f, "position {} is beyond the context", at.position),
            Self::Batch => f.write_str("more rows than the batch holds"),
            Self::Pooling => f.write_str("the engine was not made for the vectors of texts"),
            Self::NoLogits => f.write_str("the engine was made for the vectors of texts alone"),
            Self::Op(OpError::Read(error)) => write!(f, "the weights could not be read: {error}"),
            Self::Op(OpError::Parallel) => f.write_str("the thread pool lost or repeated work"),
            Self::Op(OpError::Shape) => f.write_str("internal error: buffer sizes do not match"),
        }
    }
}

impl core::error::Error for ForwardError {}
