//! One answer: the same bits for every batch, thread count, stripe length and source.

use crate::engine::{
    Fixture, Setting, all_logits, architectures, build, fits, is_recurrent, weight_types,
    with_session,
};
use core::cell::{Cell, RefCell};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use picolm_core::kernels::portable;
use picolm_core::mem::MemoryPlan;
use picolm_core::model::{LayerSet, Layout, ModelError};
use picolm_core::port::Need::Always;
use picolm_core::port::{
    FlashWeights, Lease, Parallel, ReadError, Release, Serial, Stripe, Weights, Worker,
};
use picolm_core::quant::KvType;
use picolm_core::session::{Options, Session};

/// Scoped threads that take chunks as they come: slow, but an order unlike any other each time.
pub(crate) struct Threads(pub(crate) usize);

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

/// A pool that counts its jobs. It has two workers but no threads.
struct Counting {
    jobs: AtomicUsize,
}

impl Parallel for Counting {
    fn workers(&self) -> usize {
        2
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        (0..chunks).rev().for_each(|chunk| job(Worker(chunk % 2), chunk));
    }
}

/// A source that streams: short stripes, and bytes that are gone once the lease is over. Checks
/// that it is asked in the order of its schedule, and for no more at a time than it has.
struct Streamed<'f> {
    file: FlashWeights<'f>,
    stripe_bytes: u64,
    leases: usize,
    held: Cell<usize>,
    most_held: Cell<usize>,
    schedule: RefCell<Vec<Stripe>>,
    next: Cell<usize>,
    wanted: RefCell<Vec<bool>>,
}

impl<'f> Streamed<'f> {
    fn new(file: FlashWeights<'f>, stripe_bytes: u64, leases: usize) -> Self {
        Self {
            file,
            stripe_bytes,
            leases,
            held: Cell::new(0),
            most_held: Cell::new(0),
            schedule: RefCell::default(),
            next: Cell::new(0),
            wanted: RefCell::default(),
        }
    }
}

impl Release for Streamed<'_> {
    fn release(&self, _slot: usize) {
        self.held.set(self.held.get() - 1);
    }
}

impl Weights for Streamed<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    fn stripe_bytes(&self) -> u64 {
        self.stripe_bytes
    }

    fn leases(&self) -> usize {
        self.leases
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
        if schedule[index].need != Always {
            self.wanted.borrow_mut()[index] = false;
        }
        self.next.set(index + 1);
        self.held.set(self.held.get() + 1);
        self.most_held.set(self.most_held.get().max(self.held.get()));
        assert!(self.held.get() <= self.leases, "more leases than the source has");
        let bytes = self.file.range(stripe.offset, stripe.bytes)?;
        Ok(Lease::buffered(bytes, self, index))
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read(offset, into)
    }
}

/// Text long enough for several key blocks and batches.
pub(crate) fn long_text(fixture: &Fixture) -> Vec<u32> {
    let tokens = fixture.tokens();
    (0..150).map(|index| tokens[(index * 7 + index / 24) % tokens.len()]).collect()
}

fn logits(
    fixture: &Fixture,
    weights: &dyn Weights,
    kv_type: KvType,
    batch: u32,
    parallel: &dyn Parallel,
) -> Vec<f32> {
    let stripe_bytes = weights.stripe_bytes();
    let options = Options {
        context: 256,
        kv_type,
        batch,
        logit_rows: batch,
        stripe_bytes,
        ..Options::default()
    };
    let setting = Setting { options, parallel, ..Setting::PLAIN };
    with_session(fixture, weights, &setting, |session| all_logits(session, &long_text(fixture)))
}

fn assert_same(name: &str, what: &str, ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len());
    let differs = ours.iter().zip(reference).position(|(a, b)| a.to_bits() != b.to_bits());
    assert_eq!(differs, None, "{name}: {what} changes the bits");
}

/// Batches and threads: the logits that all of them give.
fn every_order_is_one(fixture: &Fixture, kv_type: KvType) -> Vec<f32> {
    let flash = FlashWeights::new(&fixture.file);
    let name = &format!("{} {}", fixture.name, kv_type.name());
    let reference = logits(fixture, &flash, kv_type, 1, &Serial);
    assert!(reference.iter().all(|logit| logit.is_finite()), "{name}");
    let ours = logits(fixture, &flash, kv_type, 7, &Serial);
    assert_same(name, "a batch of 7", &ours, &reference);
    let ours = logits(fixture, &flash, kv_type, 64, &Threads(3));
    assert_same(name, "a batch of 64, or 3 threads,", &ours, &reference);
    reference
}

