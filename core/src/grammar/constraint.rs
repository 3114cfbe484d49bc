//! A grammar and a vocabulary joined: which tokens may come next, for a text in progress.

use super::automaton::Automaton;
use super::cache::Cache;
use super::closing::in_tokens;
use super::compile::Grammar;
use super::error::GrammarError;
use super::matcher::Matcher;
use super::narrow::FirstToken;
use super::trie::{TokenBytes, Trie, has_bit, set_bit};
use super::walk::Levels;

/// Most tokens that end a text.
pub(super) const MAX_ENDS: usize = 32;

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The one that must, where there is but one and it does not end the text.
    pub only: Option<u32>,
    /// Whether the text may end here. Where it may not go on, it must.
    pub may_end: bool,
    /// Whether the text may go on.
    pub may_go_on: bool,
}

impl Allowed {
    /// What `mask` allows, to which `ends` are added where the text may end.
    pub(super) fn of(mask: &mut [u32], ends: &[u32], may_end: bool) -> Self {
        let mut some = (0u32..).zip(&*mask).filter(|&(_, &bits)| bits != 0);
        let first = some.next();
        let only = match first {
            Some((word, &bits)) if bits.is_power_of_two() && !may_end && some.next().is_none() => {
                Some(word * 32 + bits.trailing_zeros())
            }
            _ => None,
        };
        let may_go_on = first.is_some();
        if may_end {
            ends.iter().for_each(|&end| set_bit(mask, end));
        }
        Self { only, may_end, may_go_on }
    }
}

/// What a text must be, token by token. A build that has no constraint links none.
pub trait Constrain {
    /// Tokens with which the text can be completed for certain; 0 where it is complete.
    fn tokens_to_close(&self) -> u32;

    /// Finds what may come next when at most `left` more tokens may: [`Self::mask`].
    ///
    /// At least one token may, or the text may end, as long as `left` is at least
    /// [`Self::tokens_to_close`] at the beginning and one less after each token.
    fn allow(&mut self, left: u32) -> Allowed;

    /// Takes away tokens that the tokenizer would not write behind `last`, where few texts may
    /// follow: the one that is left, where it is but one and the text may not end.
    fn narrow(&mut self, last: Option<u32>) -> Option<u32> {
        let _ = last;
        None
    }

    /// A bit for each token, as [`Self::allow`] and [`Self::narrow`] have left them.
    fn mask(&self) -> &[u32];

    /// How many of `tokens` may follow one after the other, whatever they leave to close; nothing
    /// changes. A token without bytes is none of a text.
    fn follow(&self, tokens: &[u32], vocabulary: &dyn TokenBytes) -> usize;

    /// Takes a token that was allowed. `false` where no text begins so.
    fn accept_token(&mut self, token: u32, vocabulary: &dyn TokenBytes) -> bool;
}

/// What finding masks has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Masks that were walked; the others were known.
    pub walks: u64,
    /// Nodes of the vocabulary's tree that were looked at.
    pub nodes: u64,
    /// How often the automaton was stepped for one: what takes longest.
    pub steps: u64,
}

/// A constraint on one text.
///
/// Its size is fixed (about 35 KiB), whatever the grammar and the text.
pub struct Constraint<'m> {
    pub(super) automaton: Automaton<'m>,
    pub(super) trie: Trie<'m>,
    pub(super) matcher: Matcher,
    levels: Levels,
    cache: Cache<'m>,
    /// A bit for each token that may come next. `[n_vocab / 32]`
    pub(super) mask: &'m mut [u32],
    /// What [`Constrain::narrow`] leaves of it. `[n_vocab / 32]`
    pub(super) narrowed: &'m mut [u32],
    /// Whether it chose the tokens that this mask, or the one before, has left.
    pub(super) is_narrowed: bool,
    pub(super) was_narrowed: bool,
    /// What `narrow` asks; without one, the mask stays as it is.
    tokenizer: Option<&'m dyn FirstToken>,
    pub(super) ends: heapless::Vec<u32, MAX_ENDS>,
    /// The next token is one of the closing, whatever else its bytes could mean.
    closes: bool,
    effort: Effort,
}

impl<'m> Constraint<'m> {
    /// Words of memory for a vocabulary of `tokens` and a cache of `masks` masks.
    pub const fn words(tokens: u32, masks: usize) -> usize {
        let mask_words = (tokens as usize).div_ceil(32);
        2 * mask_words + Cache::words_of(masks, mask_words)
    }

    /// Joins a compiled grammar, which is bound to the vocabulary in place, with the vocabulary's
    /// tree. `tokens` is how many there are, `ends` are those that end a text; `words` is at least
    /// [`Self::words`] for no masks, and what there is more are masks.
    pub fn new(
        grammar: Grammar<'m>,
        trie: Trie<'m>,
        tokens: u32,
        ends: impl IntoIterator<Item = u32>,
        words: &'m mut [u32],
    ) -> Result<Self, GrammarError> {
        in_tokens(grammar.words, trie)?;
        let automaton = Automaton::from_words(grammar.words);
        let mask_words = (tokens as usize).div_ceil(32).min(words.len());
        let (mask, words) = words.split_at_mut(mask_words);
        let (narrowed, cache) = words.split_at_mut(mask_words.min(words.len()));
        Ok(Self {
            automaton,
            trie,
            matcher: Matcher::new(&automaton),
            levels: Levels::new(),
            cache: Cache::new(cache, mask_words, trie.longest()),
            mask,
            narrowed,
            is_narrowed: false,
            was_narrowed: false,
            tokenizer: None,
            ends: ends.into_iter().filter(|&end| end < tokens).take(MAX_ENDS).collect(),
            closes: false,
            effort: Effort::default(),
        })
    }

