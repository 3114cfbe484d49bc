//! A llama model of two layers and twelve tokens, of which one part at a time is made wrong.
//!
//! Every length differs from every other, so that no wrong shape passes by accident.

use picolm_core::gguf::Gguf;
use picolm_core::kernels::portable;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{Build, Config, LayerSet, Layout, ModelError, family};
use picolm_core::port::{CpuFeatures, FlashWeights, Serial, Weights};
use picolm_core::quant::TensorType;
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::{Tokenizer, TokenizerError};

use crate::writer::value_type::*;
use crate::writer::{File, PATIENCE, Tensor, array, least_time, pair, string, tensor_type};

pub(crate) const LAYERS: u32 = 2;
pub(crate) const TOKENS: [&str; 12] =
    ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "c", "d", "cd", "ba"];
const EMBD: u64 = 32;
const FF: u64 = 48;
/// 4 heads of 10 elements.
const QUERY: u64 = 40;
/// 2 heads of 10 elements.
const KEY: u64 = 20;
/// 2 heads of 6 elements.
const VALUE: u64 = 12;
/// 4 heads of 6 elements.
const ATTENTION: u64 = 24;

/// Memory that no tiny model comes near, however it is changed.
const ARENA_BYTES: usize = 4 << 20;

pub(crate) static SERIAL: Serial = Serial;

pub(crate) fn build() -> Build<'static> {
    Build {
        formats: portable::ALL,
        vectors: &[portable::VECTOR],
        families: family::ALL,
        cpu: CpuFeatures::default(),
    }
}

/// A tensor's info, and its data as it lies in the file.
#[derive(Clone)]
struct Stored {
    name: String,
    dimensions: Vec<u64>,
    tensor_type: u32,
    data: Vec<u8>,
}

impl Stored {
    fn new(name: &str, dimensions: &[u64], tensor_type: u32, value: f32) -> Self {
        let elements = dimensions.iter().product();
        let stored = TensorType::from_id(tensor_type).expect("a type of GGUF");
        let bytes = stored.bytes_for(elements).expect("whole blocks") as usize;
        let mut data = value.to_le_bytes().repeat(bytes.div_ceil(4));
        data.truncate(bytes);
        Self { name: name.into(), dimensions: dimensions.to_vec(), tensor_type, data }
    }

    /// F32 weights between -0.5 and 0.5, other ones for each name.
    fn random(name: &str, dimensions: &[u64]) -> Self {
        let mut stored = Self::new(name, dimensions, tensor_type::F32, 0.0);
        let mut state = name.bytes().fold(1u32, |hash, byte| hash * 31 % 65_521 + u32::from(byte));
        for weight in stored.data.chunks_exact_mut(4) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            weight.copy_from_slice(&((state >> 8) as f32 / 16_777_216.0 - 0.5).to_le_bytes());
        }
        stored
    }
}

/// The tensors of a block.
fn block(layer: u32) -> [Stored; 9] {
    let shapes: [(&str, &[u64]); 9] = [
        ("attn_norm", &[EMBD]),
        ("attn_q", &[EMBD, QUERY]),
        ("attn_k", &[EMBD, KEY]),
        ("attn_v", &[EMBD, VALUE]),
        ("attn_output", &[ATTENTION, EMBD]),
        ("ffn_norm", &[EMBD]),
        ("ffn_gate", &[EMBD, FF]),
        ("ffn_up", &[EMBD, FF]),
        ("ffn_down", &[FF, EMBD]),
    ];
    shapes.map(|(part, shape)| Stored::random(&format!("blk.{layer}.{part}.weight"), shape))
}

#[derive(Clone)]
pub(crate) struct Tiny {
    /// Keys and their whole records.
    pairs: Vec<(String, Vec<u8>)>,
    tensors: Vec<Stored>,
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let mut tensors = vec![
            Stored::random("token_embd.weight", &[EMBD, TOKENS.len() as u64]),
            Stored::random("output_norm.weight", &[EMBD]),
            Stored::random("output.weight", &[EMBD, TOKENS.len() as u64]),
        ];
        tensors.extend((0..LAYERS).flat_map(block));
        let scores: Vec<f32> = (0..TOKENS.len()).map(|token| -(token as f32)).collect();
        Self { pairs: vec![], tensors }
            .string("general.architecture", "llama")
            .u32("llama.embedding_length", EMBD as u32)
            .u32("llama.block_count", LAYERS)
            .u32("llama.attention.head_count", 4)
            .u32("llama.attention.head_count_kv", 2)
            .u32("llama.attention.key_length", 10)
            .u32("llama.attention.value_length", 6)
            .u32("llama.feed_forward_length", FF as u32)
            .u32("llama.context_length", 64)
            .u32("llama.rope.dimension_count", 8)
            .f32("llama.rope.freq_base", 10_000.0)
            .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
            .string("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &TOKENS)
            .f32s("tokenizer.ggml.scores", &scores)
            .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    }