/// Bytes of a stripe, and how many are held at a time.
const STRIPES: [(u64, usize); 5] = [(1, 2), (u64::MAX, 3), (3000, 1), (20_000, 4), (65_536, 2)];

fn every_way_is_one(fixture: &Fixture, stripes: &[(u64, usize)]) {
    let flash = FlashWeights::new(&fixture.file);
    let reference = every_order_is_one(fixture, KvType::F16);
    for &(stripe_bytes, leases) in stripes {
        let streamed = Streamed::new(flash, stripe_bytes, leases);
        let ours = logits(fixture, &streamed, KvType::F16, 64, &Serial);
        let what = format!("{leases} leases of {stripe_bytes} bytes");
        assert_same(&fixture.name, &what, &ours, &reference);
        // Queries, keys and values may be three stripes, and no group more; a model without
        // attention may have no group.
        let most = streamed.most_held.get();
        let is_alone = most == 1 && fixture.head_elements() == 0;
        let as_many = most == leases || most == 3 || is_alone;
        assert!(as_many, "{}: {what}: {most} held", fixture.name);
        assert_eq!(streamed.held.get(), 0, "{}: {what}", fixture.name);
    }
}

#[test]
fn every_architecture_is_one() {
    // The first with all stripes, the others with three of them in turns.
    for (number, fixture) in architectures().iter().enumerate() {
        let count = if number == 0 { STRIPES.len() } else { 3 };
        let stripes = STRIPES.into_iter().cycle().skip(number % STRIPES.len()).take(count);
        let stripes: Vec<_> = stripes.collect();
        every_way_is_one(fixture, &stripes);
    }
}

#[test]
fn every_weight_type_is_one() {
    // Rows one by one, or whole matrices: what lies between is the architectures' matter.
    for (number, fixture) in weight_types().iter().enumerate() {
        every_way_is_one(fixture, &STRIPES[number % 2..][..1]);
    }
}

#[test]
fn every_kv_type_is_one() {
    let mut compared = 0;
    let types = [KvType::Q8_0, KvType::Q4_0];
    for (number, fixture) in architectures().into_iter().enumerate() {
        let exact = logits(&fixture, &FlashWeights::new(&fixture.file), KvType::F16, 64, &Serial);
        // Families share the code of keys and values: each has one of the two types, in turns, but
        // for the first, which has both.
        let count = if number == 0 { 2 } else { 1 };
        for kv_type in types.into_iter().cycle().skip(number % 2).take(count) {
            if !fits(&fixture, kv_type) || fixture.head_elements() == 0 {
                continue;
            }
            let ours = every_order_is_one(&fixture, kv_type);
            assert!(ours != exact, "{}: {} is used", fixture.name, kv_type.name());
            compared += 1;
        }
    }
    assert!(compared >= 6, "{compared}");
}

/// Heads of 16 or 48 elements are no whole blocks: that is said, and nothing is taken.
#[test]
fn heads_that_are_not_whole_blocks_are_refused() {
    let mut refused = 0;
    for fixture in architectures() {
        for kv_type in [KvType::Q8_0, KvType::Q4_0] {
            let gguf = fixture.gguf();
            let options = Options { kv_type, ..Options::default() };
            let layout = Layout::of(&gguf, &build(portable::ALL), LayerSet::EMPTY).unwrap();
            let planned = Session::plan(&layout, &options, &mut MemoryPlan::new());
            if fits(&fixture, kv_type) {
                assert!(planned.is_ok(), "{}", fixture.name);
                continue;
            }
            let error = planned.err().unwrap();
            let head_elements = fixture.head_elements();
            assert_eq!(error, ModelError::KvType { kv_type, head_elements }, "{}", fixture.name);
            refused += 1;
        }
    }
    assert!(refused >= 4, "{refused}");
}

