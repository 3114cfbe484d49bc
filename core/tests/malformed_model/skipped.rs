//! Blocks that are left out: the model is the one whose file never had them, and they are not read.

use core::cell::RefCell;
use core::ops::Range;
use picolm_core::gguf::Gguf;
use picolm_core::mem::{MemoryPlan, Purpose};
use picolm_core::model::{LayerSet, Layout, ModelError};
use picolm_core::port::{FlashWeights, Lease, ReadError, Stripe, Weights};
use picolm_core::quant::KvType;
use picolm_core::session::{Options, Session};

use crate::tiny::{Tiny, build, with_options};
use crate::writer::tensor_type;

const LAYERS: u32 = 5;
const TEXT: [u32; 9] = [1, 4, 5, 6, 3, 11, 8, 9, 10];

const OPTIONS: Options = Options { context: 64, stripe_bytes: 1000, ..Options::DEFAULT };

fn skipping(layers: &[u32]) -> LayerSet {
    let mut skipped = LayerSet::EMPTY;
    layers.iter().for_each(|&layer| skipped.insert(layer).unwrap());
    skipped
}

/// Bits of the last logits after a prompt and after one token more.
fn answer(file: &[u8], weights: &dyn Weights, skipped: LayerSet) -> Vec<u32> {
    let logits = with_options(file, weights, &OPTIONS, skipped, |session| {
        session.prefill(&TEXT, &mut |_| true).expect("a pass ends");
        let mut logits = session.logits().to_vec();
        session.decode(2).expect("a pass ends");
        logits.extend(session.logits());
        logits
    });
    logits.expect("loads").iter().map(|logit| logit.to_bits()).collect()
}

fn assert_same_as_without(tiny: &Tiny, layers: u32, skipped: &[u32]) {
    let (whole, pruned) = (tiny.bytes(), tiny.clone().without_layers(layers, skipped).bytes());
    let skipped_bits = answer(&whole, &FlashWeights::new(&whole), skipping(skipped));
    let pruned_bits = answer(&pruned, &FlashWeights::new(&pruned), skipping(&[]));
    assert!(skipped_bits == pruned_bits, "without {skipped:?}");
    // The plan and the traffic are the pruned file's too.
    let of = |file: &[u8], skipped: LayerSet| {
        let gguf = Gguf::parse(file, file.len() as u64).unwrap();
        let layout = Layout::of(&gguf, &build(), skipped).unwrap();
        let mut plan = MemoryPlan::new();
        Session::plan(&layout, &OPTIONS, &mut plan).unwrap();
        assert_eq!(layout.config().n_layer_stored() - layout.config().n_layer, skipped.len());
        (plan.total(), plan.bytes(Purpose::KvCache), layout.traffic(KvType::F16).unwrap())
    };
    assert_eq!(of(&whole, skipping(skipped)), of(&pruned, skipping(&[])), "{skipped:?}");
}

/// Every set of blocks, the empty one included: skipping none changes no bit.
#[test]
fn a_model_without_blocks_is_the_one_whose_file_lacks_them() {
    let tiny = Tiny::of_layers(LAYERS);
    let mut answers = Vec::new();
    for bits in 0..(1u32 << LAYERS) - 1 {
        let skipped: Vec<u32> = (0..LAYERS).filter(|layer| bits >> layer & 1 == 1).collect();
        assert_same_as_without(&tiny, LAYERS, &skipped);
        let file = tiny.bytes();
        answers.push(answer(&file, &FlashWeights::new(&file), skipping(&skipped)));
    }
    // Every block matters, so that a set which was not obeyed would show.
    let count = answers.len();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), count);
    for skipped in [&[0][..], &[1]] {
        assert_same_as_without(&Tiny::with_experts(), 2, skipped);
    }
}

/// Notes every byte range that is announced or read.
struct Watched<'w> {
    flash: FlashWeights<'w>,
    ranges: RefCell<Vec<Range<u64>>>,
}

impl Watched<'_> {
    fn note(&self, offset: u64, bytes: u64) {
        self.ranges.borrow_mut().push(offset..offset + bytes);
    }
}

impl Weights for Watched<'_> {
    fn file_bytes(&self) -> u64 {
        self.flash.file_bytes()
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        stripes.iter().for_each(|stripe| self.note(stripe.offset, stripe.bytes));
        Ok(())
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        self.note(stripe.offset, stripe.bytes);
        self.flash.lease(index, stripe)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.note(offset, into.len() as u64);
        self.flash.read(offset, into)
    }
}

#[test]
fn skipped_blocks_are_neither_announced_nor_read() {
    let file = Tiny::of_layers(LAYERS).bytes();
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let touched = |skipped: LayerSet, layer: u32| {
        let watched = Watched { flash: FlashWeights::new(&file), ranges: RefCell::default() };
        answer(&file, &watched, skipped);
        let prefix = format!("blk.{layer}.");
        let tensors = gguf.tensors().filter(|tensor| tensor.name.starts_with(prefix.as_bytes()));
        let ranges = watched.ranges.into_inner();
        tensors
            .filter(|tensor| {
                let end = tensor.offset + tensor.bytes;
                ranges.iter().any(|range| range.start < end && tensor.offset < range.end)
            })
            .count()
    };
    for layer in 0..LAYERS {
        let expected = if [1, 4].contains(&layer) { 0 } else { 9 };
        assert_eq!(touched(skipping(&[1, 4]), layer), expected, "{layer}");
    }
}

/// What is not read may be missing, or be no numbers.
#[test]
fn skipped_blocks_may_be_damaged() {
    let name = "blk.1.ffn_up.weight";
    let missing = Tiny::new().without_tensor(name);
    let misshapen = Tiny::new().tensor(name, &[7, 3], tensor_type::F32, 0.5);
    let no_numbers = Tiny::new().tensor(name, &[32, 48], tensor_type::F32, f32::NAN);
    let whole = Tiny::new().bytes();
    let expected = answer(&whole, &FlashWeights::new(&whole), skipping(&[1]));
    for tiny in [missing, misshapen, no_numbers] {
        let file = tiny.bytes();
        assert_eq!(answer(&file, &FlashWeights::new(&file), skipping(&[1])), expected);
    }
}

#[test]
fn what_cannot_be_skipped_is_refused() {
    let file = Tiny::new().bytes();
    for (skipped, error) in [
        (&[2][..], ModelError::NoSuchLayer { layer: 2, n_layer: 2 }),
        (&[0, 511], ModelError::NoSuchLayer { layer: 511, n_layer: 2 }),
        (&[0, 1], ModelError::NoLayersLeft),
        (&[0, 1, 2], ModelError::NoSuchLayer { layer: 2, n_layer: 2 }),
    ] {
        let weights = FlashWeights::new(&file);
        assert_eq!(with_options(&file, &weights, &OPTIONS, skipping(skipped), |_| ()), Err(error));
    }
}

/// Tensors are missed by their number in the file, not by their place among those that run.
#[test]
fn errors_name_blocks_by_the_files_numbers() {
    let file = Tiny::of_layers(LAYERS).without_tensor("blk.3.attn_q.weight").bytes();
    let weights = FlashWeights::new(&file);
    let error = with_options(&file, &weights, &OPTIONS, skipping(&[0, 2]), |_| ()).unwrap_err();
    assert!(error.to_string().contains("'blk.3.attn_q.weight'"), "{error}");
}
