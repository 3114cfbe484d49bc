//! Parts of one buffer for the workers of one job, which cannot overlap.
//!
//! The [`crate::port::Parallel`] that runs a job is someone else's code. Should it run a chunk
//! twice, or two chunks with one worker at a time, it must get an error and not two writers: a bit
//! for each chunk remembers that it was handed out.
// Unsafe: splits one exclusive borrow into parts by index, across threads.
#![allow(unsafe_code)]

use super::atomic;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

/// Most chunks that one job may have: 1024 bits of bookkeeping are 128 bytes of stack.
pub const MAX_CHUNKS: usize = 1024;

/// Most workers that a [`Scratch`] serves: one bit each in a word.
pub const MAX_WORKERS: usize = 32;

/// One bit per chunk, set when the chunk was handed out.
struct Once([AtomicU32; MAX_CHUNKS / 32]);

impl Once {
    const fn new() -> Self {
        Self([const { AtomicU32::new(0) }; MAX_CHUNKS / 32])
    }

    /// True for the first caller with this `index`, false for every other and beyond the end.
    fn claim(&self, index: usize) -> bool {
        let Some(word) = self.0.get(index / 32) else { return false };
        let bit = 1 << (index % 32);
        atomic::set(word, bit, Ordering::Relaxed) & bit == 0
    }

    /// Whether each of the first `count` was claimed. `claim` is for the owner to keep below that.
    fn all(&self, count: usize) -> bool {
        if count > MAX_CHUNKS {
            return false;
        }
        let full = self.0.iter().take(count / 32).all(|word| word.load(Ordering::Relaxed) == !0);
        let rest = (1 << (count % 32)) - 1;
        let last = self.0.get(count / 32).map_or(0, |word| word.load(Ordering::Relaxed));
        full && last & rest == rest
    }
}

/// A slice cut into chunks of equal length (the last may be shorter), each handed out once.
pub struct Disjoint<'a, T> {
    start: *mut T,
    length: usize,
    chunk_length: usize,
    taken: Once,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: through a shared `Disjoint` a thread can only get `&mut` chunks that no one else has
// (`Once::claim`, exact wherever there are threads: see `atomic`), which is sending `&mut T`; that
// needs `T: Send`.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    /// Cuts `slice` into chunks of `chunk_length` (at least 1) values.
    pub fn new(slice: &'a mut [T], chunk_length: usize) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            length: slice.len(),
            chunk_length: chunk_length.max(1),
            taken: Once::new(),
            borrow: PhantomData,
        }
    }

    /// Number of chunks.
    pub const fn chunks(&self) -> usize {
        self.length.div_ceil(self.chunk_length)
    }

    /// Chunk `index`; `None` if it was handed out before, does not exist, or is beyond
    /// [`MAX_CHUNKS`].
    #[allow(clippy::mut_from_ref)]
    pub fn chunk(&self, index: usize) -> Option<&mut [T]> {
        if index >= self.chunks() || !self.taken.claim(index) {
            return None;
        }
        let start = index * self.chunk_length;
        let length = self.chunk_length.min(self.length - start);
        // SAFETY: `index < chunks()`, so `start + length <= self.length`; chunks of different
        // index do not overlap and `claim` was true, so this is the only borrow of this one.
        Some(unsafe { core::slice::from_raw_parts_mut(self.start.add(start), length) })
    }

    /// Whether every chunk was handed out: what a `Parallel` that keeps its promise has done.
    pub fn complete(&self) -> bool {
        self.taken.all(self.chunks())
    }
}

/// How a matrix is cut into [`Tiles`].
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Rows of the matrix: the batch.
    pub rows: usize,
    /// Values from one row's start to the next one's.
    pub stride: usize,
    /// First column that is cut; those before it stay as they are.
    pub first_column: usize,
    /// Columns that are cut.
    pub columns: usize,
    /// Rows of a tile, at least 1; fewer in the last row of tiles.
    pub tile_rows: usize,
    /// Columns of a tile, at least 1; fewer in the last column of tiles.
    pub tile_columns: usize,
}

