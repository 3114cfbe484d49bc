//! From a model file and settings to an engine that is ready: the one place that knows the steps.

use crate::ceiling::{Ceiling, LEAST_TEXT_BYTES};
use crate::platform::map::{MapError, MappedFile, Memory};
use crate::platform::stream::{StreamOptions, StreamedFile};
use crate::platform::threads::{Pool, usable_cores};
use crate::platform::{console, cpu};
use crate::report::{Bytes, Failure};
use picolm_core::chat::{self, Chat};
use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::kernels::{self, Candidate, VectorCandidate, portable};
use picolm_core::mem::{ARENA_ALIGN, Arena, MemoryPlan};
use picolm_core::model::{Config, ModelError, Parts, family};
use picolm_core::port::{CpuFeatures, Parallel, Weights};
use picolm_core::quant::KvType;
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::session::{DEFAULT_CONTEXT, Options, Session};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{EncodeError, Tokenizer};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Most bytes of a prompt or text: a stream that never ends must not eat the machine's memory.
pub(crate) const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Words of scratch memory with which tokenizing begins: 64 KiB.
const FIRST_SCRATCH_WORDS: usize = 1 << 14;

/// Bytes of a header that are read at first, and at most, of a file that cannot be mapped: those of
/// models with 256,000 tokens are 10 MB long.
const FIRST_HEADER_BYTES: u64 = 1 << 20;
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Where a model file's bytes come from.
enum Source {
    Mapped(MappedFile),
    Streamed(StreamedFile),
}

/// A model file, and how much memory the program may take for it, if that matters.
pub(crate) struct ModelFile {
    path: PathBuf,
    source: Source,
    ceiling: Option<Ceiling>,
}

