//! Every tensor that the engine knows: one row each says its name in the file, its shape and how a
//! pass reads it.
//!
//! Counting, placing, checking, binding of kernels, the schedule and what a token reads are loops
//! over this table. Rows are in the order in which a pass reads them, experts last. A name is
//! followed by `.weight` or `.bias`, but for a few by nothing; within a block `blk.N.` comes before
//! the name.

use super::config::{Config, LayerShape};

/// How a tensor lies in the file and is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A norm, a bias or a table: copied to f32.
    Vector,
    /// As [`Kind::Vector`], and nothing follows its name.
    Bare,
    /// A matrix; its bias, where the file has one, is copied to f32.
    Matrix,
    /// A matrix outside of blocks that every pass reads before the first block.
    Opening,
    /// A matrix whose outputs are made slice by slice, in turns with the next one of this kind.
    Sliced,
    /// A matrix for each expert, one after the other.
    Experts,
    /// As [`Kind::Sliced`], for each expert.
    SlicedExperts,
    /// A matrix of which single rows are read, and all of it only where the head is tied to it.
    Rows,
}

impl Kind {
    /// Whether the tensor stays in the file.
    pub(super) const fn is_matrix(self) -> bool {
        !matches!(self, Self::Vector | Self::Bare)
    }

    /// Whether there is one for each expert.
    pub(super) const fn is_of_experts(self) -> bool {
        matches!(self, Self::Experts | Self::SlicedExperts)
    }

    /// Whether outputs are made slice by slice.
    pub(super) const fn is_sliced(self) -> bool {
        matches!(self, Self::Sliced | Self::SlicedExperts)
    }
}

/// A length that a shape is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    One,
    Vocabulary,
    Embedding,
    FeedForward,
    Query,
    Key,
    Value,
    Attention,
    QueryNorms,
    QueryNorm,
    KeyNorms,
    KeyNorm,
    Hidden,
    SharedHidden,
    Experts,
    PerLayer,
    AllLayers,
    Positions,
    RopePairs,
    Dense2,
    Dense3,
    GatedQuery,
    ShortInputs,
    Taps,
    StateInputs,
    StateChannels,
    StateInner,
    StateHeads,
    StateHeadPairs,
    StateGroups,
    StateGroup,
    StateHead,
}

impl Size {
    /// The length in a model of this configuration, in blocks of this shape.
    fn of(self, config: &Config, shape: &LayerShape) -> u32 {
        let recurrence = &config.recurrence;
        match self {
            Self::One => 1,
            Self::Vocabulary => config.n_vocab,
            Self::Embedding => config.n_embd,
            Self::FeedForward => shape.n_ff,
            Self::Query => shape.query_len(config) as u32,
            Self::Key => shape.key_len() as u32,
            Self::Value => shape.value_len() as u32,
            Self::Attention => shape.attention_len(config) as u32,
            Self::QueryNorms => shape.norms(config, config.n_head)[0],
            Self::QueryNorm => shape.norms(config, config.n_head)[1],
            Self::KeyNorms => shape.norms(config, shape.n_head_kv)[0],
            Self::KeyNorm => shape.norms(config, shape.n_head_kv)[1],
            Self::Hidden => config.n_ff_expert,
            Self::SharedHidden => config.n_ff_shared,
            Self::Experts => config.n_expert,
            Self::PerLayer => config.n_embd_per_layer,
            Self::AllLayers => config.per_layer_len(),
            Self::Positions => config.context_trained,
            Self::RopePairs => config.rope.dimensions / 2,
            Self::Dense2 => config.n_dense[0],
            Self::Dense3 => config.n_dense[1],
            Self::GatedQuery => 2 * shape.query_len(config) as u32,
            Self::ShortInputs => 3 * config.n_embd,
            Self::Taps => recurrence.taps,
            Self::StateInputs => recurrence.inner + recurrence.channels() as u32 + recurrence.heads,
            Self::StateChannels => recurrence.channels() as u32,
            Self::StateInner => recurrence.inner,
            Self::StateHeads => recurrence.heads,
            Self::StateHeadPairs => 2 * recurrence.heads,
            Self::StateGroups => recurrence.groups,
            Self::StateGroup => recurrence.inner / recurrence.groups.max(1),
            Self::StateHead => recurrence.head_len() as u32,
        }
    }
}