/// A [`Grid`] whose columns come in bands: a tile never lies in two of them. Divided once, because
/// a division takes as long as a dozen other instructions and each tile asks for several.
#[derive(Clone, Copy, Debug)]
struct Bands {
    grid: Grid,
    /// Columns of a band, at least 1; fewer in the last.
    band_columns: usize,
    /// Tiles across a whole band.
    tiles_in_band: usize,
    tiles_across: usize,
    /// All tiles.
    tiles: usize,
}

impl Bands {
    /// `grid` cut into bands; `None` where a tile or band would be empty.
    fn new(grid: Grid, band_columns: usize) -> Option<Self> {
        let Grid { rows, columns, tile_rows, tile_columns, .. } = grid;
        if tile_rows == 0 || tile_columns == 0 || band_columns == 0 {
            return None;
        }
        let tiles_in_band = band_columns.div_ceil(tile_columns);
        let last_band = (columns % band_columns).div_ceil(tile_columns);
        let tiles_across = (columns / band_columns).checked_mul(tiles_in_band)? + last_band;
        let tiles = rows.div_ceil(tile_rows).checked_mul(tiles_across)?;
        Some(Self { grid, band_columns, tiles_in_band, tiles_across, tiles })
    }

    /// First column of a row's tile `across`, relative to the first that is cut, and how many
    /// columns the tile has.
    const fn columns_of(&self, across: usize) -> (usize, usize) {
        let (band, within) = (across / self.tiles_in_band, across % self.tiles_in_band);
        let (band, within) = (band * self.band_columns, within * self.grid.tile_columns);
        let in_band = least(self.grid.columns - band, self.band_columns);
        (band + within, least(in_band - within, self.grid.tile_columns))
    }
}

const fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// A row-major matrix cut into tiles, each handed out once.
///
/// Matmul splits the weight's rows, which are the output's columns, among the workers; attention
/// splits rows of the batch and groups of heads. Columns may come in bands, for a weight that lies
/// in several pieces: bands tile the columns and tiles their band, so tiles do not overlap.
pub struct Tiles<'a> {
    start: *mut f32,
    bands: Bands,
    taken: Once,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: as for `Disjoint`: `Once::claim` makes each tile one thread's, and f32 is Send.
unsafe impl Sync for Tiles<'_> {}

impl<'a> Tiles<'a> {
    /// Tiles of `matrix` (`[grid.rows, grid.stride]`); `None` where the columns do not lie within
    /// the stride, the rows within the slice, or a tile would be empty.
    pub fn new(matrix: &'a mut [f32], grid: Grid) -> Option<Self> {
        Self::in_bands(matrix, grid, grid.columns.max(1))
    }

    /// As [`Self::new`], but a tile ends where a band of `band_columns` (at least 1) ends.
    pub fn in_bands(matrix: &'a mut [f32], grid: Grid, band_columns: usize) -> Option<Self> {
        let end = grid.first_column.checked_add(grid.columns)?;
        let fits = end <= grid.stride && grid.rows.checked_mul(grid.stride)? <= matrix.len();
        let bands = Bands::new(grid, band_columns)?;
        let start = matrix.as_mut_ptr();
        fits.then(|| Self { start, bands, taken: Once::new(), borrow: PhantomData })
    }

    /// Number of tiles; tile `index` is in row `index / across`, the tiles of a row ascending.
    pub const fn tiles(&self) -> usize {
        self.bands.tiles
    }

    /// Tile `index`; `None` if it was handed out before, does not exist, or is beyond
    /// [`MAX_CHUNKS`].
    pub fn tile(&self, index: usize) -> Option<Tile<'_>> {
        if index >= self.tiles() || !self.taken.claim(index) {
            return None;
        }
        let Grid { rows, stride, tile_rows, .. } = self.bands.grid;
        let across = self.bands.tiles_across;
        let first_row = index / across * tile_rows;
        let (column, columns) = self.bands.columns_of(index % across);
        let first_column = self.bands.grid.first_column + column;
        let start = first_row * stride + first_column;
        Some(Tile {
            // SAFETY: `index < tiles()`, so `first_row < rows` and the tile's columns lie within
            // those that are cut, which lie within the stride (checked by `in_bands`): `start` is
            // an index into the matrix.
            start: unsafe { self.start.add(start) },
            first_row,
            rows: tile_rows.min(rows - first_row),
            stride,
            first_column,
            columns,
            borrow: PhantomData,
        })
    }

    /// Whether every tile was handed out.
    pub fn complete(&self) -> bool {
        self.taken.all(self.tiles())
    }
}

