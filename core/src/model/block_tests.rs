//! A family for tests: its blocks remember how many positions they have seen, and refuse any other
//! than the next one.

use super::block::{ATTENTION, Block, Half};
use super::error::ForwardError;
use super::family::Family;
use super::loaded::Loaded;
use super::recurrent::Recurring;
use super::state::State;
use super::tensors::Layer;
use crate::ops::{self, Step};

/// Llama with state that cannot go back.
pub(crate) static REMEMBERING: Family = Family {
    architecture: "llama",
    block: Block { mixers: &[&COUNTED], ..Block::LLAMA },
    ..Family::PLAIN
};

/// Attention of blocks that count positions, and whose outputs depend on what they have counted.
static COUNTED: Half = Half { recurrent: Some(&PAIR), run, ..ATTENTION };

/// Positions seen, and a sum over them.
static PAIR: Recurring = Recurring::new(|_| 2);

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let n_embd = model.config.n_embd as usize;
    let State { x, y, recurrent, positions, .. } = &mut *state;
    let positions = &positions[..rows];
    let own = recurrent.columns(layer.recurrent_at);
    let out = [&mut x[..rows * n_embd], &mut y[..n_embd]];
    ops::scan(model.parallel, positions, (1, 2), own, out, &|_, row, Step { state, out, .. }| {
        // Every position once, in order.
        if state[0] != positions[row].position as f32 {
            return None;
        }
        state[0] += 1.0;
        state[1] = 0.5 * state[1] + out[0];
        out[0] += 0.1 * state[1];
        Some(())
    })?;
    (ATTENTION.run)(model, state, layer, rows)
}
