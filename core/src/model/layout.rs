//! A model file, understood: its sizes, which tensors it has, and with which kernels they are
//! multiplied. Made once; plans and engines are made from it.

use super::config::{Config, VOCABULARY_MAX};
use super::error::{ModelError, TensorSlot};
use super::family::Family;
use super::keys::Keys;
use super::kv_cache::KvLayers;
use super::layers::LayerSet;
use super::loaded::KernelTable;
use super::placement::{Part, Placed, placed, slot, slot_of};
use super::schedule::stripe_rows;
use super::state::{ModelOptions, Wants};
use super::tensor::{Kind, Tensor, TensorSet};
use super::tensors::{Columns, Vector, vector_width};
use super::traffic::Traffic;
use crate::bytes::align_up;
use crate::gguf::{Gguf, Key};
use crate::kernels::{Candidate, VectorCandidate, VectorKernels, bind, bind_vector};
use crate::mem::{Memory, MemoryExt, Purpose};
use crate::ops::{Matrix, Wanted};
use crate::port::{CpuFeatures, Need, Stripe};
use crate::quant::{KvType, TensorType};

/// Vectors start at multiples of 16 f32: a cache line, a full AVX-512 register.
pub(super) const VECTOR_ALIGN: u64 = 16;

/// What a build is made of: the lists from which a model's parts are picked.
#[derive(Clone, Copy)]
pub struct Build<'b> {
    /// Kernels of weight formats, best first.
    pub formats: &'b [Candidate],
    /// Kernels of the float work, best first.
    pub vectors: &'b [VectorCandidate],
    /// Architectures.
    pub families: &'b [&'static Family],
    /// What the CPU can do.
    pub cpu: CpuFeatures,
}

/// A model file, understood.
pub struct Layout<'g, 'a> {
    pub(super) gguf: &'g Gguf<'a>,
    pub(super) config: Config,
    pub(super) family: &'static Family,
    pub(super) columns: Columns,
    pub(super) kernels: KernelTable,
    pub(super) vector: &'static VectorKernels,
    hidden: Wanted,
    /// f32 of all vectors.
    values: u64,
    /// Longest row of the embedding in bytes.
    embedding_row_bytes: u64,
    /// Bytes of weights that decoding a token reads.
    weights_bytes: u64,
    /// Bytes of the embeddings of blocks and of one of their rows; none in most models.
    per_layer_bytes: [u64; 2],
}

/// Memory of a model's tables, and the tables while they are filled.
pub(super) struct Tables<'m> {
    /// `[Columns::lens]`
    pub(super) matrices: &'m mut [Matrix],
    /// `[Columns::lens]`
    pub(super) vectors: &'m mut [Vector],
    pub(super) stripes: &'m mut [Stripe],
    pub(super) values: &'m mut [f32],
    /// `[Config::rotary_len]`
    pub(super) frequencies: &'m mut [f32],
}

/// No matrix: it has no rows.
const NO_MATRIX: Matrix = Matrix {
    offset: 0,
    rows: 0,
    columns: 0,
    first_stripe: 0,
    stripe_rows: 0,
    tensor_type: TensorType::F32,
    expert_rows: 0,
    unused: [0; 3],
};

