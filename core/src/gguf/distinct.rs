//! Finding a name that occurs twice, without memory for all names and without a hash to attack.
//!
//! Selection in passes: each pass keeps the [`TABLE_NAMES`] smallest names that are greater than
//! those of the pass before, sorted. A name that is already in the table is a duplicate. Of two
//! equal names, both fall into the same pass, and the first is still in the table when the second
//! comes: it could only have been pushed out by smaller names, and then so is the second.
//!
//! `n` names take `n / TABLE_NAMES` passes over all of them: one pass for any usual model.

use super::slots::shift_in;

/// 256 slices: 4 KiB of stack where a slice takes 16 bytes, 2 KiB on 32-bit targets.
const TABLE_NAMES: usize = 256;

/// The first item, of those that `items` yields each time it is called, whose name, which is not
/// empty, is that of an earlier one; where several names occur twice, any of them.
pub(super) fn find_duplicate<'a, T, I: Iterator<Item = T>>(
    items: impl Fn() -> I,
    name: impl Fn(&T) -> &'a [u8],
) -> Option<T> {
    let mut done: &[u8] = &[];
    // One for all passes: a table made in the loop takes its place on the stack twice.
    let mut table = Table { names: [&[]; TABLE_NAMES], len: 0, overflowed: false };
    loop {
        (table.len, table.overflowed) = (0, false);
        for item in items() {
            let name = name(&item);
            if name > done && !table.insert(name) {
                return Some(item);
            }
        }
        if !table.overflowed {
            return None;
        }
        done = table.greatest();
    }
}

/// The smallest names seen, ascending.
struct Table<'a> {
    names: [&'a [u8]; TABLE_NAMES],
    len: usize,
    /// Whether a name was left out or pushed out.
    overflowed: bool,
}

impl<'a> Table<'a> {
    fn filled(&self) -> &[&'a [u8]] {
        self.names.get(..self.len).unwrap_or_default()
    }

    /// The greatest name kept, empty if there is none.
    fn greatest(&self) -> &'a [u8] {
        self.filled().last().copied().unwrap_or_default()
    }

    /// Takes `name` in if it is among the smallest; false if it is there already.
    fn insert(&mut self, name: &'a [u8]) -> bool {
        let full = self.len == TABLE_NAMES;
        if full && name > self.greatest() {
            self.overflowed = true;
            return true;
        }
        let Err(place) = self.filled().binary_search(&name) else { return false };
        if full {
            self.overflowed = true;
        } else {
            self.len = self.len.saturating_add(1);
        }
        // Of a full table the greatest name drops out.
        if let Some(greater) = self.names.get_mut(place..self.len) {
            shift_in(greater, name);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as names, so that their order is the names' order.
    fn find(numbers: &[u32]) -> Option<usize> {
        let mut names = [[0u8; 4]; 2000];
        for (name, number) in names.iter_mut().zip(numbers) {
            *name = number.to_be_bytes();
        }
        let names = &names[..numbers.len()];
        find_duplicate(|| 0..names.len(), |&index| &names[index]).inspect(|&index| {
            assert!(names[..index].contains(&names[index]), "not the later of two equal names");
        })
    }

    #[test]
    fn distinct_names_in_any_order_are_distinct() {
        let mut numbers: [u32; 2000] = core::array::from_fn(|index| index as u32 + 1);
        assert_eq!(find(&numbers), None);
        numbers.reverse();
        assert_eq!(find(&numbers), None);
        // 7919 is prime and no factor of 2000: a permutation.
        let shuffled: [u32; 2000] = core::array::from_fn(|index| (index as u32 * 7919) % 2000 + 1);
        assert_eq!(find(&shuffled), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn every_pair_of_equal_names_is_found() {
        for orders in [|index: u32| index, |index| 2000 - index, |index| (index * 7919) % 2000] {
            let distinct: [u32; 2000] = core::array::from_fn(|index| orders(index as u32) + 1);
            for (first, second) in
                [(0, 1), (0, 1999), (254, 256), (255, 256), (1998, 1999), (700, 1300), (1999, 3)]
            {
                let mut numbers = distinct;
                numbers[second] = numbers[first];
                assert_eq!(find(&numbers), Some(first.max(second)), "{first} {second}");
            }
        }
    }
}
