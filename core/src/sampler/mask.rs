//! What a constraint allows: bit `id % 32` of word `id / 32` is 1 where token `id` may come next.

/// Words of a mask over `n_vocab` tokens.
pub const fn mask_words(n_vocab: usize) -> usize {
    n_vocab.div_ceil(32)
}

/// Whether `mask` allows token `id`; no mask allows all.
pub(super) fn allows(mask: Option<&[u32]>, id: u32) -> bool {
    mask.is_none_or(|words| words[id as usize / 32] >> (id % 32) & 1 == 1)
}

/// The tokens below `n_vocab` that `mask` allows, ascending.
pub(super) fn allowed(mask: &[u32], n_vocab: usize) -> impl Iterator<Item = u32> {
    (0u32..).step_by(32).zip(mask).flat_map(move |(first, &word)| {
        let mut left = word;
        core::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            let id = first + bit;
            ((id as usize) < n_vocab).then_some(id)
        })
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn bits_are_tokens_and_those_beyond_the_vocabulary_are_none() {
        let mask = [1 << 31 | 1, 0, u32::MAX];
        assert_eq!(mask_words(70), mask.len());
        let ids: Vec<u32> = allowed(&mask, 70).collect();
        assert_eq!(ids, [0, 31, 64, 65, 66, 67, 68, 69]);
        for id in 0..70 {
            assert_eq!(allows(Some(&mask), id), ids.contains(&id), "{id}");
            assert!(allows(None, id));
        }
        assert_eq!(allowed(&[0, 0], 64).count(), 0);
    }
}
