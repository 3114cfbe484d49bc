//! What an answer with tools must be, token by token.
//!
//! A [`Turn`] reads the answer and says what comes next: any text, a fixed text of the template, or
//! a part of a call, which has a grammar. This module makes one constraint of that for the decode
//! loop. A call begins only where enough tokens are left to end it.

use super::tools::{Part, Tools, Turn, Wants};
use crate::constraint;
use crate::engine::text;
use picolm_core::grammar::{
    Allowed, Constrain, Constraint, Grammar, GrammarError, TokenBytes, Trie,
};
use picolm_core::tokenizer::Tokenizer;
use std::collections::VecDeque;
use std::sync::Arc;

/// A request's tools, with the grammars of their calls.
pub(super) struct Offer {
    pub(super) tools: Tools,
    /// Of a call's head, then of each tool's arguments.
    pub(super) grammars: Vec<Arc<[u32]>>,
    /// Tokens that close the longest of the tools' shortest arguments, behind their brace.
    pub(super) arguments_tokens: u32,
}

impl Offer {
    /// Tokens of the shortest call that is certain to be possible, its marker included.
    pub(super) fn tokens_of_call(
        &self,
        tokenizer: &Tokenizer<'_>,
        tree: &[u32],
    ) -> Result<u32, GrammarError> {
        let head = self.grammars.first().map_or(&[][..], |words| words);
        let head_tokens = tokens_to_close(head, b"", tokenizer, tree)?.unwrap_or(0);
        let open = encoded(tokenizer, &self.tools.spelling.open).len() as u32;
        Ok(open + head_tokens + self.arguments_tokens + self.tail(tokenizer))
    }

    /// Tokens of what follows a call's arguments.
    fn tail(&self, tokenizer: &Tokenizer<'_>) -> u32 {
        encoded(tokenizer, &format!("}}{}", self.tools.spelling.close)).len() as u32
    }
}

/// The tokens of a text of the template's.
fn encoded(tokenizer: &Tokenizer<'_>, text: &str) -> Vec<u32> {
    // What a template says has tokens: it was read in training.
    text::encode(tokenizer, text.as_bytes(), false, true).unwrap_or_default()
}

/// How many tokens complete the shortest text of a grammar that begins with `begun`; `None` where
/// no text does.
pub(super) fn tokens_to_close(
    grammar: &[u32],
    begun: &[u8],
    tokenizer: &Tokenizer<'_>,
    tree: &[u32],
) -> Result<Option<u32>, GrammarError> {
    let vocabulary = tokenizer.vocabulary_len();
    let mut mask = vec![0; Constraint::words(vocabulary, 0)];
    // Joining with a vocabulary changes the words.
    let mut words = grammar.to_vec();
    let (grammar, tree) = (Grammar::from_words(&mut words), Trie::from_words(tree));
    let mut constraint = Box::new(Constraint::new(grammar, tree, vocabulary, [], &mut mask)?);
    Ok(constraint.accept(begun).then(|| constraint.tokens_to_close()))
}

/// The memory of a text's constraints.
pub(super) struct CallMemory {
    /// The grammars, joined with the vocabulary as they are used.
    words: Vec<Vec<u32>>,
    masks: Vec<Vec<u32>>,
}

impl CallMemory {
    pub(super) fn new(offer: &Offer, n_vocab: u32) -> Self {
        let words: Vec<_> = offer.grammars.iter().map(|words| words.to_vec()).collect();
        let masks = words.iter().map(|_| vec![0; Constraint::words(n_vocab, 0)]).collect();
        Self { words, masks }
    }
}

/// The constraint of a part of calls.
enum Grammared<'c> {
    /// Grammar and mask, until the part is first written.
    Unused(&'c mut [u32], &'c mut [u32]),
    Used(Box<Constraint<'c>>),
    /// It cannot be joined with the vocabulary.
    Failed,
}

