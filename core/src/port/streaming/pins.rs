//! Which stripes stay in memory.
//!
//! What every pass reads comes first. Which of it stays does not matter for how many bytes are
//! read. It matters when: the reader must never run dry nor run full, so what is streamed is spread
//! evenly over the pass, an equal fraction of every layer (as FlexInfer does, arXiv 2503.03777).
//!
//! Experts get what that leaves: a fixed set of them, each whole. With counts of their use, those
//! used most; of those used equally, an even share, so that without counts every layer keeps as
//! many as the others. No cache follows what is used (LRU and its like): below the bytes of one
//! token it hits next to nothing, and the set would depend on the text.

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
/// is pinned; `None` for those that stream. `uses` counts the uses of each [`Stripe::group`]; a
/// group beyond its end has none.
pub fn choose_pins(stripes: &[Stripe], uses: &[u64], budget: u64, pins: &mut [Option<u64>]) {
    pins.fill(None);
    let is_dense: &dyn Fn(&Stripe) -> bool = &|stripe| stripe.need != Need::Maybe;
    let left = spread(stripes, pins, budget, is_dense);
    let mut left = fill(stripes, pins, left, is_dense);
    let mut all = stripes.iter().zip(&*pins);
    if all.all(|(stripe, pin)| pin.is_some() || !is_dense(stripe)) {
        left = pin_groups(stripes, uses, pins, left);
    }
    fill(stripes, pins, left, &|_| true);
    let mut next = 0;
    for (stripe, pin) in stripes.iter().zip(pins) {
        if let Some(place) = pin {
            *place = next;
            next += pin_bytes(stripe);
        }
    }
}

/// Pins the groups that were used most, and as much as fits of those used next most; returns what
/// is left of `budget`.
fn pin_groups(stripes: &[Stripe], uses: &[u64], pins: &mut [Option<u64>], budget: u64) -> u64 {
    let uses_of = |stripe: &Stripe| match stripe.need {
        Need::Maybe => Some(uses.get(stripe.group as usize).copied().unwrap_or(0)),
        _ => None,
    };
    let fits = |limit: u64| {
        let above = stripes.iter().filter(|stripe| uses_of(stripe) > Some(limit));
        above.map(|stripe| u128::from(pin_bytes(stripe))).sum::<u128>() <= u128::from(budget)
    };
    // The least number such that all groups with more uses fit, found by halves: sorting would take
    // memory.
    let (mut limit, mut high) = (0, uses.iter().copied().max().unwrap_or(0));
    while limit < high {
        let middle = limit + (high - limit) / 2;
        if fits(middle) { high = middle } else { limit = middle + 1 }
    }
    let left = spread(stripes, pins, budget, &|stripe| uses_of(stripe) > Some(limit));
    let at_limit: &dyn Fn(&Stripe) -> bool = &|stripe| uses_of(stripe) == Some(limit);
    let left = spread(stripes, pins, left, at_limit);
    fill(stripes, pins, left, at_limit)
}

/// Pins an even share of the stripes for which `counts` holds, groups as a whole; returns what is
/// left of `budget`.
// Compiled once for all that may count, like the next.
#[inline(never)]
fn spread(
    stripes: &[Stripe],
    pins: &mut [Option<u64>],
    budget: u64,
    counts: &dyn Fn(&Stripe) -> bool,
) -> u64 {
    let bytes_of = |group: &[Stripe]| group.iter().map(|it| u128::from(pin_bytes(it))).sum();
    let groups = || stripes.chunk_by(Stripe::is_grouped_with);
    let counts = |group: &[Stripe]| group.first().is_some_and(counts);
    let total: u128 = groups().filter(|group| counts(group)).map(bytes_of).sum();
    let share = u128::from(budget).min(total);
    let (mut seen, mut taken) = (0, 0);
    let mut rest = pins;
    for group in groups() {
        let (pins, others) = rest.split_at_mut(group.len());
        rest = others;
        if !counts(group) {
            continue;
        }
        let bytes: u128 = bytes_of(group);
        seen += bytes;
        // Pinned bytes keep up with their share of the bytes so far, and never pass it.
        if (taken + bytes) * total <= share * seen {
            taken += bytes;
            pins.fill(SOMEWHERE);
        }
    }
    // `taken` is at most `share`.
    budget - taken as u64
}