/// Some columns of some rows of a matrix: one worker's output.
pub struct Tile<'t> {
    start: *mut f32,
    first_row: usize,
    rows: usize,
    stride: usize,
    first_column: usize,
    columns: usize,
    borrow: PhantomData<&'t mut [f32]>,
}

impl Tile<'_> {
    /// The matrix's row that is this tile's row 0.
    pub const fn first_row(&self) -> usize {
        self.first_row
    }

    /// Rows of this tile.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The matrix's column that is this tile's column 0.
    pub const fn first_column(&self) -> usize {
        self.first_column
    }

    /// Columns of this tile.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// This tile's part of its row `row`; empty beyond the last row.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        if row >= self.rows {
            return &mut [];
        }
        // SAFETY: `row < rows`, the tile's columns lie within the stride (checked by
        // `Tiles::in_bands`), and no other tile has these values; `&mut self` excludes a second
        // borrow of this one.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.columns) }
    }
}

/// One piece of scratch memory for each worker, borrowed while a chunk runs.
pub struct Scratch<'a, T> {
    start: *mut T,
    each: usize,
    workers: usize,
    busy: AtomicU32,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: the `busy` bit gives each piece to one guard at a time, whatever thread holds it.
unsafe impl<T: Send> Sync for Scratch<'_, T> {}

impl<'a, T> Scratch<'a, T> {
    /// Cuts `slice` into `workers` (1 to [`MAX_WORKERS`]) pieces of equal length.
    pub fn new(slice: &'a mut [T], workers: usize) -> Self {
        let workers = workers.clamp(1, MAX_WORKERS);
        Self {
            start: slice.as_mut_ptr(),
            each: slice.len() / workers,
            workers,
            busy: AtomicU32::new(0),
            borrow: PhantomData,
        }
    }

    /// The piece of `worker`; `None` while it is borrowed, or for a worker that does not exist.
    pub fn borrow(&self, worker: usize) -> Option<ScratchGuard<'_, T>> {
        if worker >= self.workers {
            return None;
        }
        let bit = 1 << worker;
        if atomic::set(&self.busy, bit, Ordering::Acquire) & bit != 0 {
            return None;
        }
        // SAFETY: `worker < workers`, so the piece's start lies within the slice.
        let start = unsafe { self.start.add(worker * self.each) };
        Some(ScratchGuard { start, each: self.each, busy: &self.busy, bit, borrow: PhantomData })
    }
}

/// A worker's scratch memory; given back when dropped.
///
/// It holds a pointer rather than a borrow: dropping it hands the piece to the next before the
/// guard itself is gone, and a borrow must not outlive that moment.
pub struct ScratchGuard<'s, T> {
    start: *mut T,
    each: usize,
    busy: &'s AtomicU32,
    bit: u32,
    borrow: PhantomData<&'s mut [T]>,
}

impl<T> Deref for ScratchGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the worker's piece of the slice (checked by `borrow`), this guard's alone as
        // long as the busy bit is set, which is until it is dropped.
        unsafe { core::slice::from_raw_parts(self.start, self.each) }
    }
}