/// The constraint of an answer that may have calls.
pub(super) struct Calls<'c, 'm> {
    tokenizer: &'c Tokenizer<'m>,
    tree: &'c [u32],
    offer: &'c Offer,
    turn: Turn<'c>,
    /// Bytes of a character that is not whole yet.
    unread: Vec<u8>,
    /// Tokens of a template's text that come next.
    forced: VecDeque<u32>,
    /// Of the head, then of each tool's arguments.
    parts: Vec<Grammared<'c>>,
    /// The part in progress, and the call that it belongs to.
    part: Option<(Part, usize)>,
    /// Whether [`Constrain::mask`] is the part's.
    is_within: bool,
    /// Of a text that is free or forced. `[n_vocab / 32]`
    mask: Vec<u32>,
    /// What the vocabulary can say at all, and what ends a text.
    free: Vec<u32>,
    tail_tokens: u32,
}

impl<'c, 'm> Calls<'c, 'm> {
    /// For an answer that `turn` reads from its beginning.
    pub(super) fn new(
        tokenizer: &'c Tokenizer<'m>,
        tree: &'c [u32],
        offer: &'c Offer,
        turn: Turn<'c>,
        memory: &'c mut CallMemory,
    ) -> Self {
        let words = tokenizer.vocabulary_len().div_ceil(32) as usize;
        let mut free = match tokenizer.possible() {
            Some(possible) => possible.to_vec(),
            None => vec![u32::MAX; words],
        };
        free.resize(words, 0);
        for end in constraint::ends(tokenizer) {
            set(&mut free, end);
        }
        let grammars = memory.words.iter_mut().zip(&mut memory.masks);
        let parts = grammars.map(|(words, masks)| Grammared::Unused(words, masks)).collect();
        Self {
            tokenizer,
            tree,
            offer,
            turn,
            unread: Vec::new(),
            forced: VecDeque::new(),
            parts,
            part: None,
            is_within: false,
            mask: vec![0; words],
            free,
            tail_tokens: offer.tail(tokenizer),
        }
    }

    /// The constraint of a part, made when it is first asked for.
    fn constraint(&mut self, part: Part) -> Option<&mut Constraint<'c>> {
        let (tokenizer, tree) = (self.tokenizer, self.tree);
        let place = self.parts.get_mut(index(part))?;
        if let Grammared::Unused(..) = place
            && let Grammared::Unused(words, masks) = core::mem::replace(place, Grammared::Failed)
        {
            let (grammar, tree) = (Grammar::from_words(words), Trie::from_words(tree));
            let vocabulary = tokenizer.vocabulary_len();
            if let Ok(made) = Constraint::new(grammar, tree, vocabulary, [], masks) {
                *place = Grammared::Used(Box::new(made.narrowed_by(tokenizer)));
            }
        }
        match place {
            Grammared::Used(constraint) => Some(constraint),
            _ => None,
        }
    }

    /// Tokens to keep for what follows a part.
    fn reserve(&self, part: Part) -> u32 {
        match part {
            Part::Head => self.offer.arguments_tokens + self.tail_tokens,
            Part::Arguments(_) => self.tail_tokens,
        }
    }

    /// The answer ends here.
    fn ended(&mut self) -> Allowed {
        self.mask.fill(0);
        Allowed { only: None, may_end: true, may_go_on: false }
    }

    fn forced(&mut self, left: u32) -> Allowed {
        match self.forced.front() {
            Some(&token) if left > 0 => {
                self.mask.fill(0);
                set(&mut self.mask, token);
                Allowed { only: Some(token), may_end: false, may_go_on: true }
            }
            _ => self.ended(),
        }
    }

    fn within(&mut self, part: Part, left: u32) -> Allowed {
        let (at, reserve) = ((part, self.turn.calls()), self.reserve(part));
        let begins = self.part != Some(at);
        self.part = Some(at);
        let begun = if begins { self.turn.begun().to_owned() } else { String::new() };
        let Some(constraint) = self.constraint(part) else { return self.ended() };
        let mut is_anew = false;
        if begins {
            constraint.restart();
            if !constraint.accept(begun.as_bytes()) {
                // The token that ended the marker went on as no call does.
                constraint.restart();
                is_anew = true;
            }
            if part == Part::Head && left < constraint.tokens_to_close() + reserve {
                return self.ended();
            }
        }
        let allowed = constraint.allow(left.saturating_sub(reserve));
        if is_anew {
            self.turn.begin_again();
        }
        self.is_within = true;
        allowed
    }

    /// Reads the bytes of a token as far as they are whole characters.
    fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            let (whole, bad) = match core::str::from_utf8(&self.unread) {
                Ok(text) => (text.len(), 0),
                Err(error) => (error.valid_up_to(), error.error_len().unwrap_or(0)),
            };
            let text = self.unread.get(..whole).unwrap_or_default();
            self.turn.push(&String::from_utf8_lossy(text));
            if bad > 0 {
                self.turn.push("\u{FFFD}");
            }
            self.unread.drain(..whole + bad);
            if bad == 0 {
                break;
            }
        }
        // The reader for the client has events of its own.
        self.turn.events();
    }
}