/// Uses up what is left with stripes for which `counts` holds, the longest first; returns what is
/// left then. It is less than a group's bytes, but stripes differ.
#[inline(never)]
fn fill(
    stripes: &[Stripe],
    pins: &mut [Option<u64>],
    mut left: u64,
    counts: &dyn Fn(&Stripe) -> bool,
) -> u64 {
    let rest = |(stripe, pin): &(&Stripe, &mut Option<u64>)| pin.is_none() && counts(stripe);
    // Stripes have few lengths: as long as a model's rows allow, and the rests of its matrices.
    let mut shorter_than = u64::MAX;
    loop {
        let fits = |stripe: &Stripe| stripe.bytes < shorter_than && pin_bytes(stripe) <= left;
        let candidates = stripes.iter().zip(&mut *pins).filter(rest);
        let lengths = candidates.filter(|(stripe, _)| fits(stripe)).map(|(it, _)| it.bytes);
        let Some(longest) = lengths.max() else { return left };
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
        choose_pins(stripes, &[], budget, &mut pins);
        pins
    }

    fn stripes(lengths: &[(u64, Need)]) -> Vec<Stripe> {
        lengths.iter().map(|&(bytes, need)| Stripe { offset: 0, bytes, need, group: 0 }).collect()
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

    /// Blocks of two dense stripes and `experts` experts of three stripes each.
    fn blocks(blocks: u32, experts: u32) -> Vec<Stripe> {
        let mut stripes = stripes(&[(900, Always)]);
        for block in 0..blocks {
            stripes.extend([Stripe { bytes: 700, ..stripes[0] }; 2]);
            for group in block * experts..(block + 1) * experts {
                // As types of weights differ among blocks.
                let bytes = if block % 3 == 0 { 500 } else { 400 };
                let stripe = Stripe { offset: 0, bytes, need: Maybe, group };
                stripes.extend([stripe, stripe, Stripe { bytes: bytes - 100, ..stripe }]);
            }
        }
        stripes.push(Stripe { offset: 0, bytes: 1300, need: Logits, group: 0 });
        stripes
    }

    /// Stripes of each group that are pinned, and whether all others are.
    fn pinned_stripes(stripes: &[Stripe], pins: &[Option<u64>], groups: u32) -> (Vec<u32>, bool) {
        let (mut counts, mut dense) = (vec![0; groups as usize], true);
        for (stripe, pin) in stripes.iter().zip(pins) {
            match stripe.need {
                Maybe => counts[stripe.group as usize] += u32::from(pin.is_some()),
                _ => dense &= pin.is_some(),
            }
        }
        (counts, dense)
    }

    #[test]
    fn experts_come_after_what_every_pass_reads() {
        let stripes = blocks(1, 2);
        let dense = [900, 700, 700, 1300].map(|bytes: u64| bytes.next_multiple_of(64));
        let dense: u64 = dense.iter().sum();
        // Of 500, 500 and 400 bytes.
        let expert = 512 + 512 + 448;
        let pinned = |budget| pinned_stripes(&stripes, &choose(&stripes, budget), 2);
        assert_eq!(pinned(dense), (vec![0, 0], true));
        assert_eq!(pinned(dense + expert), (vec![0, 3], true));
        assert_eq!(pinned(dense + 2 * expert - 1), (vec![2, 3], true));
        assert_eq!(pinned(dense + 2 * expert), (vec![3, 3], true));
        // What is left over is used, too: a byte less than all that is dense.
        let (experts, is_dense) = pinned(dense - 1);
        assert!(!is_dense && experts.iter().sum::<u32>() > 0);
    }

    #[test]
    fn without_counts_every_layer_keeps_an_equal_share_of_whole_experts() {
        const EXPERTS: u32 = 64;
        let stripes = blocks(16, EXPERTS);
        let total: u64 = stripes.iter().map(pin_bytes).sum();
        for percent in [20, 37, 50, 75, 99] {
            let budget = total / 100 * percent;
            let pins = choose(&stripes, budget);
            assert!(pinned_bytes(&stripes, &pins) <= budget);
            let (counts, dense) = pinned_stripes(&stripes, &pins, 16 * EXPERTS);
            assert!(dense, "{percent} %");
            // What is left over is less than an expert.
            let parts = counts.iter().filter(|&&count| (1..3).contains(&count)).count();
            assert!(parts <= 2, "{percent} %: {parts}");
            let whole = |block: &[u32]| block.iter().filter(|&&count| count == 3).count();
            let kept: Vec<usize> = counts.chunks(EXPERTS as usize).map(whole).collect();
            let (least, most) = (kept.iter().min().unwrap(), kept.iter().max().unwrap());
            assert!(most - least <= 2, "{percent} %: {kept:?}");
        }
    }

    #[test]
    fn with_counts_the_most_used_experts_are_kept() {
        const GROUPS: u32 = 6 * 16;
        let stripes = blocks(6, 16);
        let total: u64 = stripes.iter().map(pin_bytes).sum();
        let lists: [fn(u64) -> u64; 5] = [
            |_| 5,
            |group| group * 7919 % 97,
            |group| u64::MAX - group * 13 % 5,
            |group| if group == 40 { u64::MAX } else { 0 },
            |group| group % 3,
        ];
        for uses in lists.map(|uses| (0..u64::from(GROUPS)).map(uses).collect::<Vec<_>>()) {
            for percent in 0..=100 {
                let budget = total / 100 * percent;
                let mut pins = vec![Some(7); stripes.len()];
                choose_pins(&stripes, &uses, budget, &mut pins);
                let pinned = pinned_bytes(&stripes, &pins);
                assert!(pinned <= budget && budget - pinned < 1400, "{budget}: {pinned}");
                let (counts, dense) = pinned_stripes(&stripes, &pins, GROUPS);
                let of = |is_kept: fn(u32) -> bool| {
                    uses.iter().zip(&counts).filter(move |(_, count)| is_kept(**count))
                };
                let least_whole = of(|count| count == 3).map(|(uses, _)| uses).min();
                let most_streamed = of(|count| count == 0).map(|(uses, _)| uses).max();
                if dense && let Some((least, most)) = least_whole.zip(most_streamed) {
                    assert!(least >= most, "{percent} %: {least} kept, {most} not: {uses:?}");
                }
            }
        }
    }

    /// `uses` may be shorter or longer than the number of groups.
    #[test]
    fn groups_without_a_count_were_never_used() {
        let stripes = blocks(2, 8);
        let budget = stripes.iter().map(pin_bytes).sum::<u64>() / 2;
        let choose = |uses: &[u64]| {
            let mut pins = vec![None; stripes.len()];
            choose_pins(&stripes, uses, budget, &mut pins);
            pins
        };
        assert_eq!(choose(&[]), choose(&[0; 40]));
        assert_eq!(choose(&[0, 3]), choose(&[[0, 3].as_slice(), &[0; 40]].concat()));
    }
}
