//! Layer 6: text to tokens and back.
//!
//! [`Tokenizer`] is SentencePiece (`tokenizer.ggml.model` = `llama`), byte-level BPE (`gpt2`) or
//! BPE of characters (`gemma4`), read from a GGUF header. It gives the ids that llama.cpp gives for
//! the same file, for all text that is valid UTF-8, and bytes come back from their ids unchanged
//! where every byte has a token.
//!
//! Memory: token texts, scores and types stay in the file. The arena holds at most 6 bytes a token,
//! 8 a merge and 1 KiB ([`Tokenizer::plan`] says it to the byte). Encoding works in scratch memory
//! of the caller ([`Tokenizer::scratch_words`]) and takes O(n log n) for n bytes.
//!
//! Defined where llama.cpp aborts or is silent: of tokens with equal text the lowest id is found;
//! an empty token is never found, nor is one whose type is unused or undefined; a merge that names
//! a text that is no token is left out; a key that names a special id beyond the vocabulary counts
//! as absent, and a default there as nothing; a token typed as a byte but not spelled `<0xXX>` is
//! text; a character without a token becomes byte tokens, then the unknown token (SentencePiece),
//! or vanishes (BPE: few vocabularies lack a byte, and then a rare one).

#[deny(clippy::indexing_slicing)]
mod bpe;
mod decoder;
mod error;
#[deny(clippy::indexing_slicing)]
mod fallback;
#[deny(clippy::indexing_slicing)]
mod joined;
mod merge;
mod partition;
#[deny(clippy::indexing_slicing)]
mod patterns;
#[deny(clippy::indexing_slicing)]
mod piece;
pub mod pre_tokenizer;
#[deny(clippy::indexing_slicing)]
mod run_table;
mod special;
mod spelling;
#[deny(clippy::indexing_slicing)]
mod spm;
#[deny(clippy::indexing_slicing)]
mod unicode;
mod unicode_tables;
#[deny(clippy::indexing_slicing)]
mod vocabulary;

pub use decoder::Decoder;
pub use error::{EncodeError, TokenizerError};
pub use piece::Piece;
pub use pre_tokenizer::PreTokenizer;
pub use special::TokenKind;

use bpe::Bpe;
use fallback::Fallback;
use joined::Joined;
use merge::{NO_TOKEN, WORDS_PER_BYTE};
use partition::Partition;
use special::{Defaults, SpecialTokens};
use spelling::Spelling;
use spm::Spm;
use vocabulary::Vocabulary;

use crate::gguf::{Gguf, Numbers};
use crate::mem::{ArenaFull, Memory, MemoryExt, MemoryPlan, Purpose};
use crate::text::{Name, Segment};

/// How text becomes tokens.
enum Algorithm<'m> {
    Spm(Spm<'m>),
    Bpe(Bpe<'m>),
}

/// Which of them a file asks for.
#[derive(Clone, Copy)]
enum Model {
    Spm,
    Bpe(&'static PreTokenizer),
}

impl Model {
    /// The ids of special tokens that the file does not name.
    fn defaults(self) -> Defaults {
        match self {
            Self::Spm => Defaults { bos: Some(1), eos: Some(2), unknown: Some(0) },
            Self::Bpe(pre) => {
                let eos = (pre.spelling == Spelling::ByteAlphabet).then_some(11);
                Defaults { bos: pre.default_bos, eos, unknown: None }
            }
        }
    }

    fn spelling(self) -> Spelling {
        match self {
            Self::Spm => Spelling::SpaceMark,
            Self::Bpe(pre) => pre.spelling,
        }
    }
}

/// A model's tokenizer.
pub struct Tokenizer<'m> {
    vocabulary: Vocabulary<'m>,
    special: SpecialTokens,
    partition: Partition,
    algorithm: Algorithm<'m>,
    /// The token of each byte, or [`NO_TOKEN`]. `[256]`
    byte_tokens: &'m [u32],
    /// A bit for each token that may be chosen; empty where all may.
    possible: &'m [u32],
    add_bos: bool,
    add_eos: bool,
    add_space_prefix: bool,
    /// White space after a special token is dropped (Phi-3).
    strips_after_special: bool,
}

/// Takes room for the token of each byte.
fn take_byte_tokens<'m>(memory: &mut dyn Memory<'m>) -> Result<&'m mut [u32], ArenaFull> {
    let byte_tokens = memory.take(Purpose::Tokenizer, 256);
    memory.check()?;
    Ok(byte_tokens)
}