impl<'g, 'a> Layout<'g, 'a> {
    /// Reads and checks the header of a model that `build` can run, without the blocks of
    /// `skipped`. Every tensor is there, has its shape and a type with kernels.
    // Not inlined: a caller on a board gets its stack back before the next step wants some.
    #[inline(never)]
    pub fn of(
        gguf: &'g Gguf<'a>,
        build: &Build<'_>,
        skipped: LayerSet,
    ) -> Result<Self, ModelError> {
        let family = Family::find(gguf, build.families)?;
        let keys = Keys { gguf, architecture: family.architecture };
        let mut config = Config::common(&keys, &family.block.habits, vocabulary(gguf)?)?;
        for half in family.block.all() {
            (half.configure)(&keys, &mut config)?;
        }
        (family.configure)(&keys, &mut config)?;
        if let Some(key) = family.block.count_missing(&config) {
            return Err(ModelError::InvalidKey(key));
        }
        if let Some(layer) = shared_but_skipped(family, &config, skipped) {
            return Err(ModelError::SharedLayer { layer });
        }
        let mut layout = Self {
            gguf,
            config: config.without(skipped)?,
            family,
            columns: Columns::of(TensorSet::EMPTY, TensorSet::EMPTY),
            kernels: [None; 64],
            vector: bind_vector(build.vectors, build.cpu).ok_or(ModelError::Options)?,
            hidden: Wanted::default(),
            values: 0,
            embedding_row_bytes: 0,
            // Rotary frequencies are f32 in memory.
            weights_bytes: config.rotary_len() as u64 * 4,
            per_layer_bytes: [0; 2],
        };
        // A file cannot claim more blocks than it has tensors for.
        if u64::from(layout.config.n_layer) > gguf.tensor_count() {
            return Err(ModelError::InvalidKey("block_count"));
        }
        layout.census(build)?;
        Ok(layout)
    }

    /// The model's sizes.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What decoding reads where keys and values are stored as `kv_type`.
    pub fn traffic(&self, kv_type: KvType) -> Result<Traffic, ModelError> {
        let layers = self.family.block.layers(&self.config);
        Traffic::new(layers, [self.weights_bytes, self.state_bytes()], kv_type)
    }

    /// Bytes of a text's recurrent state.
    pub(crate) fn state_bytes(&self) -> u64 {
        self.family.block.recurrent(&self.config).1.saturating_mul(4)
    }

    /// Bytes of the embeddings that blocks have of their own, and of the row of them that a token
    /// reads; 0 in most models. Single rows are read, so no memory holds the table, and
    /// [`Self::traffic`] does not count it.
    pub const fn per_layer_bytes(&self) -> [u64; 2] {
        self.per_layer_bytes
    }

