//! Drafts by a smaller model with the same vocabulary: what it would write itself.

use super::{Drafter, MAX_DRAFT};
use crate::sampler::argmax;
use crate::session::Session;

/// A model that guesses for another one.
///
/// Both models' tokens must mean the same; the caller has checked that. Where this one cannot go
/// on (its context is full, its weights cannot be read), there are no drafts.
pub struct ModelDraft<'m> {
    session: Session<'m>,
    /// The text as far as there is room. `[context]`
    text: &'m mut [u32],
    len: usize,
    /// The text is longer than there is room.
    is_full: bool,
    /// The last draft, and where in the text it begins.
    draft: [u32; MAX_DRAFT],
    drafted_at: usize,
}

impl<'m> ModelDraft<'m> {
    /// Drafts by the model of `session`, in which nothing is evaluated; `room` is for the text: as
    /// many tokens as the session's context has.
    pub fn new(session: Session<'m>, room: &'m mut [u32]) -> Self {
        let draft = [0; MAX_DRAFT];
        Self { session, text: room, len: 0, is_full: false, draft, drafted_at: 0 }
    }

    /// Evaluates what is new in the text, and writes on from it.
    fn write(&mut self, draft: &mut [u32]) -> Option<usize> {
        let evaluated = self.session.position() as usize;
        // Of what was drafted, only what has come since is part of the text.
        let drafts = &self.draft[..evaluated.saturating_sub(self.drafted_at).min(MAX_DRAFT)];
        let came = self.text[..self.len].get(self.drafted_at..).unwrap_or(&[]);
        let same = drafts.iter().zip(came).take_while(|(a, b)| a == b).count();
        let valid = evaluated.min(self.drafted_at + same).min(self.len.checked_sub(1)?);
        self.session.rewind(valid as u32);
        self.session.prefill(&self.text[valid..self.len], &mut |_| true).ok()?;
        self.drafted_at = self.len;
        for count in 0..draft.len() {
            let token = argmax(self.session.logits()).ok()?;
            (draft[count], self.draft[count]) = (token, token);
            if count + 1 < draft.len() && self.session.decode(token).is_err() {
                return Some(count + 1);
            }
        }
        Some(draft.len())
    }
}

impl Drafter for ModelDraft<'_> {
    fn accept(&mut self, token: u32) {
        match self.text.get_mut(self.len) {
            Some(place) => {
                *place = token;
                self.len += 1;
            }
            None => self.is_full = true,
        }
    }

    fn forget(&mut self) {
        self.session.rewind(0);
        (self.len, self.drafted_at, self.is_full) = (0, 0, false);
    }

    fn draft(&mut self, draft: &mut [u32]) -> usize {
        let most = draft.len().min(MAX_DRAFT);
        if self.is_full || most == 0 {
            return 0;
        }
        self.write(&mut draft[..most]).unwrap_or(0)
    }
}