/// Five barriers a block when decoding, and one for the output head.
#[test]
fn a_block_is_five_jobs() {
    let weight_types = weight_types();
    let models = architectures();
    for fixture in models.iter().chain(&weight_types) {
        let flash = FlashWeights::new(&fixture.file);
        let counting = Counting { jobs: AtomicUsize::new(0) };
        let options = Options { context: 256, ..Options::default() };
        let setting = Setting { options, parallel: &counting, ..Setting::PLAIN };
        let config = with_session(fixture, &flash, &setting, |session| {
            session.prefill(&long_text(fixture)[..70], &mut |_| true).unwrap();
            counting.jobs.store(0, Ordering::Relaxed);
            session.decode(1).unwrap();
            *session.config()
        });
        // An expert's gate and up are one job and its down another, after one for the router.
        let experts = config.n_expert_used as usize + usize::from(config.n_ff_shared > 0);
        let dense = if config.architecture == "gemma4" { 2 } else { 0 };
        let feed_forward = if config.n_expert > 0 { 1 + 2 * experts + dense } else { 2 };
        // Where two mixers read the same rows, each has its jobs.
        let mixers = if config.architecture == "falcon-h1" { 2 } else { 1 };
        // A block's own embedding takes two, and one before the first block.
        let (own, before) = if config.n_embd_per_layer > 0 { (2, 1) } else { (0, 0) };
        let most = config.n_layer as usize * (3 * mixers + feed_forward + own) + before + 1;
        let jobs = counting.jobs.load(Ordering::Relaxed);
        assert!(jobs <= most, "{}: {jobs} jobs, {most} are enough", fixture.name);
    }
}

/// Keys and values are read back from the cache inside the batch that made them: were they not, a
/// token in one batch with its predecessors would see f32 keys, and one that comes later f16 ones.
#[test]
fn a_batch_reads_its_own_keys_back_from_the_cache() {
    for fixture in architectures() {
        let flash = FlashWeights::new(&fixture.file);
        let options = Options { context: 256, ..Options::default() };
        let setting = Setting { options, ..Setting::PLAIN };
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
        let setting = Setting { options, ..Setting::PLAIN };
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

/// A text cut anywhere goes on like one that was not: at once, from a mark at the cut, and
/// from one before it.
#[test]
fn recurrent_texts_can_be_cut_anywhere() {
    let models: Vec<Fixture> = architectures().into_iter().filter(is_recurrent).collect();
    for (number, fixture) in models.iter().enumerate() {
        let flash = FlashWeights::new(&fixture.file);
        let text = &long_text(fixture)[..40];
        let all = logits_of(fixture, text);
        let n_vocab = all.len() / text.len();
        // Models share the code of states: they take turns with the places.
        for cut in (1..text.len()).skip(number % 4).step_by(4) {
            let options = Options { context: 64, batch: 7, marks: Some(12), ..Options::default() };
            let parallel: &dyn Parallel = if cut % 8 == 0 { &Threads(3) } else { &Serial };
            let setting = Setting { options, parallel, ..Setting::PLAIN };
            with_session(fixture, &flash, &setting, |session| {
                let check = |session: &mut Session<'_>, from: usize, what: &str| {
                    session.prefill(&text[from..], &mut |_| true).unwrap();
                    let what = format!("{what} at {cut}");
                    assert_same(
                        &fixture.name,
                        &what,
                        session.logits(),
                        &all[all.len() - n_vocab..],
                    );
                };
                session.prefill(&text[..cut], &mut |_| true).unwrap();
                let own = &all[(cut - 1) * n_vocab..cut * n_vocab];
                assert_same(&fixture.name, "a shorter text", session.logits(), own);
                check(session, cut, "a cut");
                assert_eq!(session.rewind(cut as u32), cut as u32, "{}", fixture.name);
                check(session, cut, "a mark");
                let before = cut - cut.min(2);
                assert!(session.rewind(before as u32) <= before as u32);
                check(session, before, "going back before a mark");
                session.rewind(0);
                check(session, 0, "another beginning");
            });
        }
    }
    assert!(models.len() >= 2, "{}", models.len());
}

/// The logits of every token of a text that is read in one pass.
fn logits_of(fixture: &Fixture, text: &[u32]) -> Vec<f32> {
    let flash = FlashWeights::new(&fixture.file);
    let options = Options { context: 64, batch: 64, logit_rows: 64, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    with_session(fixture, &flash, &setting, |session| all_logits(session, text))
}