/// The tokens that the file forbids the model to choose. Ids that do not exist are passed over.
fn suppressed(gguf: &Gguf<'_>) -> Result<impl Iterator<Item = u32>, TokenizerError> {
    let ids = match gguf.array("tokenizer.ggml.suppress_tokens")? {
        Some(array) => Some(array.i32s()?),
        None => None,
    };
    let tokens = Vocabulary::count(gguf)?;
    let ids = ids.into_iter().flat_map(Numbers::iter).filter_map(|id| u32::try_from(id).ok());
    Ok(ids.filter(move |&id| u64::from(id) < tokens))
}

/// Takes room for a bit for each token, if there are tokens that must not be chosen.
fn take_possible<'m>(
    gguf: &Gguf<'_>,
    memory: &mut dyn Memory<'m>,
) -> Result<&'m mut [u32], TokenizerError> {
    let has_some = Vocabulary::has_unused(gguf)? || suppressed(gguf)?.next().is_some();
    let words = if has_some { Vocabulary::count(gguf)?.div_ceil(32) } else { 0 };
    let possible = memory.take(Purpose::Tokenizer, words);
    memory.check()?;
    Ok(possible)
}

impl<'m> Tokenizer<'m> {
    /// Counts the memory that [`Self::new`] takes, to the byte.
    pub fn plan(gguf: &Gguf<'_>, plan: &mut MemoryPlan) -> Result<(), TokenizerError> {
        Self::plan_with(gguf, plan, pre_tokenizer::ALL)
    }

    /// Counts the memory that [`Self::with_pre_tokenizers`] takes, to the byte.
    pub fn plan_with(
        gguf: &Gguf<'_>,
        plan: &mut MemoryPlan,
        pre_tokenizers: &[&'static PreTokenizer],
    ) -> Result<(), TokenizerError> {
        // No memory is worth planning for a text that cannot be tokenized.
        model_of(gguf, pre_tokenizers)?;
        Vocabulary::take(gguf, plan)?;
        take_byte_tokens(plan)?;
        take_possible(gguf, plan)?;
        if matches!(model_name(gguf)?, b"gpt2" | b"gemma4") {
            Bpe::take(gguf, plan)?;
        }
        Ok(())
    }

    /// The tokenizer of a file, with any pre-tokenizer that there is.
    pub fn new(gguf: &Gguf<'m>, memory: &mut dyn Memory<'m>) -> Result<Self, TokenizerError> {
        Self::with_pre_tokenizers(gguf, memory, pre_tokenizer::ALL)
    }

    /// [`Self::new`] with a choice of pre-tokenizers: what is not in the list is not linked.
    /// SentencePiece needs none.
    #[inline(never)]
    pub fn with_pre_tokenizers(
        gguf: &Gguf<'m>,
        memory: &mut dyn Memory<'m>,
        pre_tokenizers: &[&'static PreTokenizer],
    ) -> Result<Self, TokenizerError> {
        let model = model_of(gguf, pre_tokenizers)?;
        let vocabulary = Vocabulary::new(gguf, memory)?;
        let special = SpecialTokens::new(gguf, &vocabulary, model.defaults())?;
        let byte_tokens = take_byte_tokens(memory)?;
        for (slot, byte) in byte_tokens.iter_mut().zip(0..=255) {
            *slot = byte_token(&vocabulary, model.spelling(), byte).unwrap_or(NO_TOKEN);
        }
        let possible = take_possible(gguf, memory)?;
        for (word, ids) in possible.iter_mut().zip((0..).step_by(32)) {
            let is_possible =
                |id: u32| special.is_end(id) || special.kind(&vocabulary, id) != TokenKind::Unused;
            *word = (0..32).fold(0, |word, bit| word | u32::from(is_possible(ids + bit)) << bit);
        }
        for id in suppressed(gguf)? {
            possible[id as usize / 32] &= !(1 << (id % 32));
        }
        let algorithm = match model {
            Model::Spm => Algorithm::Spm(Spm::new(gguf, &vocabulary)?),
            Model::Bpe(pre) => Algorithm::Bpe(Bpe::new(gguf, &vocabulary, pre, memory)?),
        };
        let (adds_bos, always_bos, adds_space) = match model {
            Model::Spm => (true, false, true),
            Model::Bpe(pre) => (pre.add_bos, pre.always_bos, false),
        };
        let add_bos = gguf.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos);
        Ok(Self {
            partition: Partition::new(&vocabulary, &special),
            add_bos: add_bos || always_bos,
            add_eos: gguf.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false),
            add_space_prefix: gguf.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(adds_space),
            strips_after_special: is_phi_3(gguf)?,
            vocabulary,
            special,
            algorithm,
            byte_tokens,
            possible,
        })
    }

