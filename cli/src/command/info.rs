//! `picolm info`: what a model is, and the memory that it needs, known before it is taken.

mod budget;

use super::{Outcome, print};
use crate::args::Engine;
use crate::ceiling;
use crate::constraint::Vocabulary;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan, text};
use crate::report::{Bytes, Failure, printable};
use core::fmt::{Display, Write};
use picolm_core::gguf::Gguf;
use picolm_core::mem::{MAX_CHUNKS, Purpose};
use picolm_core::model::Config;
use picolm_core::quant::TensorType;
use picolm_core::sampler::SamplerOptions;

pub(super) fn info(engine: &Engine) -> Result<Outcome, Failure> {
    let machine = Machine::new(0)?;
    let file = ModelFile::open(&engine.model)?;
    let gguf = file.gguf()?;
    let mut page = Page(String::new());
    let file_bytes = Bytes(file.file_bytes());
    page.line("file", format_args!("{} ({file_bytes})", file.path.display()));
    describe(&mut page, &gguf);
    let planned = Model::of(&machine, &file, &gguf, engine.skipped)
        .and_then(|model| plan(&model, engine).map(|plan| (model, plan)));
    let (model, plan) = match planned {
        Ok(planned) => planned,
        Err(failure) => {
            // Tensors can be listed whatever the architecture.
            tensors(&mut page, &gguf);
            let _ = print(&page.0);
            return Err(failure);
        }
    };
    let source = ceiling::open(&model, plan, engine.ram)?;
    sizes(&mut page, &model);
    if let Ok(traffic) = model.layout.traffic(engine.kv_type) {
        page.line("read per token", Bytes(traffic.weights_bytes));
    }
    let [bytes, row_bytes] = model.layout.per_layer_bytes();
    if bytes > 0 {
        let (bytes, row_bytes) = (Bytes(bytes), Bytes(row_bytes));
        page.line("per-layer table", format_args!("{bytes}, read a row of {row_bytes} at a time"));
    }
    tensors(&mut page, &gguf);
    memory(&mut page, &source.plan, model.context(source.plan.needs.options.context));
    if let Ok(vocabulary) = vocabulary(&file, &gguf) {
        page.bytes("a constraint", vocabulary.bytes(), " more");
    }
    if let Some(ceiling) = &source.ceiling {
        budget::show(&mut page, &machine, &source, ceiling)?;
    }
    print(&page.0)
}

/// The memory to write text with `model`.
fn plan(model: &Model<'_>, engine: &Engine) -> Result<Plan, Failure> {
    let text = text::plan_with_sampler(model, &SamplerOptions::NEUTRAL)?;
    let config = model.layout.config();
    let options = match config.is_causal {
        true => engine.options(1),
        false => {
            let longest = model.context(engine.context).min(MAX_CHUNKS as u32);
            model.for_vectors(engine.options(0), longest)?
        }
    };
    Plan::new(model, Needs { options, text, ..Needs::default() })
}

/// The vocabulary as a constraint holds it.
fn vocabulary(file: &ModelFile, gguf: &Gguf<'_>) -> Result<Vocabulary, Failure> {
    let mut memory = None;
    let tokenizer = text::tokenizer(file, gguf, &mut memory)?;
    Vocabulary::of(&tokenizer).map_err(|error| file.failure(error))
}

/// Lines of a name and a value.
struct Page(String);

impl Page {
    fn heading(&mut self, name: &str) {
        let _ = writeln!(self.0, "{name}:");
    }

    fn line(&mut self, name: &str, value: impl Display) {
        let value = printable(&value.to_string());
        let _ = writeln!(self.0, "{:<16} {value}", format!("{name}:"));
    }

    fn bytes(&mut self, name: &str, bytes: u64, more: &str) {
        self.row(name, format_args!("{:>10}{more}", Bytes(bytes).to_string()));
    }

    fn row(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "  {name:<14} {value}");
    }
}

/// Metadata that every architecture has.
fn describe(page: &mut Page, gguf: &Gguf<'_>) {
    page.line("gguf version", gguf.version());
    for (name, key) in [
        ("architecture", "general.architecture"),
        ("name", "general.name"),
        ("tokenizer", "tokenizer.ggml.model"),
        ("pre-tokenizer", "tokenizer.ggml.pre"),
    ] {
        if let Ok(Some(text)) = gguf.string(key) {
            page.line(name, String::from_utf8_lossy(text));
        }
    }
    let parameters = gguf.tensors().map(|tensor| tensor.elements()).fold(0, u64::saturating_add);
    page.line("parameters", parameters);
}

/// Number and bytes of the tensors of each type.
fn tensors(page: &mut Page, gguf: &Gguf<'_>) {
    page.heading("tensors");
    for &tensor_type in TensorType::ALL {
        let (count, bytes) = gguf
            .tensors()
            .filter(|tensor| tensor.tensor_type == tensor_type)
            .fold((0u64, 0u64), |(count, bytes), tensor| {
                (count + 1, bytes.saturating_add(tensor.bytes))
            });
        if count > 0 {
            let bytes = Bytes(bytes).to_string();
            page.row(tensor_type.name(), format_args!("{count:>5}  {bytes:>10}"));
        }
    }
}

/// The model's sizes.
fn sizes(page: &mut Page, model: &Model<'_>) {
    let config = model.layout.config();
    if config.skipped.is_empty() {
        page.line("layers", config.n_layer);
    } else {
        let (stored, skipped) = (config.n_layer_stored(), config.skipped);
        page.line("layers", format_args!("{} of {stored} (without {skipped})", config.n_layer));
    }
    page.line("embedding", config.n_embd);
    page.line("feed-forward", config.n_ff);
    page.line(
        "heads",
        format_args!("{} of {} (key/value: {})", config.n_head, config.key_dim, config.n_head_kv),
    );
    if config.n_expert > 0 {
        page.line("experts", format_args!("{} of {}", config.n_expert_used, config.n_expert));
    }
    page.line("vocabulary", config.n_vocab);
    match config.context_trained {
        Config::CONTEXT_UNKNOWN => page.line("context", "unknown"),
        trained => page.line("context", format_args!("{trained} (trained for)")),
    }
}

/// The memory plan, line by line.
fn memory(page: &mut Page, plan: &Plan, context: u32) {
    let threads = plan.needs.options.workers;
    page.heading(&format!("memory for a context of {context}, {threads} threads"));
    for purpose in Purpose::ALL {
        let bytes = plan.memory.bytes(purpose);
        if bytes > 0 {
            page.bytes(purpose.name(), bytes, "");
        }
    }
    page.bytes("total", plan.memory.total(), "");
}
