//! How memory for streamed weights is divided: pins, slots, and what is known of the stripes.

use super::pins::{choose_pins, pin_bytes};
use super::window::Sectors;
use crate::port::{MAX_LEASES, Need, Stripe};

/// The largest sector that there is: what offsets, lengths and addresses of direct reads are
/// multiples of everywhere.
pub const SECTOR_BYTES_MAX: usize = 4096;

/// Longest stripe, unless a single row is longer: 384 KiB, near to what SD cards take in one
/// command, 512.
pub const STRIPE_BYTES: u64 = 384 << 10;

/// Slots to read into. Two are leased, for some 50 microseconds; the other two, 8 ms at 100 MB/s,
/// bridge the time between two passes.
pub const SLOTS: usize = 4;

/// Leases at a time where something streams.
pub const LEASES: usize = 2;

/// Slots at least: two are leased while the third is read.
const SLOTS_MIN: usize = LEASES + 1;

const _: () = assert!(LEASES <= MAX_LEASES && SLOTS_MIN <= SLOTS);

/// Slots where everything is pinned in the end: one is copied from while the next one is read.
const SLOTS_PINNING: usize = 1;

/// Where the bytes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPlan {
    /// Weights that stay in memory.
    pub pinned_bytes: u64,
    /// Slots, and what is known of the stripes.
    pub buffer_bytes: u64,
    /// Bytes that every token reads from the device: whole sectors of unpinned weights.
    pub streamed_bytes: u64,
    /// The same of experts, if a token were to use all of them.
    pub streamed_expert_bytes: u64,
}

/// How a budget is used.
#[derive(Clone, Copy, Debug)]
pub struct Arrangement {
    /// Where the bytes go.
    pub plan: StreamPlan,
    /// Slots.
    pub slots: usize,
    /// Bytes of a slot: whole sectors of the largest kind.
    pub slot_bytes: u64,
    /// Leases that there may be at a time.
    pub leases: usize,
}

impl Arrangement {
    /// Divides `budget` bytes of memory among the `stripes` of `file`, each of which takes
    /// `overhead_bytes` of tables as well; writes their pins to `pins`, of the same length. Where
    /// something streams there are `slots`, whether or not the budget has room for them. `uses` are
    /// those of [`choose_pins`].
    pub fn new(
        file: &dyn Sectors,
        stripes: &[Stripe],
        uses: &[u64],
        budget: u64,
        overhead_bytes: u64,
        slots: usize,
        pins: &mut [Option<u64>],
    ) -> Self {
        let overhead = overhead_bytes.saturating_mul(stripes.len() as u64);
        let span =
            |stripe: &Stripe| file.sectors(stripe.offset, stripe.bytes).map_or(0, |(_, it)| it);
        let slot_bytes = stripes.iter().map(span).max().unwrap_or(0);
        // Slots begin at multiples of the largest sector.
        let slot_bytes = slot_bytes.next_multiple_of(SECTOR_BYTES_MAX as u64);
        let slots_bytes = |slots: usize| slot_bytes.saturating_mul(slots as u64);
        let mut choose = |slots| {
            let left = budget.saturating_sub(overhead).saturating_sub(slots_bytes(slots));
            choose_pins(stripes, uses, left, pins);
            pins.iter().all(Option::is_some)
        };
        let (slots, leases) = if choose(SLOTS_PINNING) {
            (SLOTS_PINNING, MAX_LEASES)
        } else {
            let slots = slots.max(SLOTS_MIN);
            choose(slots);
            (slots, LEASES)
        };
        let buffer_bytes = slots_bytes(slots).saturating_add(overhead);
        let mut plan = StreamPlan { buffer_bytes, ..StreamPlan::default() };
        for (stripe, pin) in stripes.iter().zip(pins) {
            match pin {
                Some(_) => plan.pinned_bytes += pin_bytes(stripe),
                None if stripe.need == Need::Maybe => plan.streamed_expert_bytes += span(stripe),
                None => plan.streamed_bytes += span(stripe),
            }
        }
        Self { plan, slots, slot_bytes, leases }
    }
}

/// Memory for `slots` slots, and `overhead_bytes` for each stripe, of a file whose matrices have
/// `weights_bytes`, in stripes of `stripe_bytes` and rows of at most `row_bytes`.
pub fn least_buffer_bytes(
    weights_bytes: u64,
    row_bytes: u64,
    stripe_bytes: u64,
    slots: usize,
    overhead_bytes: u64,
) -> u64 {
    let longest = stripe_bytes.max(row_bytes).saturating_add(2 * SECTOR_BYTES_MAX as u64);
    let slot = longest.next_multiple_of(SECTOR_BYTES_MAX as u64);
    let stripes = weights_bytes / stripe_bytes.max(1) + 1;
    slot.saturating_mul(slots as u64).saturating_add(stripes.saturating_mul(overhead_bytes))
}