    /// Lets [`Constrain::narrow`] ask what `tokenizer` would write.
    pub fn narrowed_by(self, tokenizer: &'m dyn FirstToken) -> Self {
        Self { tokenizer: Some(tokenizer), ..self }
    }

    /// Bytes of all of it: grammar, tree, masks and the text in progress.
    pub fn bytes(&self) -> u64 {
        let words = self.automaton.words().len() + 2 * self.mask.len() + self.cache.len();
        (4 * words + self.trie.bytes() + size_of::<Self>()) as u64
    }

    /// Begins a new text.
    pub fn restart(&mut self) {
        self.matcher = Matcher::new(&self.automaton);
        self.closes = false;
        self.is_narrowed = false;
    }

    fn find_mask(&mut self, left_after: u32) {
        let Self { automaton, trie, matcher, levels, cache, mask, effort, .. } = self;
        if cache.find(*automaton, matcher, left_after, mask) {
            return;
        }
        let walked = levels.walk(*automaton, matcher, *trie, left_after, mask);
        effort.walks += 1;
        effort.nodes += u64::from(walked.nodes);
        effort.steps += u64::from(walked.steps);
        cache.keep(*automaton, matcher, walked, mask);
    }

    /// Nothing else is left: the token that brings the closing nearest to its end.
    fn allow_closing(&mut self) {
        let Some(shortest) = self.matcher.shortest(&self.automaton) else { return };
        self.matcher.keep_only(shortest);
        let mut ahead = self.matcher.clone();
        let (mut node, mut best) = (None, None);
        while let Some(byte) = ahead.push_closing(&self.automaton) {
            node = self.trie.child(node, byte);
            let Some(node) = node else { break };
            let Some(&token) = self.trie.tokens(node).first() else { continue };
            let closing = ahead.tokens_to_close(&self.automaton);
            if best.is_none_or(|(fewest, _)| closing < fewest) {
                best = Some((closing, token));
            }
        }
        if let Some((_, token)) = best {
            set_bit(self.mask, token);
            self.closes = true;
        }
    }

    /// What all masks have taken so far, of all texts.
    pub const fn effort(&self) -> Effort {
        self.effort
    }

    /// Whether a token was allowed.
    pub fn allows(&self, token: u32) -> bool {
        has_bit(self.mask, token)
    }

    /// Takes the bytes of a token that was allowed. `false` where no text begins so.
    pub fn accept(&mut self, bytes: &[u8]) -> bool {
        if self.closes {
            return bytes
                .iter()
                .all(|&byte| self.matcher.push_closing(&self.automaton) == Some(byte));
        }
        bytes.iter().all(|&byte| self.matcher.push(&self.automaton, byte))
    }
}

impl Constrain for Constraint<'_> {
    fn tokens_to_close(&self) -> u32 {
        self.matcher.tokens_to_close(&self.automaton)
    }

    fn allow(&mut self, left: u32) -> Allowed {
        self.closes = false;
        let may_end = self.tokens_to_close() == 0;
        match left.checked_sub(1) {
            Some(left_after) => self.find_mask(left_after),
            None => self.mask.fill(0),
        }
        if !may_end && left > 0 && self.mask.iter().all(|&word| word == 0) {
            self.allow_closing();
        }
        let allowed = Allowed::of(self.mask, &self.ends, may_end);
        self.was_narrowed = self.is_narrowed;
        // Of one token nothing can be taken away.
        self.is_narrowed = self.was_narrowed && allowed.only.is_some();
        allowed
    }

    fn narrow(&mut self, last: Option<u32>) -> Option<u32> {
        // The closing's tokens are what they must be.
        let has_room = self.narrowed.len() == self.mask.len();
        let tokenizer = self.tokenizer.filter(|_| !self.closes && has_room)?;
        self.narrow_mask(last, tokenizer)
    }

    fn mask(&self) -> &[u32] {
        self.mask
    }

    fn follow(&self, tokens: &[u32], vocabulary: &dyn TokenBytes) -> usize {
        let mut ahead = self.matcher.clone();
        let mut follows = |token: u32| {
            let (mut follows, mut length) = (true, 0);
            vocabulary.bytes(token, &mut |bytes| {
                length += bytes.len();
                follows = follows && bytes.iter().all(|&byte| ahead.push(&self.automaton, byte));
            });
            follows && length > 0
        };
        tokens.iter().take_while(|&&token| follows(token)).count()
    }

    fn accept_token(&mut self, token: u32, vocabulary: &dyn TokenBytes) -> bool {
        let mut begins = true;
        vocabulary.bytes(token, &mut |bytes| begins = begins && self.accept(bytes));
        begins
    }
}
