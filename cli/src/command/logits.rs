//! `picolm logits`: the scores of the token after given ones, for comparison with other engines.
//!
//! Output: 32-bit floats, little-endian, `[n_vocab]` for the last id, or `[ids, n_vocab]` with
//! `--all`. The ids are evaluated as they are: nothing is added.

use super::{Outcome, write};
use crate::args::Logits;
use crate::ceiling;
use crate::engine::{Machine, ModelFile, Plan};
use crate::report::Failure;
use core::ops::ControlFlow;
use picolm_core::gguf::Gguf;
use picolm_core::mem::Arena;
use picolm_core::session::{DEFAULT_CONTEXT, Options};

/// Positions whose scores are held at a time: 4 MB for a vocabulary of 128,000 are 8 rows.
const ROWS: u32 = 8;

pub(super) fn logits(arguments: &Logits) -> Result<Outcome, Failure> {
    let Logits { tokens, all, .. } = arguments;
    let machine = Machine::new(arguments.threads)?;
    // More ids than the default context holds ask for a longer one.
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let context =
        if arguments.context == 0 && count > DEFAULT_CONTEXT { count } else { arguments.context };
    let logit_rows = if *all { ROWS } else { 1 };
    let Logits { kv_type, skipped, .. } = *arguments;
    let options = Options { context, kv_type, logit_rows, skipped, ..Options::default() };
    let plain = |plan: Plan, _: &ModelFile, _: &Gguf<'_>| Ok(plan);
    let file = ceiling::open(&arguments.model, arguments.ram, &machine, options, &plain)?;
    let gguf = file.gguf()?;
    let plan = Plan::new(&file, &gguf, &machine, options)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let mut session = plan.session(&file, &gguf, &machine, &mut arena)?;
    let mut written = Ok(ControlFlow::Continue(()));
    let mut on_logits = |_: usize, row: &[f32]| {
        if matches!(written, Ok(ControlFlow::Continue(()))) {
            let bytes: Vec<u8> = row.iter().flat_map(|score| score.to_le_bytes()).collect();
            written = write(&bytes);
        }
    };
    if *all {
        session.prefill_scored(tokens, &mut on_logits)
    } else {
        session
            .prefill(tokens, &mut |_| true)
            .map(|()| on_logits(tokens.len() - 1, session.logits()))
    }
    .map_err(|error| Failure::new(error.to_string()))?;
    written.map(|_| Outcome::Done)
}
