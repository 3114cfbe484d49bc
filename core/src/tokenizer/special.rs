//! Special tokens: which ids begin, end and structure a text, and what kind of token each id is.
//!
//! A file names them by keys; what it does not name is found by well-known texts, since many files
//! leave out, or type wrongly, the token that ends a turn. The lists are llama.cpp's.

use heapless::Vec;

use super::error::TokenizerError;
use super::vocabulary::Vocabulary;
use crate::gguf::{Gguf, GgufError, GgufErrorKind, Key};

/// What a token is, which decides how it is recognised and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for what the vocabulary has no token for.
    Unknown,
    /// Structure (`<s>`, `<|im_end|>`): recognised in templates only, not shown.
    Control,
    /// Recognised in all text, before anything else, and shown.
    UserDefined,
    /// One byte, spelled `<0xXX>`.
    Byte,
    /// A row without a meaning (`[PAD305]`): no text becomes it, and it is not shown.
    Unused,
}

/// Ids that end generation: the texts below, with room for those that keys add.
const MAX_ENDS: usize = 32;

/// Tokens whose kind is not what the file says.
const MAX_OVERRIDES: usize = 64;

/// Ends generation.
const END: u16 = 1 << 0;
/// Ends a turn.
const TURN: u16 = 1 << 1;
/// Ends a message that a tool answers.
const MESSAGE: u16 = 1 << 2;
/// Shown although it looks like structure.
const SHOWN: u16 = 1 << 3;
/// Fill-in-the-middle: what only has to be a control token.
const FIM_PREFIX: u16 = 1 << 4;
const FIM_SUFFIX: u16 = 1 << 5;
const FIM_MIDDLE: u16 = 1 << 6;
/// Fill-in-the-middle: what ends generation too.
const FIM_PAD: u16 = 1 << 7;
const FIM_REPOSITORY: u16 = 1 << 8;
const FIM_FILE: u16 = 1 << 9;

/// Texts by which special tokens are known, those of a role in one string with spaces between
/// them (a table of 61 is 1 kB larger), the likelier first where several have a role.
const WELL_KNOWN: [(u16, &str); 10] = [
    (
        END | TURN,
        "<|eot_id|> <|im_end|> <|end|> <end_of_turn> <|endoftext|> <|end_of_text|> <EOT> _<EOT> \
         [EOT] <｜end▁of▁sentence｜> <end_of_utterance>",
    ),
    (END | MESSAGE, "<|eom_id|>"),
    (END, "<|return|> <|call|> <|flush|> <|calls|> </s> [EOS] <eos> <turn|> <|tool_response> [e~["),
    (
        FIM_PREFIX,
        "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> \
         <|prefix|>",
    ),
    (
        FIM_SUFFIX,
        "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> \
         <|suffix|>",
    ),
    (
        FIM_MIDDLE,
        "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> \
         <|middle|>",
    ),
    (FIM_PAD, "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]"),
    (FIM_REPOSITORY, "<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame>"),
    (FIM_FILE, "<|file_sep|>"),
    // GPT-OSS: the headings of its answer.
    (SHOWN, "<|channel|> <|message|> <|start|> <|constrain|>"),
];

/// The texts of an entry of [`WELL_KNOWN`].
fn texts_of(joined: &str) -> impl Iterator<Item = &[u8]> {
    joined.as_bytes().split(|&byte| byte == b' ')
}

/// How many those are.
const fn count_of(joined: &str) -> usize {
    let (mut spaces, mut at) = (0, 0);
    while at < joined.len() {
        spaces += (joined.as_bytes()[at] == b' ') as usize;
        at += 1;
    }
    spaces + 1
}

/// The ids of special tokens.
pub(super) struct SpecialTokens {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unknown: Option<u32>,
    /// Tokens that end generation.
    ends: Vec<u32, MAX_ENDS>,
    /// Kinds that are not the file's.
    overrides: Vec<(u32, TokenKind), MAX_OVERRIDES>,
}

/// Ids that a model kind has where the file names none.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unknown: Option<u32>,
}

impl SpecialTokens {
    pub(super) fn new(
        gguf: &Gguf<'_>,
        vocabulary: &Vocabulary<'_>,
        defaults: Defaults,
    ) -> Result<Self, TokenizerError> {
        let id = |name| id_of_key(gguf, name, vocabulary.len());
        // A default beyond a tiny vocabulary means nothing, as does an id that a key names.
        let known = |default: Option<u32>| default.filter(|&id| id < vocabulary.len());
        let mut special = Self {
            bos: id("bos_token_id")?.or(known(defaults.bos)),
            eos: id("eos_token_id")?.or(known(defaults.eos)),
            unknown: id("unknown_token_id")?.or(known(defaults.unknown)),
            ends: Vec::new(),
            overrides: Vec::new(),
        };
        let turn = id("eot_token_id")?;
        let message = id("eom_token_id")?;
        let fim_pad = id("fim_pad_token_id")?;
        let fim_repository = id("fim_rep_token_id")?;
        let fim_file = id("fim_sep_token_id")?;
        let roles_by_key = role(TURN, turn)
            | role(MESSAGE, message)
            | role(FIM_PREFIX, id("fim_pre_token_id")?.or(id("prefix_token_id")?))
            | role(FIM_SUFFIX, id("fim_suf_token_id")?.or(id("suffix_token_id")?))
            | role(FIM_MIDDLE, id("fim_mid_token_id")?.or(id("middle_token_id")?))
            | role(FIM_PAD, fim_pad)
            | role(FIM_REPOSITORY, fim_repository)
            | role(FIM_FILE, fim_file);

        special.find_well_known(vocabulary, roles_by_key);
        for end in [special.eos, turn, message, fim_pad, fim_repository, fim_file] {
            end.into_iter().for_each(|token| special.add_end(token));
        }
        special.correct_ends(vocabulary);
        Ok(special)
    }

