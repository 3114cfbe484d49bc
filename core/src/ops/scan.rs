//! State that heads carry from row to row.
//!
//! A head's rows are visited in order by one worker, and heads do not see each other: neither
//! batches nor workers change a bit.

use super::{OpError, RowPosition, for_rows};
use crate::mem::{Disjoint, Grid, Tiles};
use crate::port::Parallel;

/// What a block remembers in every sequence: columns of a matrix of all states.
pub struct StateColumns<'a> {
    /// `[sequences, stride]`
    pub values: &'a mut [f32],
    /// f32 of a sequence's state.
    pub stride: usize,
    /// The block's first.
    pub first: usize,
    /// What is kept of a row in the middle of the batch.
    pub kept: Option<Kept<'a>>,
}

/// Where the state goes that a row leaves.
pub struct Kept<'a> {
    /// The row.
    pub row: usize,
    /// Which of the copies its sequence's state becomes.
    pub copy: usize,
    /// `[copies, stride]`, with the columns of the states
    pub copies: &'a mut [f32],
}

impl<'a> StateColumns<'a> {
    /// Tiles of the first `columns` columns, each of `tile_columns` of every sequence.
    pub(super) fn tiles(self, columns: usize, tile_columns: usize) -> Option<StateTiles<'a>> {
        let tiles = |values: &'a mut [f32]| {
            let rows = values.len().checked_div(self.stride)?;
            let grid = Grid {
                rows,
                stride: self.stride,
                first_column: self.first,
                columns,
                tile_rows: rows,
                tile_columns,
            };
            Tiles::new(values, grid)
        };
        let kept = match self.kept {
            Some(Kept { row, copy, copies }) => Some((row, copy, tiles(copies)?)),
            None => None,
        };
        Some(StateTiles { values: tiles(self.values)?, kept })
    }
}

/// [`StateColumns`] for the workers of one job.
pub(super) struct StateTiles<'a> {
    values: Tiles<'a>,
    /// The row, the copy, and the tiles of all copies.
    kept: Option<(usize, usize, Tiles<'a>)>,
}

impl StateTiles<'_> {
    /// Calls `step(row, state)` for each row in order, with tile `index` of its sequence's state.
    pub(super) fn walk(
        &self,
        index: usize,
        positions: &[RowPosition],
        step: &mut dyn FnMut(usize, &mut [f32]) -> Option<()>,
    ) -> Option<()> {
        let mut values = self.values.tile(index)?;
        for (row, at) in positions.iter().enumerate() {
            let state = values.row_mut(at.sequence as usize);
            step(row, state)?;
            if let Some((last, copy, copies)) = &self.kept
                && *last == row
            {
                // Empty where there is no such copy.
                let mut copies = copies.tile(index)?;
                copies.row_mut(*copy).get_mut(..state.len())?.copy_from_slice(state);
            }
        }
        Some(())
    }
}

/// What a head does with a row.
pub struct Step<'s> {
    /// The head's part of the sequence's state. `[state_len]`
    pub state: &'s mut [f32],
    /// The head's part of the row of outputs. `[head_len]`
    pub out: &'s mut [f32],
    /// Of the head for the time of the step. `[head_len]`
    pub spare: &'s mut [f32],
}

/// Runs `step(head, row, ..)` for each of `heads` heads and, in order, each row. `out` is
/// `[rows, heads, head_len]`, `spare` `[heads, head_len]`, and `state` begins with
/// `[heads, state_len]`.
pub fn scan(
    parallel: &dyn Parallel,
    positions: &[RowPosition],
    (heads, state_len): (usize, usize),
    state: StateColumns<'_>,
    [out, spare]: [&mut [f32]; 2],
    step: &(dyn Fn(usize, usize, Step<'_>) -> Option<()> + Sync),
) -> Result<(), OpError> {
    let rows = positions.len();
    let columns = out.len().checked_div(rows).ok_or(OpError::Shape)?;
    let head_len = columns.checked_div(heads).ok_or(OpError::Shape)?;
    let grid = Grid {
        rows,
        stride: columns,
        first_column: 0,
        columns,
        tile_rows: rows,
        tile_columns: head_len,
    };
    let out = Tiles::new(out, grid).ok_or(OpError::Shape)?;
    let spare = Disjoint::new(spare, head_len);
    let state = state.tiles(heads * state_len, state_len).ok_or(OpError::Shape)?;
    for_rows(parallel, heads, rows * state_len, &|head| {
        let mut out = out.tile(head)?;
        let spare = spare.chunk(head)?;
        state.walk(head, positions, &mut |row, state| {
            step(head, row, Step { state, out: out.row_mut(row), spare: &mut *spare })
        })
    })
}
