//! `picolm info`: what a model is, and the memory that it needs, known before it is taken.

mod budget;

use super::{Outcome, print};
use crate::args::Info;
use crate::ceiling;
use crate::constraint::Vocabulary;
use crate::engine::{Machine, ModelFile, Plan};
use crate::report::{Bytes, Failure, printable};
use core::fmt::{Display, Write};
use picolm_core::gguf::Gguf;
use picolm_core::mem::Purpose;
use picolm_core::model::{LayerSet, Traffic};
use picolm_core::port::Parallel;
use picolm_core::quant::TensorType;
use picolm_core::sampler::SamplerOptions;
use picolm_core::session::Options;

pub(super) fn info(arguments: &Info) -> Result<Outcome, Failure> {
    let machine = Machine::new(0)?;
    let Info { context, kv_type, skipped, .. } = *arguments;
    let skipped = if cfg!(feature = "layers") { skipped } else { LayerSet::EMPTY };
    let options = Options { context, kv_type, skipped, ..Options::default() };
    let complete = |plan: Plan, file: &ModelFile, gguf: &Gguf<'_>| {
        plan.with_tokenizer(file, gguf)?.with_sampler(file, &SamplerOptions::NEUTRAL)
    };
    let file = ceiling::open(&arguments.model, arguments.ram, &machine, options, &complete)?;
    let gguf = file.gguf()?;
    let mut page = Page(String::new());
    page.line(
        "file",
        format_args!("{} ({})", file.path().display(), Bytes(file.weights().file_bytes())),
    );
    describe(&mut page, &gguf);

    // What follows needs an architecture that the engine knows: show the rest in any case.
    let plan =
        Plan::new(&file, &gguf, &machine, options).and_then(|plan| complete(plan, &file, &gguf));
    if let Ok(plan) = &plan {
        sizes(&mut page, plan);
        if let Ok(traffic) = Traffic::of(&gguf, &plan.config, kv_type) {
            page.line("read per token", Bytes(traffic.weights_bytes));
        }
    }
    tensors(&mut page, &gguf);
    if let Ok(plan) = &plan {
        memory(&mut page, plan, machine.pool.workers());
        if let Ok(vocabulary) = Vocabulary::read(&arguments.model) {
            let bytes = Bytes(vocabulary.bytes());
            page.row("a constraint", format_args!("{:>10} more", bytes.to_string()));
        }
        if let Some(ceiling) = file.ceiling() {
            budget::show(&mut page, &file, &gguf, &machine, plan, ceiling)?;
        }
    }
    let shown = print(&page.0);
    plan.and(shown)
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

    fn row(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "  {name:<14} {value}");
    }
}

/// What the metadata says, whatever the architecture.
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
    let parameters: u64 = gguf.tensors().fold(0, |sum, tensor| {
        let elements = tensor.elements();
        u64::saturating_add(sum, elements)
    });
    page.line("parameters", parameters);
}

/// Tensors by type: how many, how many bytes.
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
            page.row(
                tensor_type.name(),
                format_args!("{count:>5}  {:>10}", Bytes(bytes).to_string()),
            );
        }
    }
}

/// The model's sizes, as the engine reads them.
fn sizes(page: &mut Page, plan: &Plan) {
    let config = &plan.config;
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
    page.line("context", format_args!("{} (trained for)", config.context_trained));
}

/// The memory plan, line by line.
fn memory(page: &mut Page, plan: &Plan, workers: usize) {
    let context = plan.context();
    page.heading(&format!("memory for a context of {context}, {workers} threads"));
    for purpose in Purpose::ALL {
        let bytes = plan.memory.bytes(purpose);
        if bytes > 0 {
            page.row(purpose.name(), format_args!("{:>10}", Bytes(bytes).to_string()));
        }
    }
    let total = plan.memory.total().unwrap_or(u64::MAX);
    page.row("total", format_args!("{:>10}", Bytes(total).to_string()));
}
