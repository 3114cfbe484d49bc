//! `picolm logits`: the scores of the token after given ones, for comparison with other engines.
//!
//! Output: 32-bit floats, little-endian, `[n_vocab]` for the last id, or `[ids, n_vocab]` with
//! `--all`. The ids are evaluated as they are: nothing is added.

use super::{Outcome, write};
use crate::args::Logits;
use crate::ceiling;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan};
use crate::report::Failure;
use core::ops::ControlFlow;
use picolm_core::session::DEFAULT_CONTEXT;

/// Positions whose scores are held at a time: 4 MB for a vocabulary of 128,000.
const ROWS: u32 = 8;

pub(super) fn logits(arguments: &Logits) -> Result<Outcome, Failure> {
    let Logits { engine, tokens, all } = arguments;
    let machine = Machine::new(engine.threads)?;
    let file = ModelFile::open(&engine.model)?;
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, engine.skipped)?;
    let mut options = engine.options(if *all { ROWS } else { 1 });
    // The default context grows with the number of ids.
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    if engine.context == 0 && count > DEFAULT_CONTEXT {
        options.context = count;
    }
    let plan = Plan::new(&model, Needs { options, ..Needs::default() })?;
    let source = ceiling::open(&model, plan, engine.ram)?;
    let mut memory = source.plan.reserve()?;
    let mut session = source.session(&mut memory)?;
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
    .map_err(Failure::new)?;
    written.map(|_| Outcome::Done)
}