    /// Words of scratch memory with which [`Self::encode`] never fails for texts of up to
    /// `text_bytes`: four for each byte and for a space before the first.
    ///
    /// Less is often enough: only the longest run of text that must be seen as a whole counts,
    /// which is a word for byte-level BPE and for SentencePiece vocabularies without tokens across
    /// words.
    pub const fn scratch_words(text_bytes: usize) -> usize {
        text_bytes.saturating_add(1).saturating_mul(WORDS_PER_BYTE)
    }

    /// Tokenizes the concatenation of `segments`; `emit` gets the ids in order.
    ///
    /// With `add_special`, BOS and EOS are added where the model wants them. After an error, what
    /// was emitted is to be thrown away.
    pub fn encode(
        &self,
        segments: &[Segment<'_>],
        add_special: bool,
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let text = Joined::new(segments)?;
        if add_special && self.add_bos {
            self.special.bos.into_iter().for_each(&mut *emit);
        }
        let mut at = 0;
        loop {
            let found = self.partition.next(&self.vocabulary, &self.special, &text, at);
            let end = found.map_or(text.len(), |found| found.start);
            if at < end {
                // Every such text is the first or comes after a special token.
                let adds_space = self.add_space_prefix;
                self.encode_text(&text, (at, end), adds_space, scratch, emit)?;
            }
            let Some(found) = found else { break };
            emit(found.token);
            at = found.end;
            if self.strips_after(found.token) {
                while at < text.len() && matches!(text.byte(at), b' ' | b'\t'..=b'\r') {
                    at += 1;
                }
            }
        }
        if add_special && self.add_eos {
            self.special.eos.into_iter().for_each(emit);
        }
        Ok(())
    }

    /// Tokenizes text that stands within another: nothing is put before it, and what looks like a
    /// special token is text.
    pub fn encode_within(
        &self,
        text: &[u8],
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let text = &[Segment::plain(text)];
        let text = Joined::new(text)?;
        self.encode_text(&text, (0, text.len()), false, scratch, emit)
    }

    /// Tokenizes `text[start..end]`, which holds no special token.
    fn encode_text(
        &self,
        text: &Joined<'_>,
        range: (usize, usize),
        adds_space: bool,
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let (vocabulary, byte_tokens) = (&self.vocabulary, self.byte_tokens);
        match &self.algorithm {
            Algorithm::Bpe(bpe) => {
                let tokens = Fallback { vocabulary, byte_tokens, unknown: None };
                bpe.encode(&tokens, text, range, scratch, emit)
            }
            Algorithm::Spm(spm) => {
                let unknown = self.special.unknown;
                let tokens = Fallback { vocabulary, byte_tokens, unknown };
                spm.encode(&tokens, text, range, adds_space, scratch, emit)
            }
        }
    }

    /// Phi-3's special tokens take the white space behind them, but for three.
    fn strips_after(&self, token: u32) -> bool {
        self.strips_after_special
            && !matches!(self.vocabulary.text(token), b"<unk>" | b"<s>" | b"<|endoftext|>")
    }

    /// Number of tokens; ids are below it.
    pub const fn vocabulary_len(&self) -> u32 {
        self.vocabulary.len()
    }

    /// The text that `token` stands for in generated text, byte by byte. Empty for control, unknown
    /// and unused tokens, see [`Self::raw_text`], and for ids that do not exist.
    pub fn piece(&self, token: u32) -> Piece<'m> {
        let text = self.vocabulary.text(token);
        match (self.kind(token), &self.algorithm) {
            (TokenKind::Control | TokenKind::Unknown | TokenKind::Unused, _) => Piece::raw(b""),
            (TokenKind::UserDefined, _) => Piece::raw(text),
            (TokenKind::Byte, _) => match byte_of(text) {
                Some(byte) => Piece::byte(byte),
                None => Piece::raw(text),
            },
            (TokenKind::Normal, Algorithm::Spm(_)) => Piece::spelled(text, Spelling::SpaceMark),
            (TokenKind::Normal, Algorithm::Bpe(bpe)) => {
                Piece::spelled(text, bpe.pre_tokenizer.spelling)
            }
        }
    }

    /// [`Self::piece`] in slices of up to 64 bytes.
    pub fn token_bytes(&self, token: u32, out: &mut dyn FnMut(&[u8])) {
        let mut piece = self.piece(token);
        let mut buffer = heapless::Vec::<u8, 64>::new();
        loop {
            buffer.clear();
            buffer.extend(piece.by_ref().take(buffer.capacity()));
            if buffer.is_empty() {
                return;
            }
            out(&buffer);
        }
    }