    /// Bytes of activations that a row of a batch takes.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.family.block.sizes(&self.config, 1).row_bytes(&self.config)
    }

    /// What the state of passes is for, `batch` rows each.
    pub(super) fn wants(&self, options: &ModelOptions) -> Wants {
        let block = &self.family.block;
        Wants {
            sizes: block.sizes(&self.config, options.batch as usize),
            recurrent: block.recurrent(&self.config),
            hidden: self.hidden,
            embedding_row_bytes: self.embedding_row_bytes,
            kv: KvLayers::of(block.layers(&self.config)),
        }
    }

    /// Every tensor of the file that a pass needs.
    pub(super) fn placed(&self) -> impl Iterator<Item = Result<Placed<'a>, ModelError>> + use<'a> {
        placed(self.gguf, &self.config, self.family)
    }

    /// Counts the tensors, binds their kernels, and checks that none is missing.
    fn census(&mut self, build: &Build<'_>) -> Result<(), ModelError> {
        let mut counts = [0u32; Tensor::COUNT];
        let (mut weights, mut biases) = (TensorSet::EMPTY, TensorSet::EMPTY);
        let mut embedding_bytes = 0;
        for placed in placed(self.gguf, &self.config, self.family) {
            let placed = placed?;
            let Placed { tensor, part, shape, ref info, .. } = placed;
            match part {
                Part::Weight => weights.insert(tensor),
                Part::Bias => biases.insert(tensor),
            }
            counts[tensor as usize] += u32::from(part == Part::Weight);
            let read_bytes = if placed.is_matrix() {
                self.bind(&placed, build)?;
                let each_bytes = info.bytes / u64::from(shape.experts);
                match tensor.kind() {
                    Kind::Rows if tensor == Tensor::PerLayerEmbedding => {
                        self.per_layer_bytes = [info.bytes, info.bytes / u64::from(shape.rows)];
                        0
                    }
                    Kind::Rows => {
                        if tensor == Tensor::TokenEmbedding {
                            embedding_bytes = info.bytes;
                        }
                        let row_bytes = info.bytes / u64::from(shape.rows);
                        self.embedding_row_bytes = self.embedding_row_bytes.max(row_bytes);
                        row_bytes
                    }
                    kind if kind.is_of_experts() => {
                        each_bytes * u64::from(self.config.n_expert_used)
                    }
                    _ => each_bytes,
                }
            } else {
                let (slot, tensor_type) = (placed.slot(), info.tensor_type);
                vector_width(tensor_type)
                    .ok_or(ModelError::UnsupportedType { slot, tensor_type })?;
                // Factors have at most 23 bits each, and there are no more tensors than the file
                // has room for.
                let values = u64::from(shape.rows) * u64::from(shape.columns);
                self.values += align_up(values, VECTOR_ALIGN).ok_or(ModelError::TooLarge)?;
                // Divided into the frequencies when the model is loaded.
                if tensor.is_of_frequencies() { 0 } else { values * 4 }
            };
            self.read(read_bytes)?;
        }
        if !weights.contains(Tensor::Output) {
            self.read(embedding_bytes)?;
        }
        self.columns = Columns::of(weights, biases);
        self.require(&counts)
    }

    /// A token reads `bytes` more.
    fn read(&mut self, bytes: u64) -> Result<(), ModelError> {
        self.weights_bytes = self.weights_bytes.checked_add(bytes).ok_or(ModelError::TooLarge)?;
        Ok(())
    }

    /// Binds the kernels of a matrix's type.
    fn bind(&mut self, placed: &Placed<'_>, build: &Build<'_>) -> Result<(), ModelError> {
        let (slot, tensor_type) = (placed.slot(), placed.info.tensor_type);
        let unsupported = ModelError::UnsupportedType { slot, tensor_type };
        let place = self.kernels.get_mut(tensor_type as usize).ok_or(unsupported)?;
        if place.is_none() {
            *place = bind(build.formats, build.cpu, tensor_type);
        }
        let kernels = place.ok_or(unsupported)?;
        if placed.tensor.reads_hidden() {
            self.hidden = self.hidden.and(kernels.encoding());
        }
        Ok(())
    }

    /// Whether every block has what it needs; `counts` are those of the weights by tensor.
    fn require(&self, counts: &[u32; Tensor::COUNT]) -> Result<(), ModelError> {
        let outside = self.family.needs_outside(&self.config).required;
        for &tensor in Tensor::ALL {
            let needed = match tensor.is_in_block() {
                true => self.needing(tensor, LayerSet::EMPTY).0,
                false => u32::from(outside.contains(tensor)),
            };
            // As many as blocks need: no block lacks one, for names are unique.
            if counts[tensor as usize] < needed {
                let (_, number) = self.needing(tensor, self.blocks_with(tensor)?);
                return Err(ModelError::MissingTensor(slot_of(self.family, number, tensor)));
            }
        }
        Ok(())
    }

    /// How many blocks need `tensor`, those of `without` left out, and the number of the first.
    #[inline(never)]
    fn needing(&self, tensor: Tensor, without: LayerSet) -> (u32, Option<u32>) {
        let (mut count, mut first) = (0, None);
        for (index, shape) in (0..).zip(self.family.block.layers(&self.config)) {
            if !without.contains(index) && self.family.needs(&shape).required.contains(tensor) {
                count += 1;
                first.get_or_insert(shape.number);
            }
        }
        (count, first)
    }

    /// The blocks that have `tensor`, by their places among those that run.
    fn blocks_with(&self, tensor: Tensor) -> Result<LayerSet, ModelError> {
        let mut found = LayerSet::EMPTY;
        for placed in self.placed() {
            let placed = placed?;
            if let Some(layer) = placed.layer.filter(|_| placed.tensor == tensor) {
                // There are at most as many blocks as a set can hold.
                let _ = found.insert(layer);
            }
        }
        Ok(found)
    }

    /// Takes the memory of the tables for stripes of `stripe_bytes`.
    pub(super) fn tables<'m>(
        &self,
        stripe_bytes: u64,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Tables<'m>, ModelError> {
        let stripes = self.stripes(stripe_bytes)?;
        let tables = self.take_tables(stripes, memory);
        memory.check()?;
        Ok(tables)
    }

    fn take_tables<'m>(&self, stripes: u64, memory: &mut dyn Memory<'m>) -> Tables<'m> {
        let [matrices, vectors] = self.columns.lens(self.config.n_layer);
        let frequencies = self.config.rotary_len() as u64;
        let nothing = Stripe { offset: 0, bytes: 0, need: Need::Maybe, group: 0 };
        Tables {
            matrices: memory.take_with(Purpose::TensorTable, matrices, |_| NO_MATRIX),
            vectors: memory.take_with(Purpose::TensorTable, vectors, |_| Vector::default()),
            stripes: memory.take_with(Purpose::Schedule, stripes, |_| nothing),
            values: memory.take(Purpose::Vectors, self.values),
            frequencies: memory.take(Purpose::Vectors, frequencies),
        }
    }

    /// Stripes of a pass.
    fn stripes(&self, stripe_bytes: u64) -> Result<u64, ModelError> {
        let (mut stripes, mut head) = (0, None);
        for placed in self.placed() {
            let placed = placed?;
            if !placed.is_matrix() {
                continue;
            }
            let rows = self.stripe_rows(&placed, stripe_bytes)?;
            let count =
                u64::from(placed.shape.rows.div_ceil(rows)) * u64::from(placed.shape.experts);
            match placed.tensor {
                Tensor::Output => head = Some(count),
                // It is read whole where it is the head, too.
                Tensor::TokenEmbedding => {
                    head.get_or_insert(count);
                }
                tensor if tensor.kind() == Kind::Rows => {}
                _ => stripes += count,
            }
        }
        Ok(stripes + head.unwrap_or(0))
    }

    /// Rows of a stripe of a matrix.
    pub(super) fn stripe_rows(
        &self,
        placed: &Placed<'_>,
        stripe_bytes: u64,
    ) -> Result<u32, ModelError> {
        let Placed { tensor, shape, ref info, .. } = *placed;
        let slice = self.config.hidden_slice();
        stripe_rows(tensor.kind(), info.tensor_type, shape, slice, stripe_bytes)
            .ok_or(ModelError::WrongShape(placed.slot()))
    }
}

