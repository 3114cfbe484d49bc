//! How much memory the program may take, and what follows: the model file mapped whole, or a part
//! of it pinned and the rest streamed.
//!
//! The ceiling is on everything that the kernel charges to the process: the program's own file and
//! its page tables, the mapped file's page cache, and all that is private. What is left when
//! everything else has its part goes to pinned weights.

use crate::args::{Ram, Run};
use crate::engine::{Machine, ModelFile, Plan};
use crate::platform::memory;
use crate::platform::stream::{StreamOptions, StreamedFile};
use crate::report::{self, Bytes, Failure, Progress};
use picolm_core::gguf::Gguf;
use picolm_core::model::Traffic;
use picolm_core::port::Parallel;
use picolm_core::session::Options;
use std::path::Path;

/// Rows of a prefill pass that are weighed against each other where weights stream: each pass
/// streams once, and each row takes some 36 KB of a 1B model's memory, which all passes have to
/// stream instead.
const BATCHES: [u32; 6] = [32, 48, 64, 96, 128, 192];

/// They are weighed by the bytes streamed for a prompt and an answer of so many tokens each.
const WEIGHED_TOKENS: u32 = 256;

/// Small reads of a streamed file, its mappings' last pages, and the padding of its header.
const SMALL_BYTES: u64 = 64 << 10;

/// What the program may take, and what it takes beside the engine's plan, weights and buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceiling {
    pub(crate) bytes: u64,
    /// The process: program, heap, stacks, page tables.
    pub(crate) process_bytes: u64,
    /// The model file's header: metadata, vocabulary, list of tensors.
    pub(crate) header_bytes: u64,
    /// Rows of a prefill pass; 0 for the engine's choice.
    pub(crate) batch: u32,
}

/// Most bytes of memory that making tokens of a byte of text takes, while it lasts: the text, its
/// ids and the scratch of a word that is all of it; 17.5 were measured.
const BYTES_PER_TEXT_BYTE: u64 = 24;

/// Bytes of text that any ceiling has room for: as much scratch as tokenizing begins with.
pub(crate) const LEAST_TEXT_BYTES: u64 = 64 << 10;

impl Ceiling {
    /// Longest text that can be made tokens of below the ceiling, before the first pass, where
    /// `mapped_bytes` of the model file may be in memory and nothing is pinned yet.
    pub(crate) fn text_bytes(&self, mapped_bytes: u64) -> u64 {
        let others = [self.process_bytes, self.header_bytes, mapped_bytes];
        let left = others.iter().fold(self.bytes, |left, &more| left.saturating_sub(more));
        (left / BYTES_PER_TEXT_BYTE).max(LEAST_TEXT_BYTES)
    }
}

/// The sizes that a ceiling is divided by.
struct Needs {
    plan_bytes: u64,
    header_bytes: u64,
    /// Threads, the source's own included.
    threads: usize,
    /// Slots and what is known of the stripes.
    buffer_bytes: u64,
    /// Weights that a pass reads.
    pass_bytes: u64,
    batch: u32,
}

impl Needs {
    /// Of a file whose weights stream, in batches of `batch` rows.
    fn streamed(gguf: &Gguf<'_>, plan: &Plan, machine: &Machine, batch: u32) -> Self {
        let (mut weights_bytes, mut row_bytes) = (0u64, 0u64);
        for tensor in gguf.tensors() {
            weights_bytes = weights_bytes.saturating_add(tensor.bytes);
            let rows = tensor.elements() / tensor.dimensions[0].max(1);
            row_bytes = row_bytes.max(tensor.bytes / rows.max(1));
        }
        let traffic = Traffic::of(gguf, &plan.config, plan.kv_type());
        Self {
            plan_bytes: plan.total_bytes(),
            header_bytes: gguf.header_bytes().len() as u64 + SMALL_BYTES,
            threads: machine.pool.workers() + 1,
            buffer_bytes: StreamOptions::default().least_bytes(weights_bytes, row_bytes),
            pass_bytes: traffic.map_or(weights_bytes, |traffic| traffic.weights_bytes),
            batch,
        }
    }

    fn ceiling(&self, bytes: u64) -> Ceiling {
        let process_bytes = memory::process_bytes(self.threads, bytes);
        Ceiling { bytes, process_bytes, header_bytes: self.header_bytes, batch: self.batch }
    }