    /// The same with three experts, of which a token uses two.
    pub(crate) fn with_experts() -> Self {
        let mut tiny = Self::new().u32("llama.expert_count", 3).u32("llama.expert_used_count", 2);
        for layer in 0..LAYERS {
            let shapes: [(&str, &[u64]); 3] = [
                ("ffn_gate_exps", &[EMBD, FF, 3]),
                ("ffn_up_exps", &[EMBD, FF, 3]),
                ("ffn_down_exps", &[FF, EMBD, 3]),
            ];
            for (part, dimensions) in shapes {
                let name = format!("blk.{layer}.{part}.weight");
                tiny = tiny.without_tensor(&name.replace("_exps", ""));
                tiny.tensors.push(Stored::random(&name, dimensions));
            }
            let router = format!("blk.{layer}.ffn_gate_inp.weight");
            tiny.tensors.push(Stored::random(&router, &[EMBD, 3]));
        }
        tiny
    }

    /// The dense model with `layers` blocks, 2 or more.
    pub(crate) fn of_layers(layers: u32) -> Self {
        let mut tiny = Self::new().u32("llama.block_count", layers);
        tiny.tensors.extend((LAYERS..layers).flat_map(block));
        tiny
    }

    /// The model of `layers` blocks without those that `left_out` names; the others move up.
    pub(crate) fn without_layers(mut self, layers: u32, left_out: &[u32]) -> Self {
        let kept: Vec<u32> = (0..layers).filter(|layer| !left_out.contains(layer)).collect();
        let place = |name: &str| {
            let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
            Some((layer.parse::<u32>().expect("a number"), part.to_owned()))
        };
        self.tensors.retain(|tensor| {
            place(&tensor.name).is_none_or(|(layer, _)| !left_out.contains(&layer))
        });
        for tensor in &mut self.tensors {
            if let Some((layer, part)) = place(&tensor.name) {
                let index = kept.iter().position(|&other| other == layer).expect("kept");
                tensor.name = format!("blk.{index}.{part}");
            }
        }
        self.u32("llama.block_count", kept.len() as u32)
    }

    /// The same with biases of queries, keys, values, gates and ups.
    pub(crate) fn with_biases(mut self) -> Self {
        let lengths = [
            ("attn_q", QUERY),
            ("attn_k", KEY),
            ("attn_v", VALUE),
            ("ffn_gate", FF),
            ("ffn_up", FF),
        ];
        for layer in 0..LAYERS {
            self.tensors.extend(lengths.map(|(part, length)| {
                Stored::random(&format!("blk.{layer}.{part}.bias"), &[length])
            }));
        }
        self
    }

    /// The same with `parts` of every block as one tensor, weights and biases.
    pub(crate) fn fused(mut self, name: &str, parts: &[&str]) -> Self {
        for (layer, suffix) in (0..LAYERS).flat_map(|layer| [(layer, "weight"), (layer, "bias")]) {
            let mut whole: Option<Stored> = None;
            for part in parts {
                let part = format!("blk.{layer}.{part}.{suffix}");
                let place = self.tensors.iter().position(|tensor| tensor.name == part);
                let Some(place) = place else { continue };
                let part = self.tensors.remove(place);
                match &mut whole {
                    None => whole = Some(part),
                    Some(whole) => {
                        let last = whole.dimensions.len() - 1;
                        whole.dimensions[last] += part.dimensions[last];
                        whole.data.extend(part.data);
                    }
                }
            }
            let name = format!("blk.{layer}.{name}.{suffix}");
            self.tensors.extend(whole.map(|whole| Stored { name, ..whole }));
        }
        self
    }

    /// The vocabulary alone: no tensor, and no key of an architecture.
    pub(crate) fn without_model(mut self) -> Self {
        self.tensors.clear();
        self.pairs.retain(|(name, _)| name.starts_with("tokenizer."));
        self
    }

