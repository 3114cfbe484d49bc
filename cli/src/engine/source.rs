//! The weights of a model, mapped or streamed, and the engine that is loaded from them.

use super::model_file::{Contents, Model};
use super::plan::Plan;
use super::text::{LEAST_TEXT_BYTES, MAX_TEXT_BYTES};
use crate::platform::map::{MappedFile, Memory};
use crate::platform::memory;
use crate::platform::stream::StreamPlan;
use crate::report::{Bytes, Failure, Progress};
use picolm_core::mem::Arena;
#[cfg(feature = "serve")]
use picolm_core::model::ModelError;
use picolm_core::port::streaming::Ceiling;
use picolm_core::session::Session;
#[cfg(feature = "serve")]
use picolm_core::session::{Engine, Sequence};

/// The weights of a model, and the plan of the engine that reads them.
pub(crate) struct Source<'f> {
    pub(crate) model: &'f Model<'f>,
    /// The file once more, if the weights stream below a ceiling.
    pub(crate) stream: Option<Contents>,
    /// `None` if the program may take as much memory as it likes.
    pub(crate) ceiling: Option<Ceiling>,
    pub(crate) plan: Plan,
}

impl Source<'_> {
    /// The file that the weights are read from.
    pub(crate) fn contents(&self) -> &Contents {
        self.stream.as_ref().unwrap_or(&self.model.file.contents)
    }

    /// Keeps those experts in memory that were used most, if not all are: to be called before the
    /// engine is loaded. `[n_layer, n_expert]`
    pub(crate) fn keep_most_used(&mut self, counts: &[u64]) {
        if let Some(Contents::Streamed(stream)) = &mut self.stream {
            stream.set_uses(counts.to_vec());
        }
    }

    /// Bytes of weights that a token reads from the disk, if its router uses all experts alike.
    pub(crate) fn streamed_bytes(&self, plan: &StreamPlan) -> u64 {
        let config = self.model.layout.config();
        let share = f64::from(config.n_expert_used) / f64::from(config.n_expert.max(1));
        plan.streamed_bytes + (plan.streamed_expert_bytes as f64 * share) as u64
    }

    /// Loads the engine into `memory`, which the plan has reserved.
    pub(crate) fn session<'m>(&'m self, memory: &'m mut Memory) -> Result<Session<'m>, Failure> {
        let Model { layout, machine, .. } = self.model;
        let (weights, options) = (self.contents().weights(), &self.plan.needs.options);
        let mut arena = Arena::new(memory.as_mut_slice());
        Session::new(layout, weights, &machine.pool, options, &mut arena)
            .map_err(|error| self.model.failure(error))
    }

    /// Loads the engine and its texts into `memory`, which the plan has reserved.
    #[cfg(feature = "serve")]
    pub(crate) fn engine<'m>(
        &'m self,
        memory: &'m mut Memory,
    ) -> Result<(Engine<'m>, Vec<Sequence<'m>>), Failure> {
        let Model { layout, machine, .. } = self.model;
        let options = self.plan.model_options(self.model);
        let mut arena = Arena::new(memory.as_mut_slice());
        let weights = self.contents().weights();
        let mut load = || -> Result<_, ModelError> {
            let engine = Engine::new(layout, weights, &machine.pool, &options, &mut arena)?;
            let texts = (0..options.sequences)
                .map(|sequence| Sequence::take(sequence, options.context, &mut arena))
                .collect::<Result<_, _>>()?;
            Ok((engine, texts))
        };
        load().map_err(|error| self.model.failure(error))
    }

    /// Longest text that can be tokenized.
    pub(crate) fn text_bytes(&self) -> u64 {
        let mapped_bytes = self.contents().maps().map(|map| map.bytes().len() as u64).sum();
        let below = self.ceiling.map_or(u64::MAX, |ceiling| ceiling.text_bytes(mapped_bytes));
        below.clamp(LEAST_TEXT_BYTES, MAX_TEXT_BYTES)
    }

    /// Longest line of a chat. By then everything else is in memory.
    pub(crate) fn line_bytes(&self) -> u64 {
        match self.contents().is_mapped() {
            true => self.text_bytes(),
            false => LEAST_TEXT_BYTES.min(self.text_bytes()),
        }
    }

    /// Brings the whole model into memory and keeps it there. Of weights that stream only a part
    /// can be.
    pub(crate) fn lock(&self, quiet: bool) -> Result<(), Failure> {
        if !self.contents().is_mapped() {
            return Err(Failure::new(
                "--lock: the model does not fit in the memory that it may take, so most of it is \
                 read again and again: leave --lock out, or give more by --ram",
            ));
        }
        let bytes: usize = self.contents().maps().map(|map| map.bytes().len()).sum();
        let mut progress = Progress::new("lock", bytes >> 20, quiet);
        let mut before = 0;
        let mut lock = |map: &MappedFile| {
            let locked = map.lock(&mut |done| progress.update((before + done) >> 20));
            before += map.bytes().len();
            locked
        };
        self.contents().maps().try_for_each(&mut lock).map_err(|error| {
            let needed = bytes.div_ceil(1024);
            Failure::new(format!(
                "--lock: {error}: allow {needed} KiB of locked memory (ulimit -l {needed}, \
                 LimitMEMLOCK or CAP_IPC_LOCK), or leave --lock out"
            ))
        })
    }

    /// Memory planned and taken, and how the weights are held. To be called at the end: what is
    /// given back before is less than what is taken later, so the last number is the peak.
    pub(crate) fn memory_line(&self) -> String {
        let private = match memory::private_bytes() {
            Some(bytes) => format!("private peak {}", Bytes(bytes)),
            None => "private peak unknown".to_owned(),
        };
        let streamed = self.contents().streamed().and_then(|stream| Some((stream.plan()?, stream)));
        let Some((weights, stream)) = streamed else {
            let total = Bytes(self.plan.total_bytes());
            let file = Bytes(self.model.file.file_bytes());
            return format!("planned {total}, {private} (and the model file, {file}, mapped)");
        };
        let ceiling = Bytes(self.ceiling.map_or(0, |ceiling| ceiling.bytes));
        let (pinned, streamed) =
            (Bytes(weights.pinned_bytes), Bytes(self.streamed_bytes(&weights)));
        let swap = if stream.lock_was_refused() && memory::swap_is_on() {
            "; the system may swap the pinned ones out: raise its limit of locked memory \
             (ulimit -l)"
        } else {
            ""
        };
        format!(
            "planned {ceiling}, {private} (of the weights {pinned} pinned, {streamed} streamed a \
             token{swap})"
        )
    }
}