/// A row of the table.
struct Entry {
    name: &'static str,
    kind: Kind,
    /// Rows and columns.
    shape: [Size; 2],
}

/// A tensor's shape: `[experts, rows, columns]`, rows and experts 1 for a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) experts: u32,
}

macro_rules! tensors {
    (
        outside: {
            $($global:ident $global_name:literal $global_kind:ident [$($global_size:ident),*];)*
        }
        blocks: { $($tensor:ident $name:literal $kind:ident [$($size:ident),*];)* }
    ) => {
        /// A tensor by what it does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Tensor {
            $(#[doc = concat!("`", $global_name, "`")] $global,)*
            $(#[doc = concat!("`blk.N.", $name, "`")] $tensor,)*
        }

        impl Tensor {
            /// Every tensor, in the order of the table.
            pub(super) const ALL: &'static [Self] = &[$(Self::$global,)* $(Self::$tensor,)*];
            /// Tensors outside of blocks, which come first.
            const OUTSIDE: usize = [$(Self::$global,)*].len();
            /// Rows of the table.
            pub(super) const COUNT: usize = Self::ALL.len();
            /// Most matrices of an expert.
            pub(super) const EXPERT_MATRICES: usize = {
                let (mut count, mut row) = (0, 0);
                while row < TABLE.len() {
                    count += TABLE[row].kind.is_of_experts() as usize;
                    row += 1;
                }
                count
            };
        }

        const TABLE: &[Entry] = &[
            $(entry($global_name, Kind::$global_kind, &[$(Size::$global_size),*]),)*
            $(entry($name, Kind::$kind, &[$(Size::$size),*]),)*
        ];
    };
}

/// A row with the sizes of a vector or of a matrix; vectors may lie one after the other.
const fn entry(name: &'static str, kind: Kind, sizes: &[Size]) -> Entry {
    let shape = match *sizes {
        [columns] => [Size::One, columns],
        [rows, columns] => [rows, columns],
        _ => panic!("one size or two"),
    };
    Entry { name, kind, shape }
}

tensors! {
    outside: {
        TokenEmbedding      "token_embd"         Rows          [Vocabulary, Embedding];
        PositionEmbedding   "position_embd"      Rows          [Positions, Embedding];
        PerLayerEmbedding   "per_layer_token_embd" Rows        [Vocabulary, AllLayers];
        PerLayerProjection  "per_layer_model_proj" Opening     [AllLayers, Embedding];
        PerLayerProjectionNorm "per_layer_proj_norm" Vector    [PerLayer];
        RopeFactors         "rope_freqs"         Vector        [RopePairs];
        RopeFactorsLong     "rope_factors_long"  Vector        [RopePairs];
        RopeFactorsShort    "rope_factors_short" Vector        [RopePairs];
        OutputNorm          "output_norm"        Vector        [Embedding];
        Output              "output"             Matrix        [Vocabulary, Embedding];
        Dense2              "dense_2"            Matrix        [Dense2, Embedding];
        Dense3              "dense_3"            Matrix        [Dense3, Dense2];
    }
    blocks: {
        AttentionNorm       "attn_norm"          Vector        [Embedding];
        Query               "attn_q"             Matrix        [Query, Embedding];
        GatedQuery          "attn_q"             Matrix        [GatedQuery, Embedding];
        Key                 "attn_k"             Matrix        [Key, Embedding];
        Value               "attn_v"             Matrix        [Value, Embedding];
        QueryNorm           "attn_q_norm"        Vector        [QueryNorms, QueryNorm];
        KeyNorm             "attn_k_norm"        Vector        [KeyNorms, KeyNorm];
        AttentionSubNorm    "attn_sub_norm"      Vector        [Attention];
        AttentionOutput     "attn_output"        Matrix        [Embedding, Attention];
        AttentionPostNorm   "post_attention_norm" Vector       [Embedding];
        ShortInput          "shortconv.in_proj"  Matrix        [ShortInputs, Embedding];
        ShortKernel         "shortconv.conv"     Vector        [Embedding, Taps];
        ShortOutput         "shortconv.out_proj" Matrix        [Embedding, Embedding];
        DeltaInput          "attn_qkv"           Matrix        [StateChannels, Embedding];
        DeltaGate           "attn_gate"          Matrix        [StateInner, Embedding];
        DeltaStrength       "ssm_beta"           Matrix        [StateHeads, Embedding];
        DeltaDecay          "ssm_alpha"          Matrix        [StateHeads, Embedding];
        DeltaPairs          "ssm_ba"             Matrix        [StateHeadPairs, Embedding];
        DeltaRate           "ssm_a"              Bare          [StateHeads];
        DeltaNorm           "ssm_norm"           Vector        [StateHead];
        StateInput          "ssm_in"             Matrix        [StateInputs, Embedding];
        StateKernel         "ssm_conv1d"         Vector        [StateChannels, Taps];
        StateStep           "ssm_dt.bias"        Bare          [StateHeads];
        StateRate           "ssm_a"              Bare          [StateHeads, One];
        StateSkip           "ssm_d"              Bare          [StateHeads, One];
        StateNorm           "ssm_norm"           Vector        [StateGroups, StateGroup];
        StateOutput         "ssm_out"            Matrix        [Embedding, StateInner];
        FeedForwardNorm     "ffn_norm"           Vector        [Embedding];
        Router              "ffn_gate_inp"       Matrix        [Experts, Embedding];
        RouterScale         "ffn_gate_inp.scale" Bare          [Embedding];
        RouterBias          "exp_probs_b"        Vector        [Experts];
        Gate                "ffn_gate"           Sliced        [FeedForward, Embedding];
        Up                  "ffn_up"             Sliced        [FeedForward, Embedding];
        FeedForwardSubNorm  "ffn_sub_norm"       Vector        [FeedForward];
        Down                "ffn_down"           Matrix        [Embedding, FeedForward];
        SharedRouter        "ffn_gate_inp_shexp" Vector        [Embedding];
        SharedGate          "ffn_gate_shexp"     Sliced        [SharedHidden, Embedding];
        SharedUp            "ffn_up_shexp"       Sliced        [SharedHidden, Embedding];
        SharedDown          "ffn_down_shexp"     Matrix        [Embedding, SharedHidden];
        DensePostNorm       "post_ffw_norm_1"    Vector        [Embedding];
        ExpertNorm          "pre_ffw_norm_2"     Vector        [Embedding];
        ExpertPostNorm      "post_ffw_norm_2"    Vector        [Embedding];
        ExpertScale         "ffn_down_exps.scale" Bare         [Experts];
        FeedForwardPostNorm "post_ffw_norm"      Vector        [Embedding];
        PerLayerGate        "inp_gate"           Matrix        [PerLayer, Embedding];
        PerLayerOutput      "proj"               Matrix        [Embedding, PerLayer];
        PerLayerPostNorm    "post_norm"          Vector        [Embedding];
        LayerScale          "layer_output_scale" Vector        [One];
        ExpertGates         "ffn_gate_exps"      SlicedExperts [Hidden, Embedding];
        ExpertUps           "ffn_up_exps"        SlicedExperts [Hidden, Embedding];
        ExpertDowns         "ffn_down_exps"      Experts       [Embedding, Hidden];
    }
}

/// Tensors that the files of some architectures hold as one, the outputs of one after those of the
/// other; or a tensor that they have under another name.
pub struct Fused {
    /// The name, as a tensor's. It may be that of a part.
    pub(super) name: &'static str,
    /// Whether nothing follows the name.
    pub(super) is_bare: bool,
    pub(super) parts: &'static [Tensor],
}

impl Fused {
    /// `blk.N.attn_qkv`: queries, keys and values.
    pub const ATTENTION: Self =
        Self::named("attn_qkv", &[Tensor::Query, Tensor::Key, Tensor::Value]);
    /// `blk.N.ffn_up` with the rows of the gate before its own.
    pub const GATE_UP: Self = Self::named("ffn_up", &[Tensor::Gate, Tensor::Up]);
    /// `blk.N.ffn_gate_up_exps`: of each expert the gate, then the up.
    pub const EXPERT_GATE_UP: Self =
        Self::named("ffn_gate_up_exps", &[Tensor::ExpertGates, Tensor::ExpertUps]);
    /// `token_embd_norm`: the norm before the output head.
    pub const OUTPUT_NORM: Self = Self::named("token_embd_norm", &[Tensor::OutputNorm]);
    /// `blk.N.post_attention_norm`: the norm before the feed-forward network.
    pub const FEED_FORWARD_NORM: Self =
        Self::named("post_attention_norm", &[Tensor::FeedForwardNorm]);
    /// `blk.N.attn_norm` of a block that is nothing but a feed-forward network.
    pub const ONE_NORM: Self = Self::named("attn_norm", &[Tensor::FeedForwardNorm]);
    /// `blk.N.ffn_norm` with nothing behind it.
    pub const BARE_FEED_FORWARD_NORM: Self =
        Self { is_bare: true, ..Self::named("ffn_norm", &[Tensor::FeedForwardNorm]) };

    const fn named(name: &'static str, parts: &'static [Tensor]) -> Self {
        Self { name, is_bare: false, parts }
    }
}

impl Tensor {
    const fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// The tensor as a list.
    pub(super) fn alone(self) -> &'static [Self] {
        let row = self as usize;
        Self::ALL.get(row..=row).unwrap_or(&[])
    }

    /// The name without `blk.N.` and without what follows it.
    pub(super) const fn name(self) -> &'static str {
        self.entry().name
    }

    pub(super) const fn kind(self) -> Kind {
        self.entry().kind
    }

    /// Whether blocks have one each.
    pub(super) const fn is_in_block(self) -> bool {
        self as usize >= Self::OUTSIDE
    }

    /// The shape in blocks of this shape; of a tensor outside of blocks `shape` does not matter.
    pub(super) fn shape(self, config: &Config, shape: &LayerShape) -> Shape {
        let Entry { kind, shape: [rows, columns], .. } = self.entry();
        Shape {
            rows: rows.of(config, shape),
            columns: columns.of(config, shape),
            experts: if kind.is_of_experts() { config.n_expert } else { 1 },
        }
    }

    /// Whether nothing follows the name in the file.
    pub(super) const fn is_bare(self) -> bool {
        matches!(self.kind(), Kind::Bare)
    }

    /// Elements of the bias: one for each output, or for each element of a vector.
    pub(super) fn bias_len(self, config: &Config, shape: &LayerShape) -> u32 {
        let Shape { rows, columns, .. } = self.shape(config, shape);
        // A convolution's kernels are one for each output.
        if self.kind().is_matrix() || rows > 1 { rows } else { columns }
    }

    /// Whether the vector divides rotary frequencies.
    pub(super) const fn is_of_frequencies(self) -> bool {
        matches!(self.entry().shape[1], Size::RopePairs)
    }

    /// Whether the matrix is multiplied with the hidden activations of a feed-forward network.
    pub(super) const fn reads_hidden(self) -> bool {
        matches!(self.entry().shape[1], Size::FeedForward | Size::Hidden | Size::SharedHidden)
    }
}

