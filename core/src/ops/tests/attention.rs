//! Attention against a masked softmax in f64 over all positions, and against itself: whatever the
//! batch, the order and the number of workers, the same bits.

extern crate std;

use super::{Broken, Calls, Random, Reverse, Threads, WRONG, right_calls};
use crate::kernels::{VectorKernels, bind_vector, portable};
use crate::ops::{
    Attention, BlockTable, KvLayer, OpError, RowPosition, attend, attention_scratch_len,
};
use crate::port::{CpuFeatures, Parallel, Serial};
use crate::quant::KvType;
use crate::quant::kv::mix;
use std::vec::Vec;

/// Blocks of a sequence: positions 0 to 255.
const N_BLOCK: usize = 4;
const N_SEQUENCE: usize = 2;
const N_HEAD_KV: usize = 2;
/// Where the sequences' blocks are stored: in no order.
const BLOCKS: [u32; N_SEQUENCE * N_BLOCK] = [5, 0, 7, 2, 1, 6, 3, 4];
/// The last position of a row: what lies behind it in the cache is not a number.
const LAST: usize = 199;

fn vector() -> &'static VectorKernels {
    bind_vector(&[portable::VECTOR], CpuFeatures::default()).unwrap()
}

/// One layer's keys or values.
struct Cache {
    kv_type: KvType,
    /// Elements of a head.
    dim: usize,
    bytes: Vec<u8>,
}

impl Cache {
    fn new(kv_type: KvType, dim: usize, random: &mut Random) -> Self {
        let positions = N_SEQUENCE * N_BLOCK * 64 * N_HEAD_KV;
        // Of every type such a scale, or such an element, is not a number.
        let bytes = std::vec![0xff; positions * kv_type.head_bytes(dim).unwrap()];
        let mut cache = Self { kv_type, dim, bytes };
        for sequence in 0..N_SEQUENCE as u32 {
            for position in 0..=LAST as u32 {
                for head_kv in 0..N_HEAD_KV {
                    let place = cache.place(RowPosition { sequence, position }, head_kv);
                    let head: Vec<f32> = (0..dim).map(|_| random.next()).collect();
                    vector().narrow(kv_type, &head, &mut cache.bytes[place]).unwrap();
                }
            }
        }
        cache
    }

    /// Where the head of a position is.
    fn place(&self, at: RowPosition, head_kv: usize) -> core::ops::Range<usize> {
        let position = at.position as usize;
        let block = BLOCKS[at.sequence as usize * N_BLOCK + position / 64] as usize;
        let head = (block * N_HEAD_KV + head_kv) * 64 + position % 64;
        let head_bytes = self.kv_type.head_bytes(self.dim).unwrap();
        head * head_bytes..(head + 1) * head_bytes
    }

    /// What the stored head means.
    fn head(&self, at: RowPosition, head_kv: usize) -> Vec<f32> {
        let mut head = std::vec![0.0; self.dim];
        vector().widen(self.kv_type, &self.bytes[self.place(at, head_kv)], &mut head).unwrap();
        if self.kv_type.is_mixed() {
            mix(&mut head, self.dim);
        }
        head
    }
}

/// One layer's cache and a batch.
struct Case {
    attention: Attention,
    keys: Cache,
    values: Cache,
    rows: Vec<RowPosition>,
    queries: Vec<f32>,
}

impl Case {
    /// `group` query heads for each key head.
    fn new(kv_type: KvType, group: usize, window: u32) -> Self {
        // Blocks have whole ones of 32.
        let (key_dim, value_dim) = if kv_type == KvType::F16 { (24, 10) } else { (96, 64) };
        let attention = Attention {
            n_head: N_HEAD_KV * group,
            n_head_kv: N_HEAD_KV,
            key_dim,
            value_dim,
            scale: 1.0 / crate::num::sqrt(key_dim as f32),
            window,
            ahead: 0,
            cap: 0.0,
        };
        let at = |sequence, position| RowPosition { sequence, position };
        // A prefill over two ends of blocks, then single rows of both sequences.
        let mut rows: Vec<_> = (40..=140).map(|position| at(0, position)).collect();
        rows.extend([0, 1, 4, 5, 62, 63, 64, 65, 127, 128, 191].map(|position| at(1, position)));
        rows.extend([at(0, LAST as u32), at(1, LAST as u32)]);

        let mut random = Random(window ^ group as u32);
        let keys = Cache::new(kv_type, key_dim, &mut random);
        let values = Cache::new(kv_type, value_dim, &mut random);
        // Long queries: some positions weigh much more than others.
        let count = rows.len() * attention.n_head * key_dim;
        let queries = (0..count).map(|_| 6.0 * random.next()).collect();
        Self { attention, keys, values, rows, queries }
    }