    /// A token's text as the file spells it, control tokens too.
    pub fn raw_text(&self, token: u32) -> &'m [u8] {
        self.vocabulary.text(token)
    }

    /// The token that the file spells so: `<|im_end|>`.
    pub fn id_of(&self, raw_text: &[u8]) -> Option<u32> {
        self.vocabulary.find_bytes(raw_text)
    }

    /// What `token` is.
    pub fn kind(&self, token: u32) -> TokenKind {
        self.special.kind(&self.vocabulary, token)
    }

    /// Whether `token` is structure, not text.
    pub fn is_control(&self, token: u32) -> bool {
        self.kind(token) == TokenKind::Control
    }

    /// The tokens that a model may choose, a bit each as a sampler's mask has it: all but unused
    /// and suppressed ones. `None` if the file has none of these.
    pub const fn possible(&self) -> Option<&[u32]> {
        if self.possible.is_empty() { None } else { Some(self.possible) }
    }

    /// The keys of special tokens, without `tokenizer.ggml.`, that name no token of the file's
    /// vocabulary. The format's defaults count in their place, or nothing.
    pub fn bad_special_keys<'g>(
        &self,
        gguf: &'g Gguf<'_>,
    ) -> impl Iterator<Item = &'static str> + 'g {
        special::bad_ids(gguf, self.vocabulary.len())
    }

    /// Whether a model that has generated `token` is done.
    pub fn is_end_of_generation(&self, token: u32) -> bool {
        self.special.is_end(token)
    }

    /// The token that begins a text.
    pub const fn bos(&self) -> Option<u32> {
        self.special.bos
    }

    /// The token that ends a text.
    pub const fn eos(&self) -> Option<u32> {
        self.special.eos
    }

    /// Whether [`Self::encode`] with `add_special` begins with BOS.
    pub const fn adds_bos(&self) -> bool {
        self.add_bos && self.special.bos.is_some()
    }

    /// Whether text gets a space before it that is not its own (SentencePiece).
    pub const fn adds_space(&self) -> bool {
        self.add_space_prefix && matches!(self.algorithm, Algorithm::Spm(_))
    }
}

fn model_name<'a>(gguf: &Gguf<'a>) -> Result<&'a [u8], TokenizerError> {
    let key = "tokenizer.ggml.model";
    gguf.string(key)?.ok_or(TokenizerError::MissingKey { key })
}

fn model_of(
    gguf: &Gguf<'_>,
    pre_tokenizers: &[&'static PreTokenizer],
) -> Result<Model, TokenizerError> {
    let offset = |key: &str| gguf.offset_of(key).unwrap_or(0);
    let bpe = |name: &[u8], key: &str| {
        pre_tokenizers.iter().find(|pre| pre.has_name(name)).map(|pre| Model::Bpe(pre)).ok_or(
            TokenizerError::UnsupportedPreTokenizer { offset: offset(key), name: Name::new(name) },
        )
    };
    match model_name(gguf)? {
        b"llama" => Ok(Model::Spm),
        // Its pre-tokenizer has the model's name, whatever the other key says.
        b"gemma4" => bpe(b"gemma4", "tokenizer.ggml.model"),
        b"gpt2" => {
            let key = "tokenizer.ggml.pre";
            let name = gguf.string(key)?.filter(|name| !name.is_empty()).unwrap_or(b"default");
            bpe(name, key)
        }
        name => {
            let offset = offset("tokenizer.ggml.model");
            Err(TokenizerError::UnsupportedModel { offset, name: Name::new(name) })
        }
    }
}

/// Whether the model's name says Phi-3, which is all that tells its special tokens from others'.
fn is_phi_3(gguf: &Gguf<'_>) -> Result<bool, TokenizerError> {
    let name = gguf.string("general.name")?.unwrap_or_default();
    let names =
        |known: &[u8]| name.windows(known.len()).any(|part| part.eq_ignore_ascii_case(known));
    Ok(names(b"phi-3") || names(b"phi3"))
}

/// The token for a byte that has no better one.
fn byte_token(vocabulary: &Vocabulary<'_>, spelling: Spelling, byte: u8) -> Option<u32> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if spelling == Spelling::ByteAlphabet {
        return vocabulary.find(spelling.of_byte(byte));
    }
    let digit = |nibble: u8| HEX[usize::from(nibble & 15)];
    let text = [b'<', b'0', b'x', digit(byte >> 4), digit(byte), b'>'];
    let find = |text: &[u8]| vocabulary.find(text.iter().copied());
    find(&text).or_else(|| find(&[byte]))
}

/// The byte that `<0xXX>` means; `None` for any other text.
fn byte_of(text: &[u8]) -> Option<u8> {
    let digit = |character: u8| char::from(character).to_digit(16);
    match *text {
        [b'<', b'0', b'x', high, low, b'>'] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    }
}