const fn index(part: Part) -> usize {
    match part {
        Part::Head => 0,
        Part::Arguments(tool) => tool + 1,
    }
}

fn set(mask: &mut [u32], token: u32) {
    if let Some(word) = mask.get_mut(token as usize / 32) {
        *word |= 1 << (token % 32);
    }
}

impl Constrain for Calls<'_, '_> {
    fn tokens_to_close(&self) -> u32 {
        let forced = self.forced.len() as u32;
        match self.turn.wants() {
            Wants::Free | Wants::End => forced,
            Wants::Text(text) if forced == 0 => encoded(self.tokenizer, &text).len() as u32,
            Wants::Text(_) => forced,
            Wants::Part(part) => {
                let own = match self.parts.get(index(part)) {
                    Some(Grammared::Used(constraint)) => constraint.tokens_to_close(),
                    _ => self.offer.arguments_tokens,
                };
                own + self.reserve(part)
            }
        }
    }

    fn allow(&mut self, left: u32) -> Allowed {
        self.is_within = false;
        if !self.forced.is_empty() {
            return self.forced(left);
        }
        match self.turn.wants() {
            Wants::End => self.ended(),
            Wants::Free if left == 0 => self.ended(),
            Wants::Free => {
                self.mask.copy_from_slice(&self.free);
                Allowed { only: None, may_end: true, may_go_on: true }
            }
            Wants::Text(text) => {
                self.forced.extend(encoded(self.tokenizer, &text));
                self.forced(left)
            }
            Wants::Part(part) => self.within(part, left),
        }
    }

    fn narrow(&mut self, last: Option<u32>) -> Option<u32> {
        let (part, _) = self.part.filter(|_| self.is_within)?;
        self.constraint(part)?.narrow(last)
    }

    fn mask(&self) -> &[u32] {
        let part = self.part.filter(|_| self.is_within);
        match part.and_then(|(part, _)| self.parts.get(index(part))) {
            Some(Grammared::Used(constraint)) => constraint.mask(),
            _ => &self.mask,
        }
    }

    fn follow(&self, _: &[u32], _: &dyn TokenBytes) -> usize {
        // Nothing is drafted here.
        0
    }

    fn accept_token(&mut self, token: u32, vocabulary: &dyn TokenBytes) -> bool {
        let is_forced = self.forced.front() == Some(&token);
        if is_forced {
            self.forced.pop_front();
        } else if !self.forced.is_empty() {
            return false;
        }
        if self.is_within
            && let Some((part, _)) = self.part
            && !self.constraint(part).is_some_and(|it| it.accept_token(token, vocabulary))
        {
            return false;
        }
        let mut bytes = Vec::new();
        self.tokenizer.token_bytes(token, &mut |part| bytes.extend_from_slice(part));
        if bytes.is_empty() && self.tokenizer.is_control(token) {
            // Some files have markers of calls as control tokens.
            bytes.extend_from_slice(self.tokenizer.raw_text(token));
        }
        self.read(&bytes);
        true
    }
}
