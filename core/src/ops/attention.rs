//! Grouped-query attention over the KV cache, with online softmax.
//!
//! Keys are visited in blocks of 64 absolute positions, aligned at 0 (the blocking of Dao et al.
//! 2022, arXiv 2205.14135; the running maximum of Milakov and Gimelshein 2018, arXiv 1805.02867).
//! What a row computes depends on its own position and the cache alone: not on the batch that it
//! came in, nor on the rows and heads that share its tile. The batch's own keys and values are
//! read back from the cache like all others. Of a cache that stores heads mixed
//! ([`crate::quant::kv`]), queries are mixed before and sums of values after.
//!
//! Scores and the sum of exponentials reduce in 16 lanes. The weighted sum of values adds
//! positions in ascending order to each element of the head: vectors lie along the head, so the
//! order is the same at every vector width without a tree.

use super::OpError;
use super::elements::{combine, multiply};
use super::rows::{for_rows, run};
use super::soft_cap;
use crate::kernels::{VectorKernels, prefetch_stored};
use crate::mem::{Disjoint, Grid, MAX_CHUNKS, Scratch, Tile, Tiles};
use crate::num::LANES;
use crate::port::Parallel;
use crate::quant::{KvType, kv};

/// Positions of a key block.
pub const BLOCK_POSITIONS: usize = 64;

/// (Row, head) pairs that a tile aims at: their scores (64 * 64 * 4 = 16 KiB) and sums stay in L1
/// while each key block, converted once, serves them all.
const TILE_QUERIES: usize = 64;

/// What attention needs to know of a model.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Query heads: a multiple of `n_head_kv`.
    pub n_head: usize,
    /// Key and value heads.
    pub n_head_kv: usize,
    /// Elements of a query or key head.
    pub key_dim: usize,
    /// Elements of a value head.
    pub value_dim: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// What scores approach ([`super::soft_cap`]); 0 where they are left as they are.
    pub cap: f32,
    /// Positions that a row sees, itself included and what lies ahead not; 0 for all.
    pub window: u32,
    /// Positions after its own that a row sees, as far as its text goes; 0 where attention is
    /// causal. All of a text is in one batch if this is not 0.
    pub ahead: u32,
}

/// One layer's keys and values, as they are stored.
#[derive(Clone, Copy)]
pub struct KvLayer<'a> {
    /// How.
    pub kv_type: KvType,
    /// `[blocks, n_head_kv, 64, bytes of key_dim elements]`
    pub keys: &'a [u8],
    /// `[blocks, n_head_kv, 64, bytes of value_dim elements]`
    pub values: &'a [u8],
    /// Where the blocks of each sequence are among these.
    pub table: BlockTable<'a>,
}

/// Where each sequence's blocks of 64 positions are stored. Sequences that begin alike can share
/// blocks (after vLLM's paged attention, Kwon et al. 2023, arXiv 2309.06180).
#[derive(Clone, Copy, Debug)]
pub struct BlockTable<'a> {
    /// Stored block of each block of positions. `[n_sequence, n_block]`
    pub blocks: &'a [u32],
    /// Blocks of a sequence.
    pub n_block: usize,
}

impl BlockTable<'_> {
    /// The stored block that holds positions `64 * block ..` of a sequence; `None` where there is
    /// no such sequence or block.
    #[inline]
    pub fn stored(&self, sequence: u32, block: usize) -> Option<usize> {
        if block >= self.n_block {
            return None;
        }
        self.blocks.get(sequence as usize * self.n_block + block).map(|&stored| stored as usize)
    }
}

crate::mem::stored! {
    /// Where a row of the batch stands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RowPosition {
        /// Its sequence.
        pub sequence: u32,
        /// Its position in the sequence, from 0.
        pub position: u32,
    }
}

impl Attention {
    /// The positions that a row sees of a text whose last one in the batch is `last`.
    fn seen(&self, row: RowPosition, last: u32) -> core::ops::Range<usize> {
        let end = row.position as usize + 1;
        let from = if self.window == 0 { 0 } else { end.saturating_sub(self.window as usize) };
        from..end + self.ahead.min(last.saturating_sub(row.position)) as usize
    }

    /// Query heads per key head.
    const fn group(&self) -> usize {
        self.n_head / self.n_head_kv
    }
}

