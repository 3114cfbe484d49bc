//! A family for tests: its blocks remember how many positions they have seen, and refuse any other
//! than the next one.

use super::block::{ATTENTION, Block, Half};
use super::error::ForwardError;
use super::family::Family;
use super::loaded::Loaded;
use super::recurrent::Recurring;
use super::state::State;
use super::tensors::Layer;

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
    for row in 0..rows {
        let at = state.positions[row];
        let own = &mut state.recurrent.of(at.sequence)[layer.recurrent_at..][..2];
        // Every position once, in order.
        if own[0] != at.position as f32 {
            return Err(ForwardError::Position(at));
        }
        own[0] += 1.0;
        own[1] = 0.5 * own[1] + state.x[row * n_embd];
        state.x[row * n_embd] += 0.1 * own[1];
    }
    (ATTENTION.run)(model, state, layer, rows)
}
