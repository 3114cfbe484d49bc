//! Attention against a masked softmax in f64 over all positions, and against itself: whatever the
//! batch, the order and the number of workers, the same bits.

extern crate std;

use super::{Broken, Calls, Random, Reverse, Threads, WRONG, right_calls};
use crate::kernels::{VectorKernels, bind_vector, portable};
use crate::ops::{Attention, KvLayer, OpError, RowPosition, attend, attention_scratch_len};
use crate::port::{CpuFeatures, Parallel, Serial};
use half::f16;
use std::vec::Vec;

/// Blocks of a sequence: positions 0 to 255.
const N_BLOCK: usize = 4;
const N_SEQUENCE: usize = 2;
const N_HEAD_KV: usize = 2;
const KEY_DIM: usize = 24;
const VALUE_DIM: usize = 10;
/// The last position of a row: what lies behind it in the cache is not a number.
const LAST: usize = 199;

/// One layer's cache and a batch.
struct Case {
    attention: Attention,
    keys: Vec<u16>,
    values: Vec<u16>,
    rows: Vec<RowPosition>,
    queries: Vec<f32>,
}

/// Where a cache of heads of `dim` elements holds the vector of a position.
fn cached(at: RowPosition, head_kv: usize, dim: usize) -> core::ops::Range<usize> {
    let position = at.position as usize;
    let block = at.sequence as usize * N_BLOCK + position / 64;
    let start = ((block * N_HEAD_KV + head_kv) * 64 + position % 64) * dim;
    start..start + dim
}

impl Case {
    /// `group` query heads for each key head.
    fn new(group: usize, window: u32) -> Self {
        let attention = Attention {
            n_head: N_HEAD_KV * group,
            n_head_kv: N_HEAD_KV,
            key_dim: KEY_DIM,
            value_dim: VALUE_DIM,
            scale: 1.0 / crate::num::sqrt(KEY_DIM as f32),
            window,
        };
        let at = |sequence, position| RowPosition { sequence, position };
        // A prefill over two ends of blocks, then single rows of both sequences.
        let mut rows: Vec<_> = (40..=140).map(|position| at(0, position)).collect();
        rows.extend([0, 1, 4, 5, 62, 63, 64, 65, 127, 128, 191].map(|position| at(1, position)));
        rows.extend([at(0, LAST as u32), at(1, LAST as u32)]);

        let mut random = Random(window ^ group as u32);
        let mut cache = |dim: usize| {
            let mut cache =
                std::vec![f16::NAN.to_bits(); N_SEQUENCE * N_BLOCK * 64 * N_HEAD_KV * dim];
            for sequence in 0..N_SEQUENCE as u32 {
                for position in 0..=LAST as u32 {
                    for head_kv in 0..N_HEAD_KV {
                        for half in &mut cache[cached(at(sequence, position), head_kv, dim)] {
                            *half = f16::from_f32(random.next()).to_bits();
                        }
                    }
                }
            }
            cache
        };
        let (keys, values) = (cache(KEY_DIM), cache(VALUE_DIM));
        // Long queries: some positions weigh much more than others.
        let count = rows.len() * attention.n_head * KEY_DIM;
        let queries = (0..count).map(|_| 6.0 * random.next()).collect();
        Self { attention, keys, values, rows, queries }
    }

    /// [`attend`] for the rows `rows`.
    fn attend(
        &self,
        parallel: &dyn Parallel,
        rows: core::ops::Range<usize>,
    ) -> Result<Vec<f32>, OpError> {
        let vector: &VectorKernels =
            bind_vector(&[portable::VECTOR], CpuFeatures::default()).unwrap();
        let attention = &self.attention;
        let cache = KvLayer { keys: &self.keys, values: &self.values, n_block: N_BLOCK };
        let query_len = attention.n_head * KEY_DIM;
        let mut out = std::vec![f32::NAN; rows.len() * attention.n_head * VALUE_DIM];
        let scratch = attention_scratch_len(attention, rows.len()) * parallel.workers();
        let mut scratch = std::vec![f32::NAN; scratch];
        let queries = &self.queries[rows.start * query_len..rows.end * query_len];
        let rows = &self.rows[rows];
        attend(parallel, vector, attention, cache, rows, queries, &mut out, &mut scratch)?;
        Ok(out)
    }