    fn layer(&self) -> KvLayer<'_> {
        KvLayer {
            kv_type: self.keys.kv_type,
            keys: &self.keys.bytes,
            values: &self.values.bytes,
            table: BlockTable { blocks: &BLOCKS, n_block: N_BLOCK },
        }
    }

    /// [`attend`] for the rows `rows`.
    fn attend(
        &self,
        parallel: &dyn Parallel,
        rows: core::ops::Range<usize>,
    ) -> Result<Vec<f32>, OpError> {
        let attention = &self.attention;
        let query_len = attention.n_head * attention.key_dim;
        let mut out = std::vec![f32::NAN; rows.len() * attention.n_head * attention.value_dim];
        let scratch = attention_scratch_len(attention, rows.len()) * parallel.workers();
        let mut scratch = std::vec![f32::NAN; scratch];
        let mut queries = self.queries[rows.start * query_len..rows.end * query_len].to_vec();
        let (queries, rows) = (&mut queries, &self.rows[rows]);
        let cache = self.layer();
        attend(parallel, vector(), attention, cache, rows, queries, &mut out, &mut scratch)?;
        Ok(out)
    }

    fn all(&self, parallel: &dyn Parallel) -> Result<Vec<f32>, OpError> {
        self.attend(parallel, 0..self.rows.len())
    }

    /// Softmax over all positions of the sequence, those that are not seen masked, in f64.
    fn expected(&self) -> Vec<f64> {
        let Attention { n_head, key_dim, value_dim, window, ahead, .. } = self.attention;
        let mut expected = Vec::new();
        for (index, query) in self.queries.chunks_exact(key_dim).enumerate() {
            let at = self.rows[index / n_head];
            let head_kv = index % n_head / (n_head / N_HEAD_KV);
            let seen = |position: u32| {
                let is_near = window == 0 || at.position.saturating_sub(position) < window;
                is_near && position <= at.position.saturating_add(ahead)
            };
            let mut total = 0.0;
            let mut sums = std::vec![0.0; value_dim];
            for position in (0..=LAST as u32).filter(|&position| seen(position)) {
                let there = RowPosition { position, ..at };
                let key = self.keys.head(there, head_kv);
                let products = query.iter().zip(key).map(|(&q, k)| f64::from(q) * f64::from(k));
                let weight = libm::exp(products.sum::<f64>() / libm::sqrt(key_dim as f64));
                total += weight;
                for (sum, value) in sums.iter_mut().zip(self.values.head(there, head_kv)) {
                    *sum += weight * f64::from(value);
                }
            }
            expected.extend(sums.iter().map(|sum| sum / total));
        }
        expected
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let windows = [0, 1, 5, 64, 100, 1000, u32::MAX];
    let floats = [1, 3, 4].into_iter().flat_map(move |group| {
        windows.into_iter().map(move |window| Case::new(KvType::F16, group, window))
    });
    let blocks = [KvType::Q8_0, KvType::Q4_0].into_iter().flat_map(|kv_type| {
        [(1, 0), (3, 5), (4, 100)].map(|(group, window)| Case::new(kv_type, group, window))
    });
    floats.chain(blocks)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Cases whose rows see positions after their own: the last one of each text is in the batch.
fn looking_ahead() -> impl Iterator<Item = Case> {
    [(0, u32::MAX), (5, 4), (1, 64), (65, 64), (300, 1)].into_iter().map(|(window, ahead)| {
        let case = Case::new(KvType::F16, 3, window);
        Case { attention: Attention { ahead, ..case.attention }, ..case }
    })
}

#[test]
fn attention_is_the_masked_softmax() {
    for case in cases().chain(looking_ahead()) {
        let found = case.all(&Serial).unwrap();
        let expected = case.expected();
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            // Values are below 1 and weights sum to 1, so the error is the weights' relative one:
            // that of scores below 10 in f32, 10 * 2^-24 = 6e-7.
            let error = (f64::from(*found) - expected).abs();
            let what = (case.keys.kv_type, case.attention);
            assert!(error < 1e-6, "{what:?} element {index}: {error:e}");
        }
    }
}