/// The first block of `skipped` whose keys and values another one reads that is not.
fn shared_but_skipped(family: &Family, config: &Config, skipped: LayerSet) -> Option<u32> {
    let left = family.block.layers(config).filter(|shape| !skipped.contains(shape.number));
    let read = left.map(|shape| shape.keys_of);
    read.filter(|&number| skipped.contains(number)).min()
}

/// The vocabulary's length: rows of the embedding, which are the tokens of the list. What the key
/// `vocab_size` says beside them changes nothing.
fn vocabulary(gguf: &Gguf<'_>) -> Result<u32, ModelError> {
    const EMBEDDING: TensorSlot = slot(None, Tensor::TokenEmbedding.name(), Part::Weight);
    let is_embedding = |name: &[u8]| {
        name.strip_prefix(EMBEDDING.name.as_bytes()) == Some(EMBEDDING.suffix.as_bytes())
    };
    let embedding = gguf
        .tensors()
        .find(|tensor| is_embedding(tensor.name))
        .ok_or(ModelError::MissingTensor(EMBEDDING))?;
    let rows = embedding.dimensions[1];
    if let Some(tokens) = gguf.array(Key::new("tokenizer.ggml.tokens"))?
        && tokens.len() != rows
    {
        return Err(ModelError::VocabularyLength { tokens: tokens.len(), rows });
    }
    if !(1..=VOCABULARY_MAX).contains(&rows) {
        return Err(ModelError::WrongShape(EMBEDDING));
    }
    Ok(rows as u32)
}