/// Rows of the batch in a tile.
pub const fn row_tile(attention: &Attention, batch: usize) -> usize {
    let wanted = TILE_QUERIES.div_ceil(attention.group());
    // All tiles of a run must be countable, and `Tiles` knows MAX_CHUNKS of them: that many divided
    // by the key heads may stand below each other.
    let down = MAX_CHUNKS / attention.n_head_kv;
    let least = batch.div_ceil(if down == 0 { 1 } else { down });
    let tile = if wanted > least { wanted } else { least };
    if tile > batch { batch } else { tile }
}

/// Scratch of one worker, in f32.
pub const fn attention_scratch_len(attention: &Attention, batch: usize) -> usize {
    let wide = if attention.key_dim > attention.value_dim {
        attention.key_dim
    } else {
        attention.value_dim
    };
    let queries = row_tile(attention, batch) * attention.group();
    BLOCK_POSITIONS * wide + queries * (BLOCK_POSITIONS + attention.value_dim + 3)
}

/// `out[t] = softmax(scale * q[t] . keys) . values` for every row and head; `queries` is
/// `[rows, n_head, key_dim]` and is left mixed where the cache is, `out`
/// `[rows, n_head, value_dim]`, and `scratch` has [`attention_scratch_len`] for each worker.
#[allow(clippy::too_many_arguments)]
pub fn attend(
    parallel: &dyn Parallel,
    vector: &VectorKernels,
    attention: &Attention,
    cache: KvLayer<'_>,
    rows: &[RowPosition],
    queries: &mut [f32],
    out: &mut [f32],
    scratch: &mut [f32],
) -> Result<(), OpError> {
    let stride = attention.n_head * attention.value_dim;
    let query_len = attention.n_head * attention.key_dim;
    if queries.len() != rows.len() * query_len {
        return Err(OpError::Shape);
    }
    if cache.kv_type.is_mixed() {
        let queries = Disjoint::new(queries, query_len);
        for_rows(parallel, rows.len(), query_len, &|row| {
            kv::mix(queries.chunk(row)?, attention.key_dim);
            Some(())
        })?;
    }
    let queries = &*queries;
    let stored_bytes = |dim| cache.kv_type.head_bytes(dim).ok_or(OpError::Shape);
    let (key_bytes, value_bytes) =
        (stored_bytes(attention.key_dim)?, stored_bytes(attention.value_dim)?);
    let grid = Grid {
        rows: rows.len(),
        stride,
        first_column: 0,
        columns: stride,
        tile_rows: row_tile(attention, rows.len()).max(1),
        tile_columns: attention.group() * attention.value_dim,
    };
    let tiles = Tiles::new(out, grid).ok_or(OpError::Shape)?;
    let scratch = Scratch::new(scratch, parallel.workers());
    run(parallel, tiles.tiles(), &|worker, chunk| {
        let tile = tiles.tile(chunk)?;
        let mut memory = scratch.borrow(worker.0)?;
        let first = tile.first_row();
        let job = TileJob {
            vector,
            attention,
            cache,
            key_bytes,
            value_bytes,
            head_kv: chunk % attention.n_head_kv,
            rows: rows.get(first..first + tile.rows())?,
            batch: rows,
            queries: queries.get(first * query_len..)?,
        };
        job.run(tile, &mut memory)
    })?;
    if tiles.complete() { Ok(()) } else { Err(OpError::Parallel) }
}

/// Multiplies `scores` by `scale` and returns the highest of them and of `before`; a NaN is never
/// the highest.
///
/// In 16 lanes: one maximum after the other would wait for an instruction's latency each time. The
/// highest is the same in every order, but for the sign of a 0, and no exponential depends on that.
fn scaled_highest(scores: &mut [f32], scale: f32, before: f32) -> f32 {
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [before; LANES];
    let (whole, rest) = scores.as_chunks_mut::<LANES>();
    for scores in whole {
        for (lane, score) in lanes.iter_mut().zip(scores) {
            *score *= scale;
            *lane = higher(*lane, *score);
        }
    }
    for (lane, score) in lanes.iter_mut().zip(rest) {
        *score *= scale;
        *lane = higher(*lane, *score);
    }
    lanes.into_iter().fold(before, higher)
}

/// `stored` in `count` pieces: what is needed next is asked for a piece at a time, so that memory
/// brings it while this block is computed.
fn pieces(stored: Option<&[u8]>, count: usize) -> core::slice::Chunks<'_, u8> {
    let stored = stored.unwrap_or(&[]);
    stored.chunks(stored.len().div_ceil(count.max(1)).max(1))
}

