//! Fixtures, and an engine over each.

use picolm_core::gguf::Gguf;
use picolm_core::kernels::{Candidate, portable};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{Build, LayerSet, Layout, family};
use picolm_core::port::{CpuFeatures, Parallel, Serial, Weights};
use picolm_core::quant::{KvType, TensorType};
use picolm_core::session::{Options, Session};
use std::path::{Path, PathBuf};

/// The folder that holds `arch`, `arch-gemma4` and `quant`.
fn fixtures() -> PathBuf {
    match std::env::var_os("PICOLM_FIXTURES") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"),
    }
}

/// A model with what llama.cpp computed from it.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) file: Vec<u8>,
    pub(crate) facts: serde_json::Value,
    /// Logits from f32 weights, f32 activations and an f32 cache. `[positions, n_vocab]`
    pub(crate) truth: Vec<f32>,
}

impl Fixture {
    fn read(path: &Path) -> Self {
        let read = |extension: &str| {
            let path = path.with_extension(extension);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let truth = read("truth.f32");
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            file: std::fs::read(path).unwrap(),
            facts: serde_json::from_slice(&read("json")).unwrap(),
            truth: truth.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        }
    }

    pub(crate) fn tokens(&self) -> Vec<u32> {
        self.integers("tokens")
    }

    pub(crate) fn integers(&self, key: &str) -> Vec<u32> {
        let values = self.facts[key].as_array().unwrap_or_else(|| panic!("{}: {key}", self.name));
        values.iter().map(|value| value.as_u64().unwrap() as u32).collect()
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        self.facts[key].as_f64().unwrap_or_else(|| panic!("{}: {key}", self.name))
    }

    /// Elements of a key and of a value; 0 in a model without attention.
    pub(crate) fn head_elements(&self) -> u32 {
        let metadata = &self.facts["metadata"];
        let family = metadata["general.architecture"].as_str().unwrap();
        let number = |key: &str| metadata[format!("{family}.{key}")].as_u64();
        let even = || match number("attention.head_count")? {
            0 => Some(0),
            heads => Some(number("embedding_length")? / heads),
        };
        number("attention.key_length").or_else(even).unwrap() as u32
    }

    pub(crate) fn gguf(&self) -> Gguf<'_> {
        Gguf::parse(&self.file, self.file.len() as u64).unwrap()
    }
}

/// Whether the model has state that cannot go back to every position.
pub(crate) fn is_recurrent(fixture: &Fixture) -> bool {
    let metadata = fixture.facts["metadata"].as_object().unwrap();
    let names = ["ssm.state_size", "shortconv.l_cache"];
    metadata.keys().any(|key| names.iter().any(|name| key.ends_with(name)))
}

/// Whether the model's heads are whole blocks of `kv_type`.
pub(crate) fn fits(fixture: &Fixture, kv_type: KvType) -> bool {
    kv_type.head_bytes(fixture.head_elements() as usize).is_some()
}

/// Every model of `folder` that `wanted` lets pass; none at all is a failure.
fn fixtures_where(folder: &str, wanted: impl Fn(&Fixture) -> bool) -> Vec<Fixture> {
    let folder = fixtures().join(folder);
    let listing = std::fs::read_dir(&folder);
    let listing = listing.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let models = paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "gguf"));
    let chosen: Vec<_> = models.map(|path| Fixture::read(path)).filter(|f| wanted(f)).collect();
    assert!(!chosen.is_empty(), "no models in {}", folder.display());
    chosen
}

/// Models that write text, of every architecture that the engine has.
pub(crate) fn architectures() -> Vec<Fixture> {
    let is_known = |fixture: &Fixture| {
        let name = fixture.facts["metadata"]["general.architecture"].as_str();
        let known = family::ALL.iter().any(|family| Some(family.architecture) == name);
        known && fixture.facts["kind"] != "embedding" && has_kernels(fixture)
    };
    let mut models = fixtures_where("arch", is_known);
    models.extend(fixtures_where("arch-gemma4", is_known));
    models
}

/// Models that turn texts into vectors.
pub(crate) fn embedding_models() -> Vec<Fixture> {
    fixtures_where("arch", |fixture| fixture.facts["kind"] == "embedding")
}

/// Models of every weight type that the engine has kernels for.
pub(crate) fn weight_types() -> Vec<Fixture> {
    fixtures_where("quant", has_kernels)
}

/// Whether the engine has kernels for all of the model's weights.
fn has_kernels(fixture: &Fixture) -> bool {
    let kernels = portable::ALL.iter().filter_map(|candidate| candidate(CpuFeatures::baseline()));
    let known: Vec<TensorType> = kernels.map(|kernels| kernels.tensor_type()).collect();
    fixture.gguf().tensors().all(|tensor| known.contains(&tensor.tensor_type))
}

/// What an engine is made with.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'s> {
    pub(crate) formats: &'s [Candidate],
    pub(crate) options: Options,
    pub(crate) parallel: &'s dyn Parallel,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
}

impl Setting<'_> {
    /// Portable kernels, one thread, every block, and the engine's choice of the rest.
    pub(crate) const PLAIN: Self = Self {
        formats: portable::ALL,
        options: Options::DEFAULT,
        parallel: &Serial,
        skipped: LayerSet::EMPTY,
    };
}

pub(crate) fn build(formats: &[Candidate]) -> Build<'_> {
    Build {
        formats,
        vectors: &[portable::VECTOR],
        families: family::ALL,
        cpu: CpuFeatures::baseline(),
    }
}

/// Runs `work` with an engine over `weights`; the plan must be what was taken, to the byte.
pub(crate) fn with_session<R>(
    fixture: &Fixture,
    weights: &dyn Weights,
    setting: &Setting<'_>,
    work: impl FnOnce(&mut Session<'_>) -> R,
) -> R {
    with_owned_session(fixture, weights, setting, |mut session| work(&mut session))
}

/// [`with_session`] for work that keeps the engine.
pub(crate) fn with_owned_session<R>(
    fixture: &Fixture,
    weights: &dyn Weights,
    setting: &Setting<'_>,
    work: impl FnOnce(Session<'_>) -> R,
) -> R {
    let gguf = fixture.gguf();
    let layout = Layout::of(&gguf, &build(setting.formats), setting.skipped);
    let layout = layout.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
    let options = Options { workers: setting.parallel.workers(), ..setting.options };
    let mut plan = MemoryPlan::new();
    Session::plan(&layout, &options, &mut plan).unwrap();
    // Garbage, so that a value read before it is written shows.
    let mut memory = vec![0xa5; plan.total() as usize + 63];
    let mut arena = Arena::new(&mut memory);
    let session = Session::new(&layout, weights, setting.parallel, &options, &mut arena)
        .unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
    assert_eq!(arena.used_bytes(), plan.total(), "{}", fixture.name);
    work(session)
}

/// Logits of every token. `[tokens, n_vocab]`
pub(crate) fn all_logits(session: &mut Session<'_>, tokens: &[u32]) -> Vec<f32> {
    let mut all = Vec::new();
    let mut expected = 0;
    session
        .prefill_scored(tokens, &mut |index, logits| {
            assert_eq!(index, expected);
            expected += 1;
            all.extend_from_slice(logits);
        })
        .unwrap();
    all
}
