//! A causal convolution of each channel by itself, over the last positions of a sequence.
//!
//! Rows are visited in order and each sees what the rows before it have left, so that batches of
//! any size give the same bits. Taps are summed from the oldest on, for every channel alike.

use super::scan::StateColumns;
use super::{OpError, RowPosition, for_rows};
use crate::mem::{Grid, MAX_CHUNKS, Tiles};
use crate::port::Parallel;

/// Channels that a worker takes at a time, at least: a row of them fills 16 cache lines.
const TILE_CHANNELS: usize = 256;

/// The weights of a convolution.
#[derive(Clone, Copy)]
pub struct Convolution<'a> {
    /// The last tap is the row's own. `[channels, taps]`
    pub kernel: &'a [f32],
    /// `[channels]`, or empty.
    pub bias: &'a [f32],
    /// At least 2.
    pub taps: usize,
}

/// Columns of rows.
pub struct Columns<'a> {
    /// `[rows, stride]`
    pub values: &'a mut [f32],
    /// f32 from one row to the next.
    pub stride: usize,
    /// The first column.
    pub first: usize,
}

impl Convolution<'_> {
    /// Replaces the channels of each row, which are columns of `rows`, by
    /// `kernel * channel + bias`. The state has the inputs of the `taps - 1` positions before, the
    /// oldest first, tile after tile: `taps - 1` times the channels in all.
    pub fn run(
        &self,
        parallel: &dyn Parallel,
        positions: &[RowPosition],
        rows: Columns<'_>,
        state: StateColumns<'_>,
    ) -> Result<(), OpError> {
        let channels = self.kernel.len() / self.taps.max(1);
        let before = self.taps.saturating_sub(1);
        let tile = channels.div_ceil(MAX_CHUNKS).max(TILE_CHANNELS);
        let grid = Grid {
            rows: positions.len(),
            stride: rows.stride,
            first_column: rows.first,
            columns: channels,
            tile_rows: positions.len(),
            tile_columns: tile,
        };
        let rows = Tiles::new(rows.values, grid).ok_or(OpError::Shape)?;
        let state = state.tiles(before * channels, before * tile).ok_or(OpError::Shape)?;
        let each = positions.len() * tile;
        for_rows(parallel, channels.div_ceil(tile), each, &|index| {
            let mut rows = rows.tile(index)?;
            state.walk(index, positions, &mut |row, before| {
                self.row(index * tile, rows.row_mut(row), before)
            })
        })
    }

    /// One row of the channels from `first` on; `before` is `[taps - 1, row.len()]`.
    fn row(&self, first: usize, row: &mut [f32], before: &mut [f32]) -> Option<()> {
        let (taps, length) = (self.taps, row.len());
        let kernel = self.kernel.get(first * taps..(first + length) * taps)?;
        let bias = self.bias.get(first..first + length).unwrap_or(&[]);
        if before.len() != taps.checked_sub(1)? * length {
            return None;
        }
        for (channel, (x, kernel)) in row.iter_mut().zip(kernel.chunks_exact(taps)).enumerate() {
            let (&own, older) = kernel.split_last()?;
            let mut sum = 0.0;
            let mut inputs = before.iter_mut().skip(channel).step_by(length);
            // Each input moves to the place of the one before it.
            let mut place = inputs.next()?;
            for (index, tap) in older.iter().enumerate() {
                sum += tap * *place;
                if index + 1 < older.len() {
                    let next = inputs.next()?;
                    *place = *next;
                    place = next;
                }
            }
            *place = *x;
            sum += own * *x;
            *x = sum + bias.get(channel).copied().unwrap_or(0.0);
        }
        Some(())
    }
}