    /// What `ceiling` leaves for pinned weights and buffers.
    fn budget(&self, ceiling: &Ceiling) -> Option<u64> {
        let others = [self.plan_bytes, ceiling.process_bytes, ceiling.header_bytes];
        let budget = others.iter().try_fold(ceiling.bytes, |left, &more| left.checked_sub(more))?;
        (budget >= self.buffer_bytes).then_some(budget)
    }

    /// Bytes that a prompt and an answer stream below a ceiling; `None` where there is no room.
    fn streamed_bytes(&self, bytes: u64) -> Option<u64> {
        let pinned = self.budget(&self.ceiling(bytes))? - self.buffer_bytes;
        let passes = WEIGHED_TOKENS.div_ceil(self.batch.max(1)) + WEIGHED_TOKENS;
        // Not less than a byte: of those that stream nothing the first one is taken.
        let streamed = self.pass_bytes.saturating_sub(pinned).max(1);
        Some(streamed.saturating_mul(u64::from(passes)))
    }

    /// The least that would do, in MiB.
    fn least_mib(&self) -> u64 {
        let fixed = [self.plan_bytes, self.header_bytes, self.buffer_bytes];
        let fixed = fixed.iter().fold(0, |sum: u64, &more| sum.saturating_add(more));
        // A larger ceiling has larger page tables: two rounds are enough for 1/512.
        let with_process =
            |bytes: u64| fixed.saturating_add(memory::process_bytes(self.threads, bytes));
        with_process(with_process(fixed)).div_ceil(1 << 20)
    }
}

/// Adds what a command needs beside the engine: a tokenizer, a sampler.
pub(crate) type Complete<'c> = dyn Fn(Plan, &ModelFile, &Gguf<'_>) -> Result<Plan, Failure> + 'c;

/// Opens the model file as `ram` allows, for an engine of these `options` and what `complete` adds
/// to its plan. Nothing is read but the header.
pub(crate) fn open(
    path: &Path,
    ram: Ram,
    machine: &Machine,
    options: Options,
    complete: &Complete<'_>,
) -> Result<ModelFile, Failure> {
    let file = ModelFile::open(path)?;
    let available = memory::available_bytes();
    let bytes = match ram {
        Ram::Bytes(bytes) => Some(obtainable(bytes, available)),
        Ram::Auto | Ram::Unasked => available,
    };
    let Some(bytes) = bytes.map(addressable) else {
        return match ram {
            Ram::Auto => Err(Failure::new("--ram auto: not known here: name a size")),
            _ => Ok(file),
        };
    };
    let gguf = file.gguf()?;
    let plan = |options: Options, stripe_bytes: u64| {
        let plan = Plan::of(&file, &gguf, machine, options, stripe_bytes)?;
        complete(plan, &file, &gguf)
    };
    // What is wrong with the model is for the command to say.
    let Ok(mapped) = plan(options, u64::MAX) else { return Ok(file) };
    let process_bytes = memory::process_bytes(machine.pool.workers() + 1, bytes);
    let mapped_bytes = mapped.total_bytes().saturating_add(file.weights().file_bytes());
    if file.mapped().is_some() && mapped_bytes.saturating_add(process_bytes) <= bytes {
        let ceiling = Ceiling { bytes, process_bytes, header_bytes: 0, batch: 0 };
        return Ok(if ram == Ram::Unasked { file } else { file.within(ceiling) });
    }
    let stream = StreamOptions::default();
    let needs = |batch: u32| {
        let plan = plan(Options { batch, ..options }, stream.stripe_bytes)?;
        Ok::<_, Failure>(Needs::streamed(&gguf, &plan, machine, batch))
    };
    let batches = BATCHES.iter().filter(|&&batch| batch >= options.logit_rows);
    let weighed: Vec<Needs> = batches.map(|&batch| needs(batch)).collect::<Result<_, _>>()?;
    let needs = weighed
        .into_iter()
        .min_by_key(|needs| needs.streamed_bytes(bytes).unwrap_or(u64::MAX))
        .ok_or_else(|| Failure::new("--ram: no batch is small enough"))?;
    let ceiling = needs.ceiling(bytes);
    let Some(budget) = needs.budget(&ceiling) else {
        return match ram {
            // As well as mapping can.
            Ram::Unasked => Ok(file),
            _ => Err(too_little(bytes, &needs)),
        };
    };
    if let Ram::Bytes(asked) = ram
        && bytes < asked - asked / 16
    {
        let (asked, bytes) = (Bytes(asked), Bytes(bytes));
        report::line(format_args!("picolm: --ram: of {asked} only {bytes} are available"));
    }
    let header_bytes = gguf.header_bytes().len() as u64;
    // Pages of a mapping stay in the page cache, charged to this process.
    drop(file);
    match StreamedFile::open(path, header_bytes, stream) {
        Ok(mut source) => {
            source.set_budget(budget);
            Ok(ModelFile::streamed(path, source).within(ceiling))
        }
        Err(_) if ram == Ram::Unasked => ModelFile::open(path),
        Err(error) => Err(crate::engine::about(path, format_args!("streaming: {error}"))),
    }
}