    /// The same with one more tensor, of weights between -0.5 and 0.5.
    pub(crate) fn random(mut self, name: &str, dimensions: &[u64]) -> Self {
        self.tensors.push(Stored::random(name, dimensions));
        self
    }

    pub(crate) fn bools(self, key: &str, values: &[bool]) -> Self {
        let elements: Vec<u8> = values.iter().map(|&value| value.into()).collect();
        self.set(key, ARRAY, &array(BOOL, values.len() as u64, &elements))
    }

    /// The key with this value instead of its own, or beside the others.
    pub(crate) fn set(mut self, key: &str, value_type: u32, value: &[u8]) -> Self {
        let record = pair(key, value_type, value);
        match self.pairs.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = record,
            None => self.pairs.push((key.into(), record)),
        }
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.set(key, UINT32, &value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> Self {
        self.set(key, FLOAT32, &value.to_le_bytes())
    }

    pub(crate) fn string(self, key: &str, value: &str) -> Self {
        self.set(key, STRING, &string(value.as_bytes()))
    }

    pub(crate) fn strings(self, key: &str, values: &[&str]) -> Self {
        let elements: Vec<u8> = values.iter().flat_map(|text| string(text.as_bytes())).collect();
        self.set(key, ARRAY, &array(STRING, values.len() as u64, &elements))
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        let elements: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set(key, ARRAY, &array(FLOAT32, values.len() as u64, &elements))
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        let elements: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set(key, ARRAY, &array(INT32, values.len() as u64, &elements))
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        let before = self.pairs.len();
        self.pairs.retain(|(name, _)| name != key);
        assert_eq!(self.pairs.len(), before - 1, "{key}");
        self
    }

    pub(crate) fn tensor_names(&self) -> Vec<String> {
        self.tensors.iter().map(|tensor| tensor.name.clone()).collect()
    }

    pub(crate) fn dimensions(&self, name: &str) -> Vec<u64> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name);
        tensor.expect("a tensor of this name").dimensions.clone()
    }

    /// The values of an F32 tensor.
    pub(crate) fn f32s_of(&self, name: &str) -> Vec<f32> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name);
        let data = tensor.expect("a tensor of this name").data.as_chunks().0;
        data.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub(crate) fn without_tensor(mut self, name: &str) -> Self {
        let before = self.tensors.len();
        self.tensors.retain(|tensor| tensor.name != name);
        assert_eq!(self.tensors.len(), before - 1, "{name}");
        self
    }

    /// The tensor with this shape, type and value instead of its own, or beside the others.
    pub(crate) fn tensor(
        mut self,
        name: &str,
        dimensions: &[u64],
        tensor_type: u32,
        value: f32,
    ) -> Self {
        let stored = Stored::new(name, dimensions, tensor_type, value);
        match self.tensors.iter_mut().find(|tensor| tensor.name == name) {
            Some(old) => *old = stored,
            None => self.tensors.push(stored),
        }
        self
    }

    /// A vocabulary of these tokens, and matrices to match.
    pub(crate) fn vocabulary(self, tokens: &[&str]) -> Self {
        let mut tiny = self
            .strings("tokenizer.ggml.tokens", tokens)
            .without("tokenizer.ggml.scores")
            .without("tokenizer.ggml.token_type");
        for tensor in &mut tiny.tensors {
            if matches!(&*tensor.name, "token_embd.weight" | "output.weight") {
                *tensor = Stored::random(&tensor.name, &[EMBD, tokens.len() as u64]);
            }
        }
        tiny
    }

    /// The F32 tensor's element `index` becomes `value`.
    pub(crate) fn poke(mut self, name: &str, index: usize, value: f32) -> Self {
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        let data = &mut tensor.expect("a tensor of this name").data;
        data[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let pairs: Vec<_> = self.pairs.iter().map(|(_, record)| record.clone()).collect();
        let mut data = Vec::new();
        let mut infos = Vec::new();
        for Stored { name, dimensions, tensor_type, data: bytes } in &self.tensors {
            infos.push(Tensor::new(name, dimensions, *tensor_type, data.len() as u64));
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        let mut file = File { tensors: infos, ..File::with_pairs(&pairs) }.header();
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        file
    }

    /// The model is refused with this error, in time.
    pub(crate) fn refused(&self, error: ModelError) {
        let file = self.bytes();
        let elapsed = least_time(PATIENCE, || {
            assert_eq!(with_session(&file, |_| ()), Err(error));
        });
        assert!(elapsed < PATIENCE, "{error} took {elapsed:?}");
    }

    /// Why the model is refused, in time.
    pub(crate) fn refusal(&self) -> ModelError {
        let file = self.bytes();
        let error = with_session(&file, |_| ()).expect_err("accepted");
        self.refused(error);
        error
    }

    /// The model loads and evaluates two tokens.
    pub(crate) fn runs(&self) {
        self.logits();
    }

    /// Scores after two tokens.
    pub(crate) fn logits(&self) -> Vec<f32> {
        let file = self.bytes();
        let logits = with_session(&file, |session| {
            session.decode(0).expect("evaluates");
            session.decode(session.config().n_vocab - 1).expect("evaluates");
            session.logits().to_vec()
        });
        let logits = logits.expect("loads");
        assert!(logits.iter().all(|logit| logit.is_finite()));
        logits
    }

    /// What `look` finds in the sizes of a model that loads.
    pub(crate) fn config<R>(&self, look: impl FnOnce(&Config) -> R) -> R {
        with_session(&self.bytes(), |session| look(session.config())).expect("loads")
    }

    /// The tokenizer is refused with this error, in time.
    pub(crate) fn tokenizer_refusal(&self) -> TokenizerError {
        let file = self.bytes();
        let mut refusal = None;
        let elapsed = least_time(PATIENCE, || {
            refusal = with_tokenizer(&file, |tokenizer| tokenizer.err());
        });
        let refusal = refusal.expect("accepted");
        assert!(elapsed < PATIENCE, "{refusal} took {elapsed:?}");
        refusal
    }
}

/// Loads the model of a sound GGUF file. Planning and loading must agree on what is wrong, as far
/// as planning looks.
pub(crate) fn with_session<R>(
    file: &[u8],
    then: impl FnOnce(&mut Session<'_>) -> R,
) -> Result<R, ModelError> {
    with_options(file, &FlashWeights::new(file), &Options::default(), LayerSet::EMPTY, then)
}

/// [`with_session`], of weights, options and skipped blocks that the caller chose.
pub(crate) fn with_options<R>(
    file: &[u8],
    weights: &dyn Weights,
    options: &Options,
    skipped: LayerSet,
    then: impl FnOnce(&mut Session<'_>) -> R,
) -> Result<R, ModelError> {
    with_build(&build(), file, weights, options, skipped, then)
}

/// [`with_options`], in a build that the caller chose.
pub(crate) fn with_build<R>(
    build: &Build<'_>,
    file: &[u8],
    weights: &dyn Weights,
    options: &Options,
    skipped: LayerSet,
    then: impl FnOnce(&mut Session<'_>) -> R,
) -> Result<R, ModelError> {
    let gguf = Gguf::parse(file, file.len() as u64).expect("a sound GGUF file");
    let mut memory = vec![0; ARENA_BYTES];
    let mut arena = Arena::new(&mut memory);
    let layout = Layout::of(&gguf, build, skipped)?;
    let mut plan = MemoryPlan::new();
    let planned = Session::plan(&layout, options, &mut plan);
    let session = Session::new(&layout, weights, &SERIAL, options, &mut arena);
    match (planned, session) {
        (Err(planned), session) => {
            assert_eq!(session.err(), Some(planned));
            Err(planned)
        }
        (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(mut session)) => {
            assert_eq!(plan.total(), arena.used_bytes());
            Ok(then(&mut session))
        }
    }
}

pub(crate) fn with_tokenizer<R>(
    file: &[u8],
    then: impl FnOnce(Result<Tokenizer<'_>, TokenizerError>) -> R,
) -> R {
    let gguf = Gguf::parse(file, file.len() as u64).expect("a sound GGUF file");
    let mut memory = vec![0; ARENA_BYTES];
    let mut arena = Arena::new(&mut memory);
    let tokenizer = Tokenizer::new(&gguf, &mut arena);
    if tokenizer.is_ok() {
        let mut plan = MemoryPlan::new();
        Tokenizer::plan(&gguf, &mut plan).expect("what can be made can be planned");
        assert_eq!(plan.total(), arena.used_bytes());
    }
    then(tokenizer)
}