    fn all(&self, parallel: &dyn Parallel) -> Result<Vec<f32>, OpError> {
        self.attend(parallel, 0..self.rows.len())
    }

    /// Softmax over all positions of the sequence, those that are not seen masked, in f64.
    fn expected(&self) -> Vec<f64> {
        let Attention { n_head, window, .. } = self.attention;
        let mut expected = Vec::new();
        for (index, query) in self.queries.chunks_exact(KEY_DIM).enumerate() {
            let at = self.rows[index / n_head];
            let head_kv = index % n_head / (n_head / N_HEAD_KV);
            let half = |bits: &u16| f16::from_bits(*bits).to_f64();
            let seen = |position: u32| {
                position <= at.position && (window == 0 || at.position - position < window)
            };
            let mut total = 0.0;
            let mut sums = [0.0; VALUE_DIM];
            for position in (0..=LAST as u32).filter(|&position| seen(position)) {
                let there = RowPosition { position, ..at };
                let key = self.keys[cached(there, head_kv, KEY_DIM)].iter().map(half);
                let score: f64 = query.iter().zip(key).map(|(&q, k)| f64::from(q) * k).sum();
                let weight = libm::exp(score / libm::sqrt(KEY_DIM as f64));
                total += weight;
                let value = self.values[cached(there, head_kv, VALUE_DIM)].iter().map(half);
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum += weight * value;
                }
            }
            expected.extend(sums.map(|sum| sum / total));
        }
        expected
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let windows = [0, 1, 5, 64, 100, 1000, u32::MAX];
    [1, 3, 4].into_iter().flat_map(move |group| windows.map(|window| Case::new(group, window)))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn attention_is_the_masked_softmax() {
    for case in cases() {
        let found = case.all(&Serial).unwrap();
        let expected = case.expected();
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            // Values are below 1 and weights sum to 1, so the error is the weights' relative one:
            // that of scores below 10 in f32, 10 * 2^-24 = 6e-7.
            let error = (f64::from(*found) - expected).abs();
            assert!(error < 1e-6, "{:?} element {index}: {error:e}", case.attention);
        }
    }
}

/// With a window of one position a row sees itself: its value, to the bit.
#[test]
fn a_window_of_one_copies_the_rows_own_value() {
    let case = Case::new(3, 1);
    let found = case.all(&Serial).unwrap();
    for (index, found) in found.chunks_exact(VALUE_DIM).enumerate() {
        let at = case.rows[index / case.attention.n_head];
        let own = &case.values[cached(at, index % case.attention.n_head / 3, VALUE_DIM)];
        let own: Vec<f32> = own.iter().map(|&half| f16::from_bits(half).to_f32()).collect();
        assert_eq!(found, own);
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
    let case = Case::new(3, 64);
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
    let mut case = Case::new(1, 0);
    case.queries.pop();
    let rows = case.rows.len();
    let vector = bind_vector(&[portable::VECTOR], CpuFeatures::default()).unwrap();
    let cache = KvLayer { keys: &case.keys, values: &case.values, n_block: N_BLOCK };
    let mut out = std::vec![0.0; rows * N_HEAD_KV * VALUE_DIM];
    let mut scratch = std::vec![0.0; attention_scratch_len(&case.attention, rows)];
    let attention = &case.attention;
    let mut attend = |queries: &[f32], out: &mut [f32]| {
        attend(&Serial, vector, attention, cache, &case.rows, queries, out, &mut scratch)
    };
    assert_eq!(attend(&case.queries, &mut out), Err(OpError::Shape));
    let queries = std::vec![0.0; case.queries.len() + 1];
    let short = out.len() - 1;
    assert_eq!(attend(&queries, &mut out[..short]), Err(OpError::Shape));
    assert_eq!(attend(&queries, &mut out), Ok(()));
}
