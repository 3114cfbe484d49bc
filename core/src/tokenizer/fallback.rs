//! What vocabularies of characters share: where a character ends, and what stands for one that has
//! no token of its own.

use super::merge::{NO_TOKEN, Symbol};
use super::spelling::{Spelling, Unit};
use super::vocabulary::Vocabulary;

/// What stands for a character that has no token.
pub(super) struct Fallback<'t> {
    pub(super) vocabulary: &'t Vocabulary<'t>,
    /// A token for each byte, or [`NO_TOKEN`]. `[256]`
    pub(super) byte_tokens: &'t [u32],
    pub(super) unknown: Option<u32>,
}

impl Fallback<'_> {
    /// Emits the tokens of the symbol's bytes.
    pub(super) fn spell(&self, unit: Unit<'_, '_>, symbol: Symbol, emit: &mut dyn FnMut(u32)) {
        for byte in unit.spelled(Spelling::SpaceMark, symbol.start, symbol.end) {
            let token = self.byte_tokens.get(usize::from(byte)).copied();
            if let Some(token) = token.filter(|&token| token != NO_TOKEN).or(self.unknown) {
                emit(token);
            }
        }
    }
}

/// Bytes of the character at `at`: as many as its first byte announces, whatever follows, as
/// llama.cpp reads it; but a space is never part of another character.
pub(super) fn character_bytes(unit: Unit<'_, '_>, at: usize) -> usize {
    let announced = match unit.byte(at) {
        0x00..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
    };
    let end = (at + announced).min(unit.len);
    (at + 1..end).find(|&i| unit.byte(i) == b' ').unwrap_or(end) - at
}
