//! The most memory that the program may take: below it the model file is mapped as a whole, or a
//! part of the weights is pinned and the rest streams. The command line decides alike.

use crate::failure::{Failure, Reason};
use crate::line::Line;
use crate::model::Model;
use core::ffi::CStr;
use picolm_core::port::Weights;
use picolm_core::port::streaming::{Ceiling, Division, STRIPE_BYTES, StreamPlan};
use picolm_core::sampler::SamplerOptions;
use picolm_core::session::Options;
use picolm_linux::bare::map::MapError;
use picolm_linux::bare::memory::{available_bytes, private_bytes, process_bytes};
use picolm_linux::bare::stream::{StreamedFile, least_bytes};

/// Small reads of a streamed file, its mappings' last pages, and the padding of its header.
const SMALL_BYTES: u64 = 64 << 10;

/// The most memory that the program may take, as asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ram {
    /// No limit if the model fits in the available memory; that memory otherwise.
    Unasked,
    /// The available memory.
    Auto,
    Bytes(u64),
}

/// What the engine is planned for.
pub(crate) struct Needs<'s> {
    pub(crate) options: Options,
    pub(crate) sampling: SamplerOptions<'s>,
    /// Bytes of everything else: a constraint.
    pub(crate) other_bytes: u64,
}

impl Needs<'_> {
    /// Bytes of everything planned, with these options.
    fn planned(&self, model: &Model<'_>, options: &Options) -> Result<u64, Failure> {
        let plan = model.plan(&self.sampling, options)?;
        Ok(plan.total().saturating_add(self.other_bytes))
    }
}

/// Where the weights come from.
pub(crate) struct Source {
    /// The file once more, if the weights stream.
    pub(crate) stream: Option<StreamedFile>,
    /// `None` if the program may take as much memory as it likes.
    pub(crate) ceiling: Option<Ceiling>,
    /// The engine's size, for weights that come from there.
    pub(crate) options: Options,
}

impl Source {
    /// Chooses where the weights of `model`, the file at `path`, come from. Nothing but the header
    /// is read.
    pub(crate) fn open(
        path: &'static CStr,
        model: &Model<'_>,
        needs: &Needs<'_>,
        ram: Ram,
    ) -> Result<Self, Failure> {
        let options = needs.options;
        let unlimited = Self { stream: None, ceiling: None, options };
        let Some(bytes) = ceiling_bytes(ram)? else { return Ok(unlimited) };
        let process = |bytes| process_bytes(options.workers + 1, bytes);
        let whole = [needs.planned(model, &options)?, model.weights.file_bytes(), process(bytes)];
        if whole.iter().fold(0, |sum: u64, &more| sum.saturating_add(more)) <= bytes {
            let ceiling = Ceiling { bytes, process_bytes: process(bytes), header_bytes: 0 };
            let ceiling = (ram != Ram::Unasked).then_some(ceiling);
            return Ok(Self { ceiling, ..unlimited });
        }
        match (Self::streamed(path, model, needs, ram, bytes, process), ram) {
            // Nobody asked for a ceiling: without one the model runs, if slowly.
            (Err(_), Ram::Unasked) => Ok(unlimited),
            (source, _) => source,
        }
    }

    /// Weights that stream below a ceiling of `bytes`.
    fn streamed(
        path: &'static CStr,
        model: &Model<'_>,
        needs: &Needs<'_>,
        ram: Ram,
        bytes: u64,
        process: impl Fn(u64) -> u64,
    ) -> Result<Self, Failure> {
        let (mut weights_bytes, mut row_bytes) = (0u64, 0u64);
        for tensor in model.gguf.tensors() {
            weights_bytes = weights_bytes.saturating_add(tensor.bytes);
            let [columns, ..] = tensor.dimensions;
            let rows = tensor.elements() / columns.max(1);
            row_bytes = row_bytes.max(tensor.bytes / rows.max(1));
        }
        let traffic = model.layout.traffic(needs.options.kv_type);
        let pass_bytes = traffic.map_or(weights_bytes, |traffic| traffic.weights_bytes);
        let header_bytes = model.gguf.header_bytes().len() as u64;
        let division = Division {
            ceiling: Ceiling {
                bytes,
                process_bytes: process(bytes),
                header_bytes: header_bytes + SMALL_BYTES,
            },
            buffer_bytes: least_bytes(weights_bytes, row_bytes),
            pass_bytes,
        };
        let options = |batch| Options { stripe_bytes: STRIPE_BYTES, batch, ..needs.options };
        let planned = |batch| needs.planned(model, &options(batch));
        let batch = division.best_batch(needs.options.logit_rows, planned)?;
        let batch = batch.ok_or(Failure::about(b"--ram", "no batch is small enough"))?;
        let planned = planned(batch)?;
        let Some(budget) = division.budget_bytes(planned) else {
            let least = division.least_mib(planned, process);
            return Err(Failure::because(b"--ram", Reason::TooLittle { bytes, least }));
        };
        if let Ram::Bytes(asked) = ram
            && bytes < asked - asked / 16
        {
            let mut line = Line::new();
            line.text(b"picolm: --ram: of ").bytes(asked).text(b" only ").bytes(bytes);
            let _ = line.text(b" are available").end();
        }
        let file = |error: MapError| Failure::file(path.to_bytes(), error);
        let stream = StreamedFile::open(path, budget).map_err(file)?;
        model.file.keep_only(header_bytes);
        Ok(Self { stream: Some(stream), ceiling: Some(division.ceiling), options: options(batch) })
    }

    /// The weights.
    pub(crate) fn weights<'w>(&'w self, model: &Model<'w>) -> &'w dyn Weights {
        match &self.stream {
            Some(stream) => stream,
            None => model.weights,
        }
    }

    /// Longest text that can be tokenized before the first pass: nothing is pinned yet.
    pub(crate) fn text_bytes(&self, model: &Model<'_>) -> u64 {
        let mapped_bytes = if self.stream.is_some() { 0 } else { model.weights.file_bytes() };
        self.ceiling.map_or(u64::MAX, |ceiling| ceiling.text_bytes(mapped_bytes))
    }

    /// Where a stream's bytes go.
    pub(crate) fn stream_plan(&self) -> Option<(&StreamedFile, StreamPlan)> {
        let stream = self.stream.as_ref()?;
        Some((stream, stream.plan()?))
    }
}

/// Bytes of the ceiling; `None` if there is none.
fn ceiling_bytes(ram: Ram) -> Result<Option<u64>, Failure> {
    let available = available_bytes();
    let bytes = match (ram, available) {
        (Ram::Bytes(asked), _) => Some(obtainable(asked, available)),
        (Ram::Auto, None) => {
            return Err(Failure::about(b"--ram auto", "not known here: name a size"));
        }
        (Ram::Auto | Ram::Unasked, _) => available,
    };
    // With 32 bits a program has addresses for 2 to 4 GB, in pieces.
    let addressable = |bytes: u64| if usize::BITS < 64 { bytes.min(3 << 29) } else { bytes };
    Ok(bytes.map(addressable))
}

/// As many of the `asked` bytes as are available. If pinned memory runs out, the kernel ends this
/// process or another. Memory that this process has taken by now is a part of its own ceiling.
fn obtainable(asked: u64, available: Option<u64>) -> u64 {
    let own = private_bytes().unwrap_or(0);
    available.map_or(asked, |available| asked.min(available.saturating_add(own)))
}