/// What there is of the `asked` bytes: pinned memory that is not there makes the kernel end a
/// process, this one or another. What this process has taken by now is a part of its own ceiling.
fn obtainable(asked: u64, available: Option<u64>) -> u64 {
    let own = memory::private_bytes().unwrap_or(0);
    available.map_or(asked, |available| asked.min(available.saturating_add(own)))
}

fn too_little(bytes: u64, needs: &Needs) -> Failure {
    let least = needs.least_mib();
    Failure::new(format!(
        "--ram: {} are too little: at least --ram {least}M is needed (less with a smaller context, \
         -c)",
        Bytes(bytes)
    ))
}

/// Brings the whole model into memory and keeps it there, if that was asked for. Streamed weights
/// are locked as they are pinned.
pub(crate) fn lock(file: &ModelFile, arguments: &Run) -> Result<(), Failure> {
    let Some(map) = file.mapped().filter(|_| cfg!(feature = "lock") && arguments.lock) else {
        return Ok(());
    };
    let bytes = map.bytes().len();
    let mut progress = Progress::new("lock", bytes >> 20, arguments.quiet);
    map.lock(&mut |done| progress.update(done >> 20)).map_err(|error| {
        let needed = bytes.div_ceil(1024);
        Failure::new(format!(
            "--lock: {error}: allow {needed} KiB of locked memory (ulimit -l {needed}, \
             LimitMEMLOCK or CAP_IPC_LOCK), or leave --lock out"
        ))
    })
}

/// Planned and actual memory, and how the weights are held. Nothing that is private is given back
/// before the end, so what there is by then was the most.
pub(crate) fn memory_line(file: &ModelFile, plan: &Plan) -> String {
    let private = match memory::private_bytes() {
        Some(bytes) => format!("private peak {}", Bytes(bytes)),
        None => "private peak unknown".to_owned(),
    };
    let streamed = file.stream().and_then(|stream| Some((stream.plan()?, stream)));
    let Some((weights, stream)) = streamed else {
        let (total, file) = (Bytes(plan.total_bytes()), Bytes(file.weights().file_bytes()));
        return format!("planned {total}, {private} (and the model file, {file}, mapped)");
    };
    let ceiling = Bytes(file.ceiling().map_or(0, |ceiling| ceiling.bytes));
    let (pinned, streamed) = (Bytes(weights.pinned_bytes), Bytes(weights.streamed_bytes));
    let swap = if stream.lock_was_refused() && memory::swap_is_on() {
        "; the system may swap the pinned ones out: raise its limit of locked memory (ulimit -l)"
    } else {
        ""
    };
    format!(
        "planned {ceiling}, {private} (of the weights {pinned} pinned, {streamed} streamed a \
         token{swap})"
    )
}

/// As much of `bytes` as a program finds addresses for: with 32 bits it has 2 to 4 GB of them, in
/// pieces.
fn addressable(bytes: u64) -> u64 {
    if usize::BITS < 64 { bytes.min(3 << 29) } else { bytes }
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

    #[test]
    fn text_has_what_is_not_taken_yet() {
        let ceiling = |bytes| Ceiling { bytes, process_bytes: 3000, header_bytes: 2000, batch: 0 };
        assert_eq!(ceiling(5000 + (24 << 20)).text_bytes(0), 1 << 20);
        assert_eq!(ceiling(5000 + (48 << 20)).text_bytes(24 << 20), 1 << 20);
        assert_eq!(ceiling(100).text_bytes(u64::MAX), LEAST_TEXT_BYTES);
    }
}
