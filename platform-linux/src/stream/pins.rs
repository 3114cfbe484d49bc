//! Which stripes stay in memory.
//!
//! Every stripe is read once a pass, so which ones stay does not matter for how many bytes are
//! read. It matters when: the reader must never run dry nor run full, so what is streamed is spread
//! evenly over the pass, an equal fraction of every layer (as FlexInfer does, arXiv 2503.03777).
//! Where memory keeps all that every pass reads, experts share the rest in the same way.

use picolm_core::port::{Need, Stripe};

/// Pinned stripes start at multiples of this: a cache line.
const PIN_ALIGN: u64 = 64;

/// Bytes that pinning `stripe` takes.
pub(super) const fn pin_bytes(stripe: &Stripe) -> u64 {
    stripe.bytes.saturating_add(PIN_ALIGN - 1) / PIN_ALIGN * PIN_ALIGN
}

/// For each stripe where in `budget` bytes of memory it is pinned; `None` for those that stream.
pub(super) fn choose(stripes: &[Stripe], budget: u64) -> Vec<Option<u64>> {
    let mut pinned = vec![false; stripes.len()];
    let mut left = spread(stripes, &mut pinned, budget, |need| need != Need::Maybe);
    let all = stripes.iter().zip(&pinned);
    if all.clone().all(|(stripe, pinned)| *pinned || stripe.need == Need::Maybe) {
        left = spread(stripes, &mut pinned, left, |need| need == Need::Maybe);
    }
    fill(stripes, &mut pinned, left);
    let mut next = 0;
    let place = |(stripe, pinned): (&Stripe, &bool)| {
        pinned.then(|| {
            let place = next;
            next += pin_bytes(stripe);
            place
        })
    };
    stripes.iter().zip(&pinned).map(place).collect()
}

/// Pins an even share of the stripes of some needs; returns what is left of `budget`.
fn spread(
    stripes: &[Stripe],
    pinned: &mut [bool],
    budget: u64,
    counts: impl Fn(Need) -> bool,
) -> u64 {
    let bytes = |stripe: &Stripe| u128::from(pin_bytes(stripe));
    let total: u128 = stripes.iter().filter(|stripe| counts(stripe.need)).map(bytes).sum();
    let share = u128::from(budget).min(total);
    let (mut seen, mut taken) = (0, 0);
    for (stripe, pinned) in stripes.iter().zip(pinned).filter(|(stripe, _)| counts(stripe.need)) {
        seen += bytes(stripe);
        // Pinned bytes keep up with their share of the bytes so far, and never pass it.
        if (taken + bytes(stripe)) * total <= share * seen {
            taken += bytes(stripe);
            *pinned = true;
        }
    }
    // `taken` is at most `share`.
    budget - taken as u64
}

/// Uses what is left up: less than a stripe's bytes, but stripes differ.
fn fill(stripes: &[Stripe], pinned: &mut [bool], mut left: u64) {
    let mut rest: Vec<usize> = (0..stripes.len())
        .filter(|&index| !pinned[index] && stripes[index].need != Need::Maybe)
        .collect();
    rest.sort_by_key(|&index| core::cmp::Reverse(stripes[index].bytes));
    for index in rest {
        if let Some(after) = left.checked_sub(pin_bytes(&stripes[index])) {
            left = after;
            pinned[index] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Need::{Always, Logits, Maybe};

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