impl<T> DerefMut for ScratchGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` excludes a second borrow of this piece.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.each) }
    }
}

impl<T> Drop for ScratchGuard<'_, T> {
    fn drop(&mut self) {
        atomic::clear(self.busy, self.bit, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_handed_out_once() {
        let mut numbers = [0; 10];
        let parts = Disjoint::new(&mut numbers, 4);
        assert_eq!(parts.chunks(), 3);
        parts.chunk(2).unwrap().fill(7);
        assert!(parts.chunk(2).is_none());
        assert!(parts.chunk(3).is_none());
        assert!(!parts.complete());
        assert_eq!(parts.chunk(0).unwrap().len(), 4);
        assert_eq!(parts.chunk(1).unwrap().len(), 4);
        assert!(parts.complete());
        assert_eq!(numbers, [0, 0, 0, 0, 0, 0, 0, 0, 7, 7]);
    }

    #[test]
    fn complete_is_every_chunk_and_no_more_than_can_be_counted() {
        for chunks in [0, 1, 31, 32, 33, 64, MAX_CHUNKS - 1, MAX_CHUNKS, MAX_CHUNKS + 1] {
            let mut numbers = [0u8; MAX_CHUNKS + 1];
            let parts = Disjoint::new(&mut numbers[..chunks], 1);
            for index in (0..chunks).rev() {
                assert!(!parts.complete(), "{chunks} {index}");
                assert_eq!(parts.chunk(index).is_some(), index < MAX_CHUNKS);
            }
            assert_eq!(parts.complete(), chunks <= MAX_CHUNKS, "{chunks}");
        }
    }

    #[test]
    fn tiles_cover_their_columns_of_every_row() {
        let mut matrix = [0.0; 12];
        let grid =
            Grid { rows: 2, stride: 6, first_column: 1, columns: 4, tile_rows: 2, tile_columns: 3 };
        let tiles = Tiles::new(&mut matrix, grid).unwrap();
        assert_eq!(tiles.tiles(), 2);
        for index in 0..2 {
            let mut tile = tiles.tile(index).unwrap();
            assert!(tiles.tile(index).is_none());
            for row in 0..tile.rows() {
                tile.row_mut(row).fill((10 * row + index + 1) as f32);
            }
            assert!(tile.row_mut(2).is_empty());
        }
        assert!(tiles.complete());
        assert_eq!(matrix, [0., 1., 1., 1., 2., 0., 0., 11., 11., 11., 12., 0.]);
        assert!(Tiles::new(&mut matrix, Grid { first_column: 3, ..grid }).is_none());
        assert!(Tiles::new(&mut matrix, Grid { rows: 3, ..grid }).is_none());
        assert!(Tiles::new(&mut matrix, Grid { tile_rows: 0, ..grid }).is_none());
        assert!(Tiles::in_bands(&mut matrix, grid, 0).is_none());
        let tiles =
            Tiles::new(&mut matrix, Grid { tile_rows: 1, tile_columns: 2, ..grid }).unwrap();
        assert_eq!(tiles.tiles(), 4);
        let mut last = tiles.tile(3).unwrap();
        assert_eq!((last.first_row(), last.rows(), last.columns()), (1, 1, 2));
        assert_eq!(last.row_mut(0), [11., 12.]);
    }

    #[test]
    fn tiles_end_with_their_band() {
        for (columns, band_columns, tile_columns) in
            [(10, 4, 3), (10, 4, 4), (10, 5, 7), (10, 16, 3), (10, 1, 1), (9, 3, 2), (0, 3, 2)]
        {
            let mut matrix = [0.0; 24];
            let grid =
                Grid { rows: 2, stride: 12, first_column: 1, columns, tile_rows: 1, tile_columns };
            let tiles = Tiles::in_bands(&mut matrix, grid, band_columns).unwrap();
            for index in 0..tiles.tiles() {
                let mut tile = tiles.tile(index).unwrap();
                assert!((1..=tile_columns).contains(&tile.columns()));
                let first = tile.first_column() - 1;
                assert_eq!(first / band_columns, (first + tile.columns() - 1) / band_columns);
                tile.row_mut(0).iter_mut().for_each(|value| *value += 1.0);
            }
            assert!(tiles.complete() && tiles.tile(tiles.tiles()).is_none());
            for (index, &value) in matrix.iter().enumerate() {
                let cut = (1..=columns).contains(&(index % 12));
                assert_eq!(value, f32::from(u8::from(cut)), "{grid:?} {index}");
            }
        }
    }

    #[test]
    fn scratch_is_one_workers_at_a_time() {
        let mut memory = [0u8; 8];
        let scratch = Scratch::new(&mut memory, 2);
        let first = scratch.borrow(0).unwrap();
        assert!(scratch.borrow(0).is_none());
        assert!(scratch.borrow(1).is_some());
        assert!(scratch.borrow(2).is_none());
        drop(first);
        assert!(scratch.borrow(0).is_some());
    }
}