/// With a window of one position a row sees itself: its value, to the bit.
#[test]
fn a_window_of_one_copies_the_rows_own_value() {
    for kv_type in KvType::ALL {
        let case = Case::new(kv_type, 3, 1);
        let found = case.all(&Serial).unwrap();
        for (index, found) in found.chunks_exact(case.attention.value_dim).enumerate() {
            let at = case.rows[index / case.attention.n_head];
            let own = case.values.head(at, index % case.attention.n_head / 3);
            assert_eq!(found, own);
        }
    }
}

#[test]
fn batches_orders_and_workers_give_the_same_bits() {
    for case in cases() {
        let together = bits(&case.all(&Serial).unwrap());
        for batch in [1, 2, 7, 64] {
            let mut split = Vec::new();
            for start in (0..case.rows.len()).step_by(batch) {
                let end = (start + batch).min(case.rows.len());
                split.extend(bits(&case.attend(&Serial, start..end).unwrap()));
            }
            assert!(split == together, "{:?}: batches of {batch}", case.attention);
        }
        let others: [&dyn Parallel; 3] =
            [&Reverse { workers: 1 }, &Reverse { workers: 3 }, &Threads { workers: 2 }];
        for (index, parallel) in others.into_iter().enumerate() {
            let found = bits(&case.all(parallel).unwrap());
            assert!(found == together, "{:?}: pool {index}", case.attention);
        }
    }
}

#[test]
fn a_pool_that_breaks_its_contract_is_an_error() {
    let case = Case::new(KvType::F16, 3, 64);
    let verdict = |change: fn(&mut Calls)| {
        let calls = move |chunks| {
            let mut calls = right_calls(chunks);
            assert!(calls.len() > 3, "the case has several tiles");
            change(&mut calls);
            calls
        };
        case.all(&Broken { calls }).map(|_| ())
    };
    assert_eq!(verdict(|_| ()), Ok(()));
    for (index, change) in WRONG.into_iter().enumerate() {
        assert_eq!(verdict(change), Err(OpError::Parallel), "{index}");
    }
}

#[test]
fn buffers_that_do_not_belong_together_are_an_error() {
    let case = Case::new(KvType::Q8_0, 1, 0);
    let rows = case.rows.len();
    let mut out = std::vec![0.0; rows * N_HEAD_KV * case.attention.value_dim];
    let mut scratch = std::vec![0.0; attention_scratch_len(&case.attention, rows)];
    let attention = &case.attention;
    let mut attend = |attention: &Attention, queries: &[f32], out: &mut [f32]| {
        let queries = &mut queries.to_vec();
        let cache = case.layer();
        attend(&Serial, vector(), attention, cache, &case.rows, queries, out, &mut scratch)
    };
    let queries = &case.queries[..];
    assert_eq!(attend(attention, &queries[1..], &mut out), Err(OpError::Shape));
    let short = out.len() - 1;
    assert_eq!(attend(attention, queries, &mut out[..short]), Err(OpError::Shape));
    // Heads that are not whole blocks: half as long, and twice as many.
    let halves = Attention { n_head: 2 * N_HEAD_KV, key_dim: 48, value_dim: 32, ..*attention };
    assert_eq!(attend(&halves, queries, &mut out), Err(OpError::Shape));
    assert_eq!(attend(attention, queries, &mut out), Ok(()));
}
