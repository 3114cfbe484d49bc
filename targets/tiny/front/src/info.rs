//! `picolm info`: what a model is, and the memory that it needs, in ten lines.

use crate::Outcome;
use crate::arguments::Info;
use crate::build::Kernels;
use crate::failure::Failure;
use crate::line::Line;
use crate::model::Model;
use picolm_core::gguf::Gguf;
use picolm_core::model::Config;
use picolm_core::port::Weights;
use picolm_core::sampler::SamplerOptions;
use picolm_core::session::Options;
use picolm_linux::bare::console::{Stream, WriteError};
use picolm_linux::bare::memory::usable_cores;

/// Columns of a line's name.
const NAME_COLUMNS: usize = 17;

/// Prints the lines. The first nine are the command line's.
pub(crate) fn info(info: &Info, kernels: Kernels) -> Result<Outcome, Failure> {
    Model::open(info.model, kernels, &mut |model| {
        let Info { context, kv_type, .. } = *info;
        let options = Options { context, kv_type, workers: usable_cores(), ..Options::DEFAULT };
        let plan = model.plan(&SamplerOptions::NEUTRAL, &options)?;
        let config = model.layout.config();
        let mut page = Page { line: Line::on(Stream::Stdout), error: None };
        page.line("file", |line| {
            let file_bytes = model.weights.file_bytes();
            line.text(info.model.to_bytes()).text(b" (").bytes(file_bytes).text(b")")
        });
        page.text("architecture", model.gguf, "general.architecture");
        page.text("name", model.gguf, "general.name");
        let elements = model.gguf.tensors().map(|tensor| tensor.elements());
        page.number("parameters", elements.fold(0, u64::saturating_add));
        page.number("layers", config.n_layer.into());
        page.number("embedding", config.n_embd.into());
        page.number("vocabulary", config.n_vocab.into());
        page.line("context", |line| match config.context_trained {
            Config::CONTEXT_UNKNOWN => line.text(b"unknown"),
            trained => line.number(trained.into()).text(b" (trained for)"),
        });
        if let Ok(traffic) = model.layout.traffic(kv_type) {
            page.line("read per token", |line| line.bytes(traffic.weights_bytes));
        }
        page.line("memory", |line| {
            line.bytes(plan.total()).text(b" for a context of ");
            line.number(options.context(config).into())
        });
        match page.error {
            None | Some(WriteError::Closed) => Ok(Outcome::Done),
            Some(WriteError::System(code)) => Err(Failure::stdout(code)),
        }
    })
}

/// Lines of a name and a value, on stdout.
struct Page {
    line: Line,
    error: Option<WriteError>,
}

impl Page {
    fn line(&mut self, name: &str, value: impl FnOnce(&mut Line) -> &mut Line) {
        self.line.text(name.as_bytes()).text(b":");
        for _ in name.len() + 1..NAME_COLUMNS {
            self.line.text(b" ");
        }
        if let Err(error) = value(&mut self.line).end() {
            self.error.get_or_insert(error);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.line(name, |line| line.number(number));
    }

    /// A string of the metadata, if there is one.
    fn text(&mut self, name: &str, gguf: &Gguf<'_>, key: &str) {
        if let Ok(Some(text)) = gguf.string(key) {
            self.line(name, |line| line.text(text));
        }
    }
}
