//! One answer: the same bits for every batch, thread count, stripe length and source.

use crate::engine::{Fixture, Setting, all_logits, architectures, weight_types, with_session};
use core::cell::{Cell, RefCell};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use picolm_core::kernels::portable;
use picolm_core::port::Need::{Always, Maybe};
use picolm_core::port::{
    FlashWeights, Lease, Parallel, ReadError, Serial, Stripe, Weights, Worker,
};
use picolm_core::session::Options;

/// Scoped threads that take chunks as they come: slow, but an order unlike any other each time.
struct Threads(usize);

impl Parallel for Threads {
    fn workers(&self) -> usize {
        self.0
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for worker in 0..self.0 {
                let next = &next;
                scope.spawn(move || {
                    loop {
                        let chunk = next.fetch_add(1, Ordering::Relaxed);
                        if chunk >= chunks {
                            break;
                        }
                        // Descending: no result may depend on the order.
                        job(Worker(worker), chunks - 1 - chunk);
                    }
                });
            }
        });
    }
}

/// A source that streams: short stripes, and bytes that are gone once the lease is over. Checks
/// that it is asked in the order of its schedule.
struct Streamed<'f> {
    file: FlashWeights<'f>,
    stripe_bytes: u64,
    schedule: RefCell<Vec<Stripe>>,
    next: Cell<usize>,
    wanted: RefCell<Vec<bool>>,
}

impl Weights for Streamed<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    fn stripe_bytes(&self) -> u64 {
        self.stripe_bytes
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        assert!(self.schedule.borrow().is_empty(), "scheduled twice");
        *self.schedule.borrow_mut() = stripes.to_vec();
        *self.wanted.borrow_mut() = stripes.iter().map(|stripe| stripe.need == Always).collect();
        Ok(())
    }

    fn want(&self, indices: Range<usize>) {
        self.wanted.borrow_mut()[indices].fill(true);
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        let schedule = self.schedule.borrow();
        assert_eq!(schedule.get(index), Some(stripe), "not what was scheduled");
        let from = self.next.get();
        let passed_over = if index >= from { &schedule[from..index] } else { &schedule[from..] };
        let unread = passed_over.iter().any(|s| s.need == Always);
        assert!(!unread, "stripe {index} was leased before one that every pass reads");
        assert!(self.wanted.borrow()[index], "stripe {index} was leased but never wanted");
        if schedule[index].need == Maybe {
            self.wanted.borrow_mut()[index] = false;
        }
        self.next.set(index + 1);
        self.file.lease(index, stripe)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read(offset, into)
    }
}

/// Text long enough for several key blocks and batches.
fn long_text(fixture: &Fixture) -> Vec<u32> {
    let tokens = fixture.tokens();
    (0..150).map(|index| tokens[(index * 7 + index / 24) % tokens.len()]).collect()
}

fn logits(
    fixture: &Fixture,
    weights: &dyn Weights,
    batch: u32,
    parallel: &dyn Parallel,
) -> Vec<f32> {
    let stripe_bytes = weights.stripe_bytes();
    let options =
        Options { context: 256, batch, logit_rows: batch, stripe_bytes, ..Options::default() };
    let setting = Setting { formats: portable::ALL, options, parallel };
    with_session(fixture, weights, &setting, |session| all_logits(session, &long_text(fixture)))
}

fn assert_same(name: &str, what: &str, ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len());
    let differs = ours.iter().zip(reference).position(|(a, b)| a.to_bits() != b.to_bits());
    assert_eq!(differs, None, "{name}: {what} changes the bits");
}

fn every_way_is_one(fixture: &Fixture) {
    let flash = FlashWeights::new(&fixture.file);
    let reference = logits(fixture, &flash, 1, &Serial);
    assert!(reference.iter().all(|logit| logit.is_finite()), "{}", fixture.name);
    for batch in [7, 64] {
        let ours = logits(fixture, &flash, batch, &Serial);
        assert_same(&fixture.name, &format!("a batch of {batch}"), &ours, &reference);
    }
    for threads in [2, 3] {
        let ours = logits(fixture, &flash, 64, &Threads(threads));
        assert_same(&fixture.name, &format!("{threads} threads"), &ours, &reference);
    }
    for stripe_bytes in [1, 3000, 65_536] {
        let streamed = Streamed {
            file: flash,
            stripe_bytes,
            schedule: RefCell::default(),
            next: Cell::new(0),
            wanted: RefCell::default(),
        };
        let ours = logits(fixture, &streamed, 64, &Serial);
        assert_same(&fixture.name, &format!("stripes of {stripe_bytes}"), &ours, &reference);
    }
}

#[test]
fn every_architecture_is_one() {
    architectures().iter().for_each(every_way_is_one);
}

#[test]
fn every_weight_type_is_one() {
    weight_types().iter().for_each(every_way_is_one);
}

/// Keys and values are read back from the cache inside the batch that made them: were they not, a
/// token in one batch with its predecessors would see f32 keys, and one that comes later f16 ones.
#[test]
fn a_batch_reads_its_own_keys_back_from_the_cache() {
    for fixture in architectures() {
        let flash = FlashWeights::new(&fixture.file);
        let options = Options { context: 256, ..Options::default() };
        let setting = Setting { formats: portable::ALL, options, parallel: &Serial };
        let text = long_text(&fixture);
        let (before, last) = text.split_at(40);
        let together = with_session(&fixture, &flash, &setting, |session| {
            session.prefill(&text[..41], &mut |_| true).unwrap();
            session.logits().to_vec()
        });
        let apart = with_session(&fixture, &flash, &setting, |session| {
            session.prefill(before, &mut |_| true).unwrap();
            session.decode(last[0]).unwrap();
            session.logits().to_vec()
        });
        assert_same(&fixture.name, "decoding after prefill", &apart, &together);
    }
}

/// Going back and forward again gives what going there at once gives.
#[test]
fn rewinding_leaves_no_trace() {
    for fixture in architectures() {
        let flash = FlashWeights::new(&fixture.file);
        let options = Options { context: 256, ..Options::default() };
        let setting = Setting { formats: portable::ALL, options, parallel: &Serial };
        let text = long_text(&fixture);
        let (straight, detour) = with_session(&fixture, &flash, &setting, |session| {
            session.prefill(&text[..70], &mut |_| true).unwrap();
            let straight = session.logits().to_vec();
            session.prefill(&text[70..140], &mut |_| true).unwrap();
            session.rewind(10);
            assert_eq!(session.position(), 10);
            session.prefill(&text[10..70], &mut |_| true).unwrap();
            (straight, session.logits().to_vec())
        });
        assert_same(&fixture.name, "rewinding", &detour, &straight);
    }
}
