//! Experts: read once in a pass, whichever rows chose them; not read where none did; and counted.

use crate::against_ourselves::{Threads, long_text};
use crate::engine::{Fixture, Setting, architectures, with_owned_session};
use core::cell::RefCell;
use picolm_core::port::{FlashWeights, Lease, Need, Parallel, ReadError, Serial, Stripe, Weights};
use picolm_core::session::Options;
use std::collections::BTreeMap;

const TOKENS: usize = 40;

/// Counts the leases of every stripe of an expert.
struct Counting<'f> {
    file: FlashWeights<'f>,
    schedule: RefCell<Vec<Stripe>>,
    /// By pass and stripe.
    leases: RefCell<Vec<BTreeMap<usize, u32>>>,
}

impl Weights for Counting<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    /// So short that matrices of experts have several stripes.
    fn stripe_bytes(&self) -> u64 {
        3000
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        *self.schedule.borrow_mut() = stripes.to_vec();
        Ok(())
    }

    fn begin(&self) {
        self.leases.borrow_mut().push(BTreeMap::new());
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        if stripe.need == Need::Maybe {
            *self.leases.borrow_mut().last_mut().unwrap().entry(index).or_default() += 1;
        }
        self.file.lease(index, stripe)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read(offset, into)
    }
}

/// What a text took.
struct Observed {
    /// The experts that each pass read, counted over all blocks.
    passes: Vec<Vec<u32>>,
    /// The engine's counts. `[n_layer, n_expert]`
    counts: Vec<u64>,
    n_expert: usize,
    n_expert_used: usize,
}

/// Runs a text in passes of `batch` rows; `None` where the model has no experts.
fn observe(fixture: &Fixture, batch: u32, parallel: &dyn Parallel) -> Option<Observed> {
    let weights = Counting {
        file: FlashWeights::new(&fixture.file),
        schedule: RefCell::default(),
        leases: RefCell::default(),
    };
    // Without marks, every pass has as many rows as there is room for.
    let options = Options {
        context: 64,
        batch,
        marks: Some(0),
        stripe_bytes: weights.stripe_bytes(),
        ..Options::default()
    };
    let setting = Setting { options, parallel, ..Setting::PLAIN };
    let (counts, config) = with_owned_session(fixture, &weights, &setting, |mut session| {
        let config = *session.config();
        assert!(session.expert_counts().is_empty());
        let counts = vec![0; (config.n_layer * config.n_expert) as usize];
        session.count_experts(counts.leak());
        session.prefill(&long_text(fixture)[..TOKENS], &mut |_| true).unwrap();
        (session.expert_counts().to_vec(), config)
    });
    let schedule = weights.schedule.into_inner();
    let groups = |pass: BTreeMap<usize, u32>| {
        assert!(pass.values().all(|&leases| leases == 1), "{}: read twice", fixture.name);
        let mut groups: Vec<u32> = pass.keys().map(|&index| schedule[index].group).collect();
        groups.dedup();
        let whole = schedule.iter().filter(|stripe| stripe.need == Need::Maybe);
        let whole = whole.filter(|stripe| groups.contains(&stripe.group)).count();
        assert_eq!(pass.len(), whole, "{}: parts of an expert", fixture.name);
        groups
    };
    (config.n_expert > 0).then(|| Observed {
        passes: weights.leases.into_inner().into_iter().map(groups).collect(),
        counts,
        n_expert: config.n_expert as usize,
        n_expert_used: config.n_expert_used as usize,
    })
}

#[test]
fn a_pass_reads_the_experts_that_its_rows_chose_and_each_once() {
    let mut models = 0;
    for fixture in architectures() {
        let Some(alone) = observe(&fixture, 1, &Serial) else { continue };
        models += 1;
        assert_eq!(alone.passes.len(), TOKENS, "{}", fixture.name);
        // A row alone reads as many as it uses, in every block that has experts.
        let blocks =
            alone.counts.chunks(alone.n_expert).filter(|block| block.iter().any(|&n| n > 0));
        let used = blocks.count() * alone.n_expert_used;
        assert!(alone.passes.iter().all(|pass| pass.len() == used), "{}", fixture.name);
        for batch in [7, TOKENS] {
            let together = observe(&fixture, batch as u32, &Threads(3)).unwrap();
            assert_eq!(together.passes.len(), TOKENS.div_ceil(batch));
            for (pass, rows) in together.passes.iter().zip(alone.passes.chunks(batch)) {
                let mut chosen = rows.concat();
                chosen.sort_unstable();
                chosen.dedup();
                assert_eq!(*pass, chosen, "{}: a batch of {batch}", fixture.name);
            }
        }
    }
    assert!(models > 0);
}

/// In a pass of one row, an expert that is read is one that the row chose.
#[test]
fn counts_are_the_passes_that_read_an_expert() {
    for fixture in architectures() {
        for (batch, parallel) in [(1, &Serial as &dyn Parallel), (7, &Serial), (64, &Threads(3))] {
            let Some(observed) = observe(&fixture, batch, parallel) else { break };
            let mut counts = vec![0; observed.counts.len()];
            for &group in observed.passes.iter().flatten() {
                counts[group as usize] += 1;
            }
            assert_eq!(observed.counts, counts, "{}: a batch of {batch}", fixture.name);
        }
    }
}