    /// Roles that no key has given go to the first token whose text is known for them.
    fn find_well_known(&mut self, vocabulary: &Vocabulary<'_>, mut given: u16) {
        let texts = |(roles, joined)| texts_of(joined).map(move |text| (roles, text));
        for (roles, text) in WELL_KNOWN.into_iter().flat_map(texts) {
            let open = roles & (!given | END | SHOWN);
            let Some(token) = vocabulary.find_bytes(text) else { continue };
            if open & SHOWN != 0 {
                self.set_kind(token, TokenKind::UserDefined);
            } else if open != 0 {
                self.set_kind(token, TokenKind::Control);
            }
            if open & (END | FIM_PAD | FIM_REPOSITORY | FIM_FILE) != 0 {
                self.add_end(token);
            }
            given |= roles;
        }
    }

    /// `<|end|>` ends only a part of the answer where others end all of it, and `</s>` is text in
    /// the vocabularies that have `<|tool_response>`.
    fn correct_ends(&mut self, vocabulary: &Vocabulary<'_>) {
        let end = |text: &str| {
            vocabulary.find_bytes(text.as_bytes()).filter(|token| self.ends.contains(token))
        };
        let call = end("<|call|>").or(end("<|calls|>"));
        let whole = end("<|return|>").or(end("<|flush|>"));
        let part = end("<|end|>").filter(|_| call.is_some() && whole.is_some());
        let text =
            end("</s>").filter(|_| end("<|tool_response>").or(end("<|plamo:eos|>")).is_some());
        for (token, kind) in [(part, TokenKind::UserDefined), (text, TokenKind::Normal)] {
            let Some(token) = token else { continue };
            self.ends.retain(|&end| end != token);
            self.set_kind(token, kind);
        }
    }

    /// There is room: the list above and six keys.
    fn add_end(&mut self, token: u32) {
        if !self.ends.contains(&token) {
            let _ = self.ends.push(token);
        }
    }

    /// There is room: one for each entry of the list above.
    fn set_kind(&mut self, token: u32, kind: TokenKind) {
        match self.overrides.iter_mut().find(|(id, _)| *id == token) {
            Some((_, old)) => *old = kind,
            None => {
                let _ = self.overrides.push((token, kind));
            }
        }
    }

    /// Whether generation ends with this token.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Tokens that may not be normal text; some appear twice.
    pub(super) fn unusual(&self, vocabulary: &Vocabulary<'_>) -> impl Iterator<Item = u32> {
        self.overrides.iter().map(|&(token, _)| token).chain(vocabulary.unusual())
    }

    /// What `token` is: by its text where that is well known, else as the file says.
    pub(super) fn kind(&self, vocabulary: &Vocabulary<'_>, token: u32) -> TokenKind {
        if let Some(&(_, kind)) = self.overrides.iter().find(|(id, _)| *id == token) {
            return kind;
        }
        match vocabulary.file_type(token) {
            2 => TokenKind::Unknown,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            6 => TokenKind::Byte,
            _ if vocabulary.is_unused(token) => TokenKind::Unused,
            _ => TokenKind::Normal,
        }
    }
}

const _: () = {
    // The three roles of fill-in-the-middle take keys or texts, and are among the six keys.
    let (mut ends, mut all, mut i) = (6, 0, 0);
    while i < WELL_KNOWN.len() {
        let (roles, texts) = WELL_KNOWN[i];
        all += count_of(texts);
        ends += if roles & END != 0 { count_of(texts) } else { 0 };
        i += 1;
    }
    assert!(MAX_ENDS >= ends && MAX_OVERRIDES >= all);
};

fn role(role: u16, id: Option<u32>) -> u16 {
    if id.is_some() { role } else { 0 }
}

/// The keys of special tokens that are read and decide what the model gets, or where it ends.
const DECISIVE: [&str; 5] =
    ["bos_token_id", "eos_token_id", "unknown_token_id", "eot_token_id", "eom_token_id"];

/// The keys among [`DECISIVE`] that name no token of the vocabulary, and count as absent.
pub(super) fn bad_ids<'g>(
    gguf: &'g Gguf<'_>,
    tokens: u32,
) -> impl Iterator<Item = &'static str> + 'g {
    let is_bad = move |name: &str| {
        gguf.get(key_of(name)).is_some() && matches!(id_of_key(gguf, name, tokens), Ok(None))
    };
    DECISIVE.into_iter().filter(move |name| is_bad(name))
}

/// The id that key `tokenizer.ggml.<name>` names; `None` where there is no such token: like
/// llama.cpp, which then uses the default.
fn id_of_key(gguf: &Gguf<'_>, name: &str, tokens: u32) -> Result<Option<u32>, GgufError> {
    match gguf.u32(key_of(name)) {
        Err(error) if error.kind == GgufErrorKind::OutOfRange => Ok(None),
        id => Ok(id?.filter(|&id| id < tokens)),
    }
}

fn key_of(name: &str) -> Key<'_> {
    Key::of("tokenizer.ggml", name)
}
