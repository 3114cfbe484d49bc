//! What a schema says and its grammar does not hold, for whoever asked for the grammar to be told.

use super::super::error::GrammarError;

/// Most notes that are kept.
const MAX_NOTES: usize = 48;

/// Why a part of a schema is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// The draft does not know the keyword or the format, which JSON Schema calls an annotation.
    Ignored,
    /// The part cannot be held exactly: the grammar allows more ([`super::Reading::Relaxed`]).
    Widened,
}

/// A part of a schema that is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub kind: NoteKind,
    /// What it is, in a few words.
    pub what: &'static str,
    /// Where in the source it is, in bytes.
    pub offset: u32,
    /// Bytes of the source that are meant; 0 where it is the whole.
    pub length: u32,
}

impl Note {
    /// The part of `source` that is meant: a name or a value.
    pub fn part<'s>(&self, source: &'s [u8]) -> &'s [u8] {
        let start = self.offset as usize;
        source.get(start..start.saturating_add(self.length as usize)).unwrap_or_default()
    }
}

/// Notes, each name once, as far as there is room.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    kept: heapless::Vec<Note, MAX_NOTES>,
    left_out: u32,
}

impl Notes {
    /// No notes.
    pub const fn new() -> Self {
        Self { kept: heapless::Vec::new(), left_out: 0 }
    }

    /// Those that are kept, in the order in which they were met.
    pub fn as_slice(&self) -> &[Note] {
        &self.kept
    }

    /// How many more there were.
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Keeps a note but where one says the same; whether there was room.
    pub(super) fn add(&mut self, note: Note, source: &[u8]) -> bool {
        let same = |own: &Note| {
            (own.kind, own.what) == (note.kind, note.what)
                && (own.offset == note.offset
                    || note.kind == NoteKind::Ignored && own.part(source) == note.part(source))
        };
        if self.kept.iter().any(same) {
            return true;
        }
        let is_full = self.kept.len() + 1 >= MAX_NOTES;
        let is_kept = !is_full && self.kept.push(note).is_ok();
        self.left_out += u32::from(!is_kept);
        is_kept
    }

    /// Forgets what a reading before has ignored.
    pub(super) fn restart(&mut self) {
        self.kept.retain(|note| note.kind == NoteKind::Widened);
        self.left_out = 0;
    }

    /// Notes that a part is widened; whether that is new, and there is room.
    pub(super) fn widen(&mut self, what: &'static str, place: GrammarError) -> bool {
        let GrammarError { offset, length, .. } = place;
        let note = Note { kind: NoteKind::Widened, what, offset, length };
        let is_known = |own: &Note| own.kind == note.kind && own.offset == offset;
        // The last place is kept for the whole.
        let is_full = length > 0 && self.kept.len() + 1 >= MAX_NOTES;
        let is_new = !self.kept.iter().any(|own| is_known(own) && own.length == length);
        is_new && !is_full && self.kept.push(note).is_ok()
    }

    /// Whether the whole has been widened.
    pub(super) fn has_widened_whole(&self) -> bool {
        self.kept.iter().any(|note| note.kind == NoteKind::Widened && note.length == 0)
    }

    /// Whether the part at one of these places has been widened.
    pub(super) fn has_widened(&self, places: [usize; 2]) -> bool {
        self.kept
            .iter()
            .any(|note| note.kind == NoteKind::Widened && places.contains(&(note.offset as usize)))
    }

    /// Whether anything has been widened.
    pub(super) fn has_any_widened(&self) -> bool {
        self.kept.iter().any(|note| note.kind == NoteKind::Widened)
    }
}
