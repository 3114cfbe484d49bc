//! A metadata key, whole or as `architecture.suffix`, compared without being put together.

use core::cmp::Ordering;

/// The name of a metadata value.
///
/// Most keys begin with the model's architecture (`llama.block_count`), which is known only at run
/// time; [`Key::of`] names them without the memory to join the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'k> {
    /// What comes before the dot; empty where `suffix` is the whole key.
    prefix: &'k str,
    suffix: &'k str,
}

impl<'k> Key<'k> {
    /// The key `name`, in full: `general.alignment`.
    pub const fn new(name: &'k str) -> Self {
        Self { prefix: "", suffix: name }
    }

    /// The key `prefix.suffix`: `Key::of("llama", "block_count")`.
    pub const fn of(prefix: &'k str, suffix: &'k str) -> Self {
        Self { prefix, suffix }
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        let dot = if self.prefix.is_empty() { "" } else { "." };
        self.prefix.bytes().chain(dot.bytes()).chain(self.suffix.bytes())
    }

    /// How the `stored` key sorts against this one, byte by byte.
    pub(super) fn order_of(self, stored: &[u8]) -> Ordering {
        stored.iter().copied().cmp(self.bytes())
    }
}

impl<'k> From<&'k str> for Key<'k> {
    fn from(name: &'k str) -> Self {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_two_parts_sorts_as_if_joined() {
        let key = Key::of("llama", "block_count");
        assert_eq!(key.order_of(b"llama.block_count"), Ordering::Equal);
        assert_eq!(key.order_of(b"llama.block_coun"), Ordering::Less);
        assert_eq!(key.order_of(b"llama.block_counts"), Ordering::Greater);
        assert_eq!(key.order_of(b"llamablock_count"), Ordering::Greater);
        assert_eq!(Key::new("llama.block_count").order_of(b"llama.block_count"), Ordering::Equal);
        assert_eq!(Key::from("a").order_of(b".a"), Ordering::Less);
    }
}