impl ModelFile {
    /// The file, mapped; streamed where it is larger than what a program can address here, which
    /// on 32 bits is 2 to 4 GB.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let source = match MappedFile::open(path) {
            Ok(map) => Source::Mapped(map),
            Err(MapError::TooLarge { .. }) => return Self::with_header(path),
            Err(MapError::System(error)) if error.kind() == ErrorKind::OutOfMemory => {
                return Self::with_header(path);
            }
            Err(error) => return Err(about(path, error)),
        };
        Ok(Self { path: path.to_path_buf(), source, ceiling: None })
    }

    /// The file with nothing but its header in memory.
    fn with_header(path: &Path) -> Result<Self, Failure> {
        let mut bytes = FIRST_HEADER_BYTES;
        loop {
            let file = StreamedFile::open(path, bytes, StreamOptions::default())
                .map_err(|error| about(path, error))?;
            let ends_early = Gguf::parse(file.header(), file.file_bytes())
                .is_err_and(|error| error.kind == GgufErrorKind::HeaderIncomplete);
            bytes *= 4;
            if !ends_early || bytes > MAX_HEADER_BYTES {
                return Ok(Self::streamed(path, file));
            }
        }
    }

    pub(crate) fn streamed(path: &Path, source: StreamedFile) -> Self {
        Self { path: path.to_path_buf(), source: Source::Streamed(source), ceiling: None }
    }

    pub(crate) fn within(self, ceiling: Ceiling) -> Self {
        Self { ceiling: Some(ceiling), ..self }
    }

    pub(crate) fn ceiling(&self) -> Option<&Ceiling> {
        self.ceiling.as_ref()
    }

    pub(crate) fn gguf(&self) -> Result<Gguf<'_>, Failure> {
        let header = match &self.source {
            Source::Mapped(map) => map.bytes(),
            Source::Streamed(file) => file.header(),
        };
        Gguf::parse(header, self.weights().file_bytes()).map_err(|error| self.failure(error))
    }

    pub(crate) fn weights(&self) -> &dyn Weights {
        match &self.source {
            Source::Mapped(map) => map,
            Source::Streamed(file) => file,
        }
    }

    /// The mapping, where the file is mapped.
    pub(crate) fn mapped(&self) -> Option<&MappedFile> {
        match &self.source {
            Source::Mapped(map) => Some(map),
            Source::Streamed(_) => None,
        }
    }

    /// The streaming source, where the file is streamed.
    pub(crate) fn stream(&self) -> Option<&StreamedFile> {
        match &self.source {
            Source::Mapped(_) => None,
            Source::Streamed(file) => Some(file),
        }
    }

    /// Longest text to make tokens of.
    pub(crate) fn text_bytes(&self) -> u64 {
        let mapped_bytes = self.mapped().map_or(0, |map| map.bytes().len() as u64);
        let ceiling = self.ceiling().map_or(u64::MAX, |ceiling| ceiling.text_bytes(mapped_bytes));
        ceiling.min(MAX_TEXT_BYTES)
    }

    /// Longest line of a talk: by then everything else is in memory.
    pub(crate) fn line_bytes(&self) -> u64 {
        match self.source {
            Source::Mapped(_) => self.text_bytes(),
            Source::Streamed(_) => LEAST_TEXT_BYTES.min(self.text_bytes()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `error`, said of this file.
    pub(crate) fn failure(&self, error: impl core::fmt::Display) -> Failure {
        about(&self.path, error)
    }
}

/// `error`, said of the file at `path`.
pub(crate) fn about(path: &Path, error: impl core::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// What the machine gives: workers and instruction sets, as options and environment limit them.
pub(crate) struct Machine {
    pub(crate) pool: Pool,
    parts: Parts<'static>,
}

impl Machine {
    /// `threads` workers, or as many as there are usable cores for 0.
    pub(crate) fn new(threads: usize) -> Result<Self, Failure> {
        let parts = parts()?;
        let pool = Pool::new(if threads == 0 { usable_cores() } else { threads });
        Ok(Self { pool, parts })
    }
}

/// The kernels and architectures of this build, less what the environment forbids.
fn parts() -> Result<Parts<'static>, Failure> {
    if !cfg!(feature = "kernels") {
        let (formats, vectors) = (kernels::FEW, kernels::FEW_VECTORS);
        return Ok(Parts { formats, vectors, families: family::ALL, cpu: cpu::detect_few() });
    }
    let mut cpu = cpu::detect();
    let mut formats: &[Candidate] = kernels::ALL;
    let mut vectors: &[VectorCandidate] = kernels::VECTORS;
    if let Some(level) = variable("PICOLM_CPU")? {
        cpu = limited(cpu, &level)?;
        if level == "portable" {
            (formats, vectors) = (portable::ALL, portable::VECTORS);
        }
    }
    match variable("PICOLM_ACTIVATIONS")?.as_deref() {
        None => {}
        Some("f32") => formats = portable::float_activations::FLOAT_ACTIVATIONS,
        Some(other) => {
            return Err(Failure::usage(format!("PICOLM_ACTIVATIONS: '{other}' is not f32")));
        }
    }
    Ok(Parts { formats, vectors, families: family::ALL, cpu })
}

fn limited(cpu: CpuFeatures, level: &str) -> Result<CpuFeatures, Failure> {
    cpu::limit(cpu, level).map_err(|error| match error {
        cpu::LevelError::Unknown => {
            let known: Vec<_> = cpu::levels().collect();
            let known = known.join(", ");
            Failure::usage(format!("PICOLM_CPU: '{level}' is none of {known}"))
        }
        cpu::LevelError::Unsupported => {
            Failure::usage(format!("PICOLM_CPU: this CPU has no {level}"))
        }
    })
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var_os(name) {
        None => Ok(None),
        Some(value) => match value.into_string() {
            Ok(value) => Ok((!value.is_empty()).then_some(value)),
            Err(_) => Err(Failure::usage(format!("{name}: the value is not text"))),
        },
    }
}

/// The sizes of an engine, before anything is taken.
pub(crate) struct Plan {
    options: Options,
    pub(crate) config: Config,
    /// Everything that the arena holds.
    pub(crate) memory: MemoryPlan,
    /// Bytes that a constraint takes beside it.
    beside_bytes: u64,
}

impl Plan {
    /// The plan of `options` for `file` on `machine`. Workers are the machine's.
    pub(crate) fn new(
        file: &ModelFile,
        gguf: &Gguf<'_>,
        machine: &Machine,
        options: Options,
    ) -> Result<Self, Failure> {
        let batch = file.ceiling().map_or(0, |ceiling| ceiling.batch);
        let options = if options.batch == 0 { Options { batch, ..options } } else { options };
        Self::of(file, gguf, machine, options, file.weights().stripe_bytes())
    }

    /// The same for a source that wants stripes of `stripe_bytes`.
    pub(crate) fn of(
        file: &ModelFile,
        gguf: &Gguf<'_>,
        machine: &Machine,
        options: Options,
        stripe_bytes: u64,
    ) -> Result<Self, Failure> {
        let workers = machine.pool.workers();
        let options = Options { workers, stripe_bytes, cache_bytes: cpu::cache_bytes(), ..options };
        let (memory, config) = Session::plan(gguf, &machine.parts, &options)
            .map_err(|error| model_failure(file, error))?;
        Ok(Self { options, config, memory, beside_bytes: 0 })
    }

    /// How keys and values are stored.
    pub(crate) fn kv_type(&self) -> KvType {
        self.options.kv_type
    }

    /// All bytes of the arena, and those beside it.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.memory.total().unwrap_or(u64::MAX).saturating_add(self.beside_bytes)
    }

    /// Counts `bytes` that are taken beside the arena.
    pub(crate) fn with_room_beside(mut self, bytes: u64) -> Self {
        self.beside_bytes = self.beside_bytes.saturating_add(bytes);
        self
    }

    /// Adds the tokenizer, for commands that deal in text.
    pub(crate) fn with_tokenizer(
        mut self,
        file: &ModelFile,
        gguf: &Gguf<'_>,
    ) -> Result<Self, Failure> {
        Tokenizer::plan(gguf, &mut self.memory).map_err(|error| file.failure(error))?;
        Ok(self)
    }

    /// Adds a sampler, for commands that write text.
    pub(crate) fn with_sampler(
        mut self,
        file: &ModelFile,
        choice: &SamplerOptions<'_>,
    ) -> Result<Self, Failure> {
        Sampler::plan(choice, self.config.n_vocab, &mut self.memory)
            .map_err(|_| model_failure(file, ModelError::TooLarge))?;
        Ok(self)
    }

    /// Positions that the session will have.
    pub(crate) fn context(&self) -> u32 {
        match self.options.context {
            0 => self.config.context_trained.min(DEFAULT_CONTEXT),
            context => context,
        }
    }

    /// Memory for all of it.
    pub(crate) fn reserve(&self) -> Result<Memory, Failure> {
        reserve(&self.memory)
    }

    /// Loads the model.
    pub(crate) fn session<'m>(
        &self,
        file: &'m ModelFile,
        gguf: &Gguf<'m>,
        machine: &'m Machine,
        arena: &mut Arena<'m>,
    ) -> Result<Session<'m>, Failure> {
        let weights = file.weights();
        Session::new(gguf, weights, &machine.pool, &machine.parts, &self.options, arena)
            .map_err(|error| model_failure(file, error))
    }
}

