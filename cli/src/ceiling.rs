//! The most memory that the program may take: below it the model file is mapped as a whole, or a
//! part of the weights is pinned and the rest streams.

use crate::args::Ram;
use crate::engine::{Contents, Model, Plan, Source};
use crate::platform::memory;
use crate::platform::stream::{StreamOptions, StreamedFile};
use crate::report::{self, Bytes, Failure};
use picolm_core::port::streaming::{Ceiling, Division};

/// Small reads of a streamed file, its mappings' last pages, and the padding of its header.
const SMALL_BYTES: u64 = 64 << 10;

/// Chooses where the weights of `model` come from: the file as it is, for which `plan` was made, or
/// a stream below the ceiling that `ram` asks for. Nothing but the header is read.
pub(crate) fn open<'f>(model: &'f Model<'f>, plan: Plan, ram: Ram) -> Result<Source<'f>, Failure> {
    let unlimited = || Ok(Source { model, stream: None, ceiling: None, plan });
    let Some(bytes) = ceiling_bytes(ram)? else { return unlimited() };
    if let Some(ceiling) = ceiling_of_whole(model, &plan, bytes) {
        return match ram {
            Ram::Unasked => unlimited(),
            _ => Ok(Source { model, stream: None, ceiling: Some(ceiling), plan }),
        };
    }
    let divided = Divided::best(model, &plan, bytes)?;
    match (divided.stream(model, ram), ram) {
        // Nobody asked for a ceiling: without one the model runs, if slowly.
        (Err(_), Ram::Unasked) => unlimited(),
        (source, _) => source,
    }
}

/// Bytes of the ceiling; `None` if there is none.
fn ceiling_bytes(ram: Ram) -> Result<Option<u64>, Failure> {
    let available = memory::available_bytes();
    let bytes = match (ram, available) {
        (Ram::Bytes(asked), _) => Some(obtainable(asked, available)),
        (Ram::Auto, None) => return Err(Failure::new("--ram auto: not known here: name a size")),
        (Ram::Auto | Ram::Unasked, _) => available,
    };
    Ok(bytes.map(addressable))
}

/// As many of the `asked` bytes as are available. If pinned memory runs out, the kernel ends this
/// process or another. Memory that this process has taken by now is a part of its own ceiling.
fn obtainable(asked: u64, available: Option<u64>) -> u64 {
    let own = memory::private_bytes().unwrap_or(0);
    available.map_or(asked, |available| asked.min(available.saturating_add(own)))
}

/// As many of `bytes` as a program finds addresses for: with 32 bits it has 2 to 4 GB, in pieces.
fn addressable(bytes: u64) -> u64 {
    if usize::BITS < 64 { bytes.min(3 << 29) } else { bytes }
}

/// Memory of the process itself, if everything together takes `bytes`.
fn process_bytes(plan: &Plan, bytes: u64) -> u64 {
    memory::process_bytes(plan.needs.options.workers + 1, bytes)
}

/// The parts of a ceiling of `bytes`; `None` if the whole file does not fit below it.
fn ceiling_of_whole(model: &Model<'_>, plan: &Plan, bytes: u64) -> Option<Ceiling> {
    if !model.file.contents.is_mapped() {
        return None;
    }
    let file_bytes = model.file.file_bytes();
    let process_bytes = process_bytes(plan, bytes);
    let total_bytes = plan.total_bytes().saturating_add(file_bytes).saturating_add(process_bytes);
    (total_bytes <= bytes).then_some(Ceiling { bytes, process_bytes, header_bytes: 0 })
}

/// A division and the plan that goes with it.
struct Divided {
    plan: Plan,
    division: Division,
}

impl Divided {
    /// The division of `bytes` with the batch that streams the least. `whole` is the plan for the
    /// file as it is.
    fn best(model: &Model<'_>, whole: &Plan, bytes: u64) -> Result<Self, Failure> {
        let (mut weights_bytes, mut row_bytes) = (0u64, 0u64);
        for tensor in model.gguf.tensors() {
            weights_bytes = weights_bytes.saturating_add(tensor.bytes);
            let rows = tensor.elements() / tensor.dimensions[0].max(1);
            row_bytes = row_bytes.max(tensor.bytes / rows.max(1));
        }
        let traffic = model.layout.traffic(whole.needs.options.kv_type);
        let pass_bytes = traffic.map_or(weights_bytes, |traffic| traffic.weights_bytes);
        let header_bytes = model.gguf.header_bytes().len() as u64 + SMALL_BYTES;
        let process_bytes = process_bytes(whole, bytes);
        let ceiling = Ceiling { bytes, process_bytes, header_bytes };
        let buffer_bytes = StreamOptions::default().least_bytes(weights_bytes, row_bytes);
        let division = Division { ceiling, buffer_bytes, pass_bytes };
        let planned = |batch| Ok(whole.streamed(model, batch)?.total_bytes());
        let batch = division.best_batch(whole.needs.options.logit_rows, planned)?;
        let batch = batch.ok_or_else(|| Failure::new("--ram: no batch is small enough"))?;
        Ok(Self { plan: whole.streamed(model, batch)?, division })
    }

    /// Opens the file to stream below the ceiling.
    fn stream<'f>(self, model: &'f Model<'f>, ram: Ram) -> Result<Source<'f>, Failure> {
        let Self { plan, division } = self;
        let ceiling = division.ceiling;
        let bytes = ceiling.bytes;
        let planned = plan.total_bytes();
        let budget_bytes = division.budget_bytes(planned).ok_or_else(|| {
            let least = division.least_mib(planned, |bytes| process_bytes(&plan, bytes));
            Failure::new(format!(
                "--ram: {} are too little: at least --ram {least}M is needed (less with a \
                 smaller context, -c)",
                Bytes(bytes)
            ))
        })?;
        if let Ram::Bytes(asked) = ram
            && bytes < asked - asked / 16
        {
            let (asked, bytes) = (Bytes(asked), Bytes(bytes));
            report::line(format_args!("picolm: --ram: of {asked} only {bytes} are available"));
        }
        if let Contents::Parts(_) = model.file.contents {
            return Err(model.file.failure(
                "a model in parts does not stream: make it one file (llama-gguf-split --merge)",
            ));
        }
        // The header is in memory already: none is read here.
        let stream = StreamedFile::open(&model.file.path, 0, StreamOptions::default());
        let mut stream =
            stream.map_err(|error| model.file.failure(format_args!("streaming: {error}")))?;
        stream.set_budget(budget_bytes);
        if let Some(map) = model.file.contents.mapped() {
            map.keep_only(model.gguf.header_bytes().len() as u64);
        }
        Ok(Source { model, stream: Some(Contents::Streamed(stream)), ceiling: Some(ceiling), plan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_taken() {
        assert_eq!(obtainable(64 << 20, None), 64 << 20);
        assert_eq!(obtainable(64 << 20, Some(1 << 40)), 64 << 20);
        let less = obtainable(1 << 50, Some(256 << 20));
        assert!((256 << 20..300 << 20).contains(&less), "{less}");
    }
}