/// One key head and the query heads of its group, for some rows.
struct TileJob<'a> {
    vector: &'a VectorKernels,
    attention: &'a Attention,
    cache: KvLayer<'a>,
    /// Bytes of a stored key.
    key_bytes: usize,
    /// Bytes of a stored value.
    value_bytes: usize,
    head_kv: usize,
    rows: &'a [RowPosition],
    /// All of the batch.
    batch: &'a [RowPosition],
    /// From the first of `rows` on. `[rows, n_head, key_dim]`
    queries: &'a [f32],
}

/// The positions of a key block that some row of a tile sees.
#[derive(Clone, Copy)]
struct SeenBlock {
    sequence: u32,
    /// The block.
    index: usize,
    /// Positions from the block's start on, at most 64.
    positions: usize,
    /// Last position of the text in the batch.
    last: u32,
}

impl SeenBlock {
    /// The part of `seen` that lies in the block, relative to the block's start.
    fn part_of(self, seen: core::ops::Range<usize>) -> core::ops::Range<usize> {
        let start = self.index * BLOCK_POSITIONS;
        let [from, to] = [seen.start, seen.end].map(|at| at.saturating_sub(start));
        from.min(BLOCK_POSITIONS)..to.min(BLOCK_POSITIONS).max(from.min(BLOCK_POSITIONS))
    }
}

/// Running softmax of every (row, head) of a tile.
struct Running<'s> {
    /// Highest score so far. `[rows, group]`
    highest: &'s mut [f32],
    /// Sum of exponentials relative to `highest`. `[rows, group]`
    total: &'s mut [f32],
    /// What the sums so far are multiplied by in this block. `[rows, group]`
    fade: &'s mut [f32],
    /// Exponentials of this block. `[rows, group, 64]`
    weights: &'s mut [f32],
    /// Weighted values so far. `[rows, group, value_dim]`
    sums: &'s mut [f32],
}