/// A set of tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TensorSet {
    /// Bit `n % 32` of word `n / 32` stands for the tensor in row `n` of the table.
    words: [u32; TensorSet::WORDS],
}

impl TensorSet {
    const WORDS: usize = Tensor::ALL.len().div_ceil(32);

    /// No tensor.
    pub const EMPTY: Self = Self { words: [0; Self::WORDS] };

    /// The set of `tensors`.
    pub const fn of(tensors: &[Tensor]) -> Self {
        let (mut set, mut index) = (Self::EMPTY, 0);
        while index < tensors.len() {
            set.insert(tensors[index]);
            index += 1;
        }
        set
    }

    /// Both sets' tensors.
    pub const fn or(mut self, other: Self) -> Self {
        let mut word = 0;
        while word < Self::WORDS {
            self.words[word] |= other.words[word];
            word += 1;
        }
        self
    }

    pub(super) const fn contains(self, tensor: Tensor) -> bool {
        self.words[tensor as usize / 32] >> (tensor as usize % 32) & 1 == 1
    }

    pub(super) const fn insert(&mut self, tensor: Tensor) {
        self.words[tensor as usize / 32] |= 1 << (tensor as usize % 32);
    }

    /// The tensors, in the order of the table.
    pub(super) fn iter(self) -> impl Iterator<Item = Tensor> + Clone {
        Tensor::ALL.iter().copied().filter(move |&tensor| self.contains(tensor))
    }
}