/// Memory for `plan`; page-aligned, so that the plan's total is enough.
pub(crate) fn reserve(plan: &MemoryPlan) -> Result<Memory, Failure> {
    const _: () = assert!(4096 % ARENA_ALIGN == 0);
    let bytes = plan.total().map_err(|_| Failure::new("the model's sizes do not fit in memory"))?;
    Memory::reserve(bytes).map_err(|error| {
        let needed = Bytes(bytes);
        Failure::new(format!("{needed} of memory are needed ({error}): try a smaller context (-c)"))
    })
}

/// A model error with what can be done about it.
fn model_failure(file: &ModelFile, error: ModelError) -> Failure {
    let advice = match error {
        ModelError::Context { .. } => ": ask for fewer tokens (-c, or bench's -p and -n)",
        _ => "",
    };
    file.failure(format_args!("{error}{advice}"))
}

/// The ids of `text`; `added` for the tokens that the model's settings put around it, `parsed`
/// for special tokens that the text names.
pub(crate) fn encode(
    tokenizer: &Tokenizer<'_>,
    text: &[u8],
    added: bool,
    parsed: bool,
) -> Result<Vec<u32>, Failure> {
    encode_segments(tokenizer, &[Segment { bytes: text, special: parsed }], added)
}

/// The ids of text that says of each of its segments whether it may name special tokens.
pub(crate) fn encode_segments(
    tokenizer: &Tokenizer<'_>,
    segments: &[Segment<'_>],
    added: bool,
) -> Result<Vec<u32>, Failure> {
    let too_long = || Failure::new("the prompt is too long for this machine's memory");
    let text_bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    let (mut ids, mut scratch) = (Vec::new(), Vec::new());
    // A word or two at a time is all that most texts need; some need all of it at once.
    let mut words = Tokenizer::scratch_words(text_bytes).min(FIRST_SCRATCH_WORDS);
    loop {
        scratch.try_reserve_exact(words - scratch.len()).map_err(|_| too_long())?;
        scratch.resize(words, 0);
        ids.clear();
        ids.try_reserve(text_bytes / 4 + 8).map_err(|_| too_long())?;
        let mut full = false;
        let mut push = |id| {
            full |= ids.len() == ids.capacity() && ids.try_reserve(text_bytes / 4 + 8).is_err();
            if !full {
                ids.push(id);
            }
        };
        match tokenizer.encode(segments, added, &mut scratch, &mut push) {
            Ok(()) if full => return Err(too_long()),
            Ok(()) => return Ok(ids),
            Err(EncodeError::ScratchTooSmall { needed_words }) => {
                let needed = usize::try_from(needed_words).map_err(|_| too_long())?;
                words = needed.max(words.saturating_mul(2));
            }
            Err(error) => return Err(Failure::new(format!("the prompt: {error}"))),
        }
    }
}

/// The form of the model's conversations: the named one, or the one that its file describes.
pub(crate) fn chat<'m>(
    file: &ModelFile,
    gguf: &Gguf<'m>,
    tokenizer: &Tokenizer<'m>,
    name: Option<&str>,
) -> Result<Chat<'m>, Failure> {
    let names = || {
        let names: Vec<&str> = chat::ALL.iter().flat_map(|form| form.names()).copied().collect();
        names.join(", ")
    };
    let chat = if let Some(name) = name {
        Chat::named(name).ok_or_else(|| {
            let names = names();
            Failure::usage(format!("--chat-template: '{name}' is none of {names}"))
        })?
    } else {
        let jinja = gguf.string("tokenizer.chat_template").map_err(|error| file.failure(error))?;
        let wrong = match jinja {
            None => "has no chat template",
            Some(_) => "has a chat template of an unknown form",
        };
        jinja.and_then(Chat::detect).ok_or_else(|| {
            let names = names();
            file.failure(format_args!("{wrong}: name one by --chat-template ({names})"))
        })?
    };
    let text = |token: Option<u32>| token.map_or(&b""[..], |token| tokenizer.raw_text(token));
    Ok(chat.with_tokens(text(tokenizer.bos()), text(tokenizer.eos())))
}

/// `given`, or all of stdin, of which there may be `limit_bytes`.
pub(crate) fn text(given: Option<&[u8]>, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    match given {
        Some(text) => Ok(text.to_vec()),
        None => console::read_stdin(limit_bytes)
            .map_err(|error| Failure::new(format!("stdin: {error}"))),
    }
}

/// Refuses to wait for a prompt that someone would have to type.
pub(crate) fn require_text(given: Option<&[u8]>) -> Result<(), Failure> {
    if given.is_none() && console::stdin_is_terminal() {
        return Err(Failure::usage("no prompt: give -p PROMPT, or a text on stdin"));
    }
    Ok(())
}