impl TileJob<'_> {
    /// `None` where buffers are too small, which [`attention_scratch_len`] excludes.
    fn run(&self, mut tile: Tile<'_>, memory: &mut [f32]) -> Option<()> {
        let Attention { key_dim, value_dim, .. } = *self.attention;
        let queries = self.rows.len() * self.attention.group();
        let (block, memory) =
            memory.split_at_mut_checked(BLOCK_POSITIONS * key_dim.max(value_dim))?;
        let (highest, memory) = memory.split_at_mut_checked(queries)?;
        let (total, memory) = memory.split_at_mut_checked(queries)?;
        let (fade, memory) = memory.split_at_mut_checked(queries)?;
        let (weights, memory) = memory.split_at_mut_checked(queries * BLOCK_POSITIONS)?;
        let sums = memory.get_mut(..queries * value_dim)?;
        highest.fill(f32::NEG_INFINITY);
        total.fill(0.0);
        sums.fill(0.0);
        let mut running = Running { highest, total, fade, weights, sums };
        let mut start = 0;
        // Rows of different sequences have different keys: a tile is done sequence by sequence.
        while let Some(first) = self.rows.get(start) {
            let same = self.rows[start..].iter().take_while(|r| r.sequence == first.sequence);
            let run = start..start + same.count();
            let last = self.last_of(first.sequence);
            let seen = self.rows[run.clone()].iter().map(|row| self.attention.seen(*row, last));
            let seen_from = seen.clone().map(|seen| seen.start).min()?;
            let seen_to = seen.map(|seen| seen.end).max()?;
            let last_block = (seen_to - 1) / BLOCK_POSITIONS;
            let part = |index: usize| {
                let positions = (seen_to - index * BLOCK_POSITIONS).min(BLOCK_POSITIONS);
                SeenBlock { sequence: first.sequence, index, positions, last }
            };
            for index in seen_from / BLOCK_POSITIONS..=last_block {
                let next = (index < last_block).then(|| part(index + 1));
                self.score(part(index), run.clone(), block, &mut running)?;
                self.weigh(part(index), next, run.clone(), block, &mut running)?;
            }
            start = run.end;
        }
        let sums = running.sums.chunks_exact(self.attention.group() * value_dim);
        let totals = running.total.chunks_exact(self.attention.group());
        for (row, (sums, totals)) in sums.zip(totals).enumerate() {
            let out = tile.row_mut(row).chunks_exact_mut(value_dim);
            for ((out, sums), total) in out.zip(sums.chunks_exact(value_dim)).zip(totals) {
                combine(out, sums, |_, sum| sum / total);
            }
            if self.cache.kv_type.is_mixed() {
                kv::mix(tile.row_mut(row), value_dim);
            }
        }
        Some(())
    }

    /// Last position of a sequence in the batch; of no matter where no row looks ahead.
    fn last_of(&self, sequence: u32) -> u32 {
        if self.attention.ahead == 0 {
            return 0;
        }
        let own = self.batch.iter().filter(|row| row.sequence == sequence);
        own.map(|row| row.position).max().unwrap_or(0)
    }

    /// A part of `cache`, whose heads have `bytes` bytes; `None` where it has no such part.
    fn stored<'c>(&self, cache: &'c [u8], part: SeenBlock, bytes: usize) -> Option<&'c [u8]> {
        let block = self.cache.table.stored(part.sequence, part.index)?;
        let start = (block * self.attention.n_head_kv + self.head_kv) * BLOCK_POSITIONS * bytes;
        cache.get(start..start + part.positions * bytes)
    }

    /// Keys or values of a part, of `dim` elements each, widened to f32.
    fn load<'b>(
        &self,
        stored: Option<&[u8]>,
        part: SeenBlock,
        dim: usize,
        block: &'b mut [f32],
    ) -> Option<&'b [f32]> {
        let block = block.get_mut(..part.positions * dim)?;
        self.vector.widen(self.cache.kv_type, stored?, block).ok()?;
        Some(block)
    }

    /// Scores of a block, their exponentials, and the running maximum and total. Meanwhile memory
    /// brings the block's values.
    fn score(
        &self,
        part: SeenBlock,
        rows: core::ops::Range<usize>,
        block: &mut [f32],
        running: &mut Running<'_>,
    ) -> Option<()> {
        let Attention { n_head, key_dim, mut scale, cap, .. } = *self.attention;
        let group = self.attention.group();
        let values = self.stored(self.cache.values, part, self.value_bytes);
        let mut ahead = pieces(values, rows.len() * group);
        let keys = self.stored(self.cache.keys, part, self.key_bytes);
        let keys = self.load(keys, part, key_dim, block)?;
        for row in rows {
            let seen = part.part_of(self.attention.seen(*self.rows.get(row)?, part.last));
            if seen.is_empty() {
                continue;
            }
            let keys = keys.get(seen.start * key_dim..seen.end * key_dim)?;
            for head in 0..group {
                let query = (row * n_head + self.head_kv * group + head) * key_dim;
                let query = self.queries.get(query..query + key_dim)?;
                let state = row * group + head;
                let weights = running.weights.get_mut(state * BLOCK_POSITIONS..)?;
                let weights = weights.get_mut(..seen.len())?;
                prefetch_stored(ahead.next().unwrap_or(&[]));
                self.vector.dots(query, keys, weights).ok()?;
                if cap != 0.0 {
                    multiply(weights, self.attention.scale);
                    soft_cap(self.vector, weights, cap);
                    scale = 1.0;
                }
                let highest = scaled_highest(weights, scale, *running.highest.get(state)?);
                let fade = crate::num::exp(running.highest[state] - highest);
                running.fade[state] = fade;
                running.highest[state] = highest;
                running.total[state] =
                    running.total[state] * fade + self.vector.exp_sum(weights, highest);
            }
        }
        Some(())
    }

    /// Adds the values of a block, weighted by what [`Self::score`] left. Meanwhile memory brings
    /// the keys of the block that is `next`.
    fn weigh(
        &self,
        part: SeenBlock,
        next: Option<SeenBlock>,
        rows: core::ops::Range<usize>,
        block: &mut [f32],
        running: &mut Running<'_>,
    ) -> Option<()> {
        let value_dim = self.attention.value_dim;
        let group = self.attention.group();
        let next = next.and_then(|next| self.stored(self.cache.keys, next, self.key_bytes));
        let mut ahead = pieces(next, rows.len() * group);
        let values = self.stored(self.cache.values, part, self.value_bytes);
        let values = self.load(values, part, value_dim, block)?;
        for row in rows {
            let seen = part.part_of(self.attention.seen(*self.rows.get(row)?, part.last));
            if seen.is_empty() {
                continue;
            }
            let values = values.get(seen.start * value_dim..seen.end * value_dim)?;
            for state in row * group..(row + 1) * group {
                let weights = running.weights.get(state * BLOCK_POSITIONS..)?;
                let sums = running.sums.get_mut(state * value_dim..(state + 1) * value_dim)?;
                let fade = *running.fade.get(state)?;
                prefetch_stored(ahead.next().unwrap_or(&[]));
                multiply(sums, fade);
                self.vector.accumulate(weights.get(..seen.len())?, values, sums).ok()?;
            }
        }
        Some(())
    }
}
