//! What memory is for: the lines of `picolm info`.

/// What a piece of memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Where each tensor lies and of what type it is.
    TensorTable,
    /// The order in which stripes of weights are read.
    Schedule,
    /// Norm weights, biases and rotary frequencies, as f32.
    Vectors,
    /// Keys and values of every position.
    KvCache,
    /// The token of every position, and where the block of its keys and values is.
    Tokens,
    /// Rows of the batch on their way through the layers.
    Activations,
    /// Each worker's own.
    Scratch,
    /// Scores of the vocabulary.
    Logits,
    /// Indices over the vocabulary and the merges; strings stay in the file.
    Tokenizer,
    /// Candidates of the sampler.
    Sampler,
}

impl Purpose {
    /// Every purpose, in the order of a report.
    pub const ALL: [Self; 10] = [
        Self::TensorTable,
        Self::Schedule,
        Self::Vectors,
        Self::KvCache,
        Self::Tokens,
        Self::Activations,
        Self::Scratch,
        Self::Logits,
        Self::Tokenizer,
        Self::Sampler,
    ];

    /// The report's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TensorTable => "metadata",
            Self::Schedule => "schedule",
            Self::Vectors => "vectors",
            Self::KvCache => "kv cache",
            Self::Tokens => "tokens",
            Self::Activations => "activations",
            Self::Scratch => "scratch",
            Self::Logits => "logits",
            Self::Tokenizer => "tokenizer",
            Self::Sampler => "sampler",
        }
    }
}
