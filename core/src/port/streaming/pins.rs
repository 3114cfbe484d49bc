//! Which stripes stay in memory.
//!
//! Every stripe is read once a pass, so which ones stay does not matter for how many bytes are
//! read. It matters when: the reader must never run dry nor run full, so what is streamed is spread
//! evenly over the pass, an equal fraction of every layer (as FlexInfer does, arXiv 2503.03777).
//! Where memory keeps all that every pass reads, experts share the rest in the same way.

use crate::port::{Need, Stripe};

/// Pinned stripes start at multiples of this: a cache line.
const PIN_ALIGN: u64 = 64;

/// Bytes that pinning `stripe` takes.
pub const fn pin_bytes(stripe: &Stripe) -> u64 {
    stripe.bytes.saturating_add(PIN_ALIGN - 1) / PIN_ALIGN * PIN_ALIGN
}

/// Where a stripe is pinned while it is not known where.
const SOMEWHERE: Option<u64> = Some(0);

/// Writes to `pins`, of the same length as `stripes`, where in `budget` bytes of memory each stripe
/// is pinned; `None` for those that stream.
pub fn choose_pins(stripes: &[Stripe], budget: u64, pins: &mut [Option<u64>]) {
    pins.fill(None);
    let mut left = spread(stripes, pins, budget, |need| need != Need::Maybe);
    let mut all = stripes.iter().zip(&*pins);
    if all.all(|(stripe, pin)| pin.is_some() || stripe.need == Need::Maybe) {
        left = spread(stripes, pins, left, |need| need == Need::Maybe);
    }
    fill(stripes, pins, left);
    let mut next = 0;
    for (stripe, pin) in stripes.iter().zip(pins) {
        if let Some(place) = pin {
            *place = next;
            next += pin_bytes(stripe);
        }
    }
}

/// Pins an even share of the stripes of some needs; returns what is left of `budget`.
fn spread(
    stripes: &[Stripe],
    pins: &mut [Option<u64>],
    budget: u64,
    counts: impl Fn(Need) -> bool,
) -> u64 {
    let bytes = |stripe: &Stripe| u128::from(pin_bytes(stripe));
    let total: u128 = stripes.iter().filter(|stripe| counts(stripe.need)).map(bytes).sum();
    let share = u128::from(budget).min(total);
    let (mut seen, mut taken) = (0, 0);
    for (stripe, pin) in stripes.iter().zip(pins).filter(|(stripe, _)| counts(stripe.need)) {
        seen += bytes(stripe);
        // Pinned bytes keep up with their share of the bytes so far, and never pass it.
        if (taken + bytes(stripe)) * total <= share * seen {
            taken += bytes(stripe);
            *pin = SOMEWHERE;
        }
    }
    // `taken` is at most `share`.
    budget - taken as u64
}

/// Uses what is left up, longest stripes first: less than a stripe's bytes, but stripes differ.
fn fill(stripes: &[Stripe], pins: &mut [Option<u64>], mut left: u64) {
    let rest =
        |(stripe, pin): &(&Stripe, &mut Option<u64>)| pin.is_none() && stripe.need != Need::Maybe;
    // Stripes have few lengths: as long as a model's rows allow, and the rests of its matrices.
    let mut shorter_than = u64::MAX;
    loop {
        let fits = |stripe: &Stripe| stripe.bytes < shorter_than && pin_bytes(stripe) <= left;
        let candidates = stripes.iter().zip(&mut *pins).filter(rest);
        let lengths = candidates.filter(|(stripe, _)| fits(stripe)).map(|(it, _)| it.bytes);
        let Some(longest) = lengths.max() else { return };
        shorter_than = longest;
        let longest = |it: &(&Stripe, &mut Option<u64>)| rest(it) && it.0.bytes == longest;
        for (stripe, pin) in stripes.iter().zip(&mut *pins).filter(longest) {
            if let Some(after) = left.checked_sub(pin_bytes(stripe)) {
                left = after;
                *pin = SOMEWHERE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use Need::{Always, Logits, Maybe};
    use std::{vec, vec::Vec};

    fn choose(stripes: &[Stripe], budget: u64) -> Vec<Option<u64>> {
        let mut pins = vec![Some(7); stripes.len()];
        choose_pins(stripes, budget, &mut pins);
        pins
    }

    fn stripes(lengths: &[(u64, Need)]) -> Vec<Stripe> {
        lengths.iter().map(|&(bytes, need)| Stripe { offset: 0, bytes, need }).collect()
    }

    fn pinned_bytes(stripes: &[Stripe], pins: &[Option<u64>]) -> u64 {
        stripes.iter().zip(pins).filter(|(_, pin)| pin.is_some()).map(|(s, _)| pin_bytes(s)).sum()
    }

    #[test]
    fn pins_fill_the_budget_without_overlap_and_never_pass_it() {
        let lengths: Vec<_> = (0..500u64)
            .map(|index| (1 + index * 7919 % 5000, if index > 480 { Logits } else { Always }))
            .collect();
        let stripes = stripes(&lengths);
        let total: u64 = stripes.iter().map(pin_bytes).sum();
        for budget in [0, 1, 63, 64, 5000, total / 3, total / 2, total - 1, total, u64::MAX] {
            let pins = choose(&stripes, budget);
            let pinned = pinned_bytes(&stripes, &pins);
            assert!(pinned <= budget, "{budget}");
            assert!(pinned == total || budget - pinned < 64 * 2, "{budget}: {pinned}");
            let mut end = 0;
            for (stripe, place) in stripes.iter().zip(&pins) {
                if let Some(place) = place {
                    assert_eq!(*place, end);
                    end += pin_bytes(stripe);
                }
            }
        }
    }

    #[test]
    fn every_part_of_a_pass_has_its_share() {
        let stripes = stripes(&[(1 << 19, Always); 1000]);
        for percent in [3, 25, 50, 80, 97] {
            let pins = choose(&stripes, (1000 << 19) / 100 * percent);
            for part in pins.chunks(100) {
                let pinned = part.iter().flatten().count() as u64;
                assert!(pinned.abs_diff(percent) <= 1, "{pinned} of {percent}");
            }
        }
    }

    #[test]
    fn experts_come_after_what_every_pass_reads() {
        let stripes = stripes(&[(640, Always), (640, Maybe), (640, Maybe), (640, Logits)]);
        let pinned = |budget| -> Vec<bool> {
            choose(&stripes, budget).iter().map(Option::is_some).collect()
        };
        assert_eq!(pinned(639), [false; 4]);
        assert_eq!(pinned(1279), [false, false, false, true]);
        assert_eq!(pinned(1280), [true, false, false, true]);
        assert_eq!(pinned(1920), [true, false, true, true]);
        assert_eq!(pinned(2560), [true; 4]);
    }
}
