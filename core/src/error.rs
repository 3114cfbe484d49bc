//! Layer 8: every error of the layers below in one type, with a number that never changes.
//!
//! Inside Rust the small errors beside their operations say more. This union is for where only a
//! number can pass: the C API, a log over a serial line, an exit status.
//!
//! Contract: a number means the same in every version, and none is used again; new ones are added.
//! The hundreds say whose it is: 1 the file, 2 the model, 3 the tokenizer, 4 a text to tokenize, 5
//! the grammar, 6 the sampler's options, 7 the session; below 100 are the caller's own.

use crate::gguf::{GgufError, GgufErrorKind};
use crate::grammar::{GrammarError, GrammarErrorKind};
use crate::mem::ArenaFull;
use crate::model::{ForwardError, ModelError};
use crate::ops::OpError;
use crate::port::ReadError;
use crate::sampler::{SampleError, SamplerError};
use crate::session::SessionError;
use crate::tokenizer::{EncodeError, TokenizerError};
use core::ffi::CStr;
use core::fmt;

mod explained;

pub use explained::Explained;

/// Anything that can go wrong between a model file and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The file is not a sound GGUF.
    Gguf(GgufError),
    /// The model cannot be loaded.
    Model(ModelError),
    /// The file's tokenizer cannot be used.
    Tokenizer(TokenizerError),
    /// A text cannot be tokenized.
    Encode(EncodeError),
    /// A constraint cannot be compiled.
    Grammar(GrammarError),
    /// The sampler's options make no sense.
    Sampler(SamplerError),
    /// The session cannot go on.
    Session(SessionError),
}

macro_rules! union_of {
    ($($variant:ident($error:ty)),*) => {
        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(error) => error.fmt(f),)*
                }
            }
        }

        impl core::error::Error for Error {}

        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}
union_of!(
    Gguf(GgufError),
    Model(ModelError),
    Tokenizer(TokenizerError),
    Encode(EncodeError),
    Grammar(GrammarError),
    Sampler(SamplerError),
    Session(SessionError)
);

/// What the kinds of a [`GgufError`] are counted from, in the order in which they are declared.
const GGUF: u16 = 100;

macro_rules! codes {
    ($($name:ident = $number:literal $text:literal;)*) => {
        $(#[doc = concat!("[`Error::code`] ", stringify!($number), ".")]
        pub const $name: u16 = $number;)*

        /// The texts of all codes but the file's, ascending.
        const TEXTS: &[(u16, &CStr)] = &[$(($name, $text)),*];
    };
}

codes! {
    ARCHITECTURE = 201 c"the model's architecture is not supported";
    MISSING_KEY = 202 c"the model lacks a key that its architecture needs";
    INVALID_KEY = 203 c"a key of the model has an impossible value";
    MISSING_TENSOR = 204 c"the model lacks a tensor that its architecture needs";
    WRONG_SHAPE = 205 c"a tensor has the wrong shape";
    DUPLICATE_TENSOR = 206 c"a tensor is there twice";
    UNSUPPORTED_TYPE = 207 c"a tensor has a type for which there is no kernel";
    UNKNOWN_TENSOR = 208 c"a tensor has no meaning for the model's architecture";
    VOCABULARY_LENGTH = 209 c"the vocabulary is not as long as the embedding";
    CONTEXT = 210 c"the context is longer than the model was trained for";
    KV_TYPE = 211 c"the model's heads do not suit the type of keys and values: use f16";
    NO_SUCH_LAYER = 212 c"a layer is to be skipped that the model does not have";
    NO_LAYERS_LEFT = 213 c"all layers are to be skipped";
    OPTIONS = 214 c"batch, logit rows or workers are out of range";
    TOO_LARGE = 215 c"the model's sizes do not fit in memory";
    OUT_OF_RANGE = 216 c"weights lie beyond the end of the file";
    READ = 217 c"weights could not be read";
    NOT_SCHEDULED = 218 c"weights were wanted out of turn";
    NOT_ENOUGH_MEMORY = 220 c"not enough memory";
    UNSUPPORTED_KEY = 221 c"a key of the model has a value that is not supported";
    NOT_CAUSAL = 222 c"the model turns texts into vectors and writes none";
    NO_POOLING = 223 c"the model's file does not say how a text becomes a vector";
    SHARED_LAYER = 224 c"a layer cannot be skipped: later layers read its keys and values";

    TOKENIZER_KEY = 301 c"the file lacks a key of its tokenizer";
    TOKENIZER_MODEL = 302 c"the tokenizer's model is not supported";
    PRE_TOKENIZER = 303 c"the pre-tokenizer is not supported";
    NO_VOCABULARY = 304 c"the vocabulary is empty";
    TOO_MANY_TOKENS = 305 c"the vocabulary has 2^21 tokens or more";
    TOO_MANY_MERGES = 306 c"the vocabulary has 2^21 merges or more";
    LENGTH_MISMATCH = 307 c"scores or types are not as many as the tokens";
    EQUAL_TOKENS = 308 c"too many tokens have equal or colliding text";
    SCORE = 309 c"a token's score is not a number";
    SPECIAL_TOKEN = 310 c"a special token is not in the vocabulary";

    SCRATCH = 401 c"a run of text is too long for the memory to tokenize in";
    TEXT_TOO_LONG = 402 c"the text has 2 GiB or more";

    GRAMMAR_MEMORY = 501 c"the constraint needs more memory";
    SYNTAX = 502 c"the constraint's source is not what its format asks for";
    UNSUPPORTED = 503 c"the constraint's source asks for what is not supported";
    UNKNOWN_RULE = 504 c"a rule is used and not defined";
    LEFT_RECURSION = 505 c"a rule begins with itself";
    TOO_DEEP = 506 c"groups are nested too deeply";
    TOO_COMPLEX = 507 c"the constraint is too complex";
    MATCHES_NOTHING = 508 c"no text keeps to the constraint";
    CANNOT_BE_SPELLED = 509 c"the model's tokens cannot spell what the constraint asks for";

    TEMPERATURE = 601 c"temperature must be a number from 0 on";
    TOP_P = 602 c"top-p must be above 0 and at most 1";
    TYPICAL_P = 603 c"typical-p must be from 0 to 1";
    MIN_P = 604 c"min-p must be a number from 0 on";
    PENALTIES = 605 c"penalties must be numbers, that of repetition above 0";
    DRY = 606 c"DRY's multiplier must be from 0 on, its base from 1 on";
    XTC = 607 c"XTC's probability and threshold must be from 0 to 1";
    DYNAMIC_TEMPERATURE = 608 c"the temperature's range and exponent must be from 0 on";
    MIROSTAT = 609 c"Mirostat's tau and eta must be from 0 on";
    BIAS = 610 c"a bias is no finite number, or its token does not exist";

    CONTEXT_FULL = 701 c"the tokens do not fit in what is left of the context";
    NO_TOKENS = 702 c"there is no token to go on from";
    NO_SUCH_TOKEN = 703 c"a token is not in the vocabulary";
    POSITION = 704 c"a position does not exist";
    BATCH = 705 c"more rows than the options allow";
    PARALLEL = 706 c"the threads left work out or did it twice";
    SHAPE = 707 c"buffers do not belong together: a defect of the engine";
    NON_FINITE = 708 c"scores are not finite: is the model file damaged?";
    NOTHING_POSSIBLE = 709 c"no token is possible";
    WRONG_LENGTH = 710 c"scores or mask do not match the vocabulary";
    BUDGET_TOO_SMALL = 711 c"the constraint asks for room for more tokens";
    NOTHING_ALLOWED = 712 c"the constraint allows no token";
    NO_VECTORS = 713 c"the engine was not opened for the vectors of texts";
    ONLY_VECTORS = 714 c"the engine was opened for the vectors of texts alone";
    VECTOR = 715 c"a vector is not finite: is the model file damaged?";
}

/// What a code means, as half a line of English; `None` for a number that is no code of the
/// engine.
pub fn text(code: u16) -> Option<&'static CStr> {
    if let Some(kind) = code.checked_sub(GGUF).and_then(GgufErrorKind::from_index) {
        return Some(kind.c_message());
    }
    let index = TEXTS.binary_search_by_key(&code, |&(number, _)| number).ok()?;
    TEXTS.get(index).map(|&(_, text)| text)
}

impl Error {
    /// The number of this kind of error.
    pub const fn code(self) -> u16 {
        self.numbers().0
    }

    /// The number that goes with it, 0 where there is none: the byte of the file or of the source
    /// that is meant, the bytes of memory or the tokens that are needed, the token, the context or
    /// layer asked for.
    pub const fn detail(self) -> u64 {
        self.numbers().1
    }

    /// The byte of the model file that is meant, if it is one of its header.
    pub const fn offset(self) -> Option<u64> {
        match self {
            Self::Gguf(GgufError { offset, .. })
            | Self::Model(ModelError::Gguf(GgufError { offset, .. })) => Some(offset),
            Self::Tokenizer(error) => error.offset(),
            _ => None,
        }
    }

    const fn numbers(self) -> (u16, u64) {
        match self {
            Self::Gguf(error) => gguf(error),
            Self::Model(error) => model(error),
            Self::Tokenizer(error) => tokenizer(error),
            Self::Encode(EncodeError::ScratchTooSmall { needed_words }) => (SCRATCH, needed_words),
            Self::Encode(EncodeError::TextTooLong) => (TEXT_TOO_LONG, 0),
            Self::Grammar(error) => grammar(error),
            Self::Sampler(error) => sampler(error),
            Self::Session(error) => session(error),
        }
    }
}

const fn gguf(error: GgufError) -> (u16, u64) {
    (GGUF + error.kind as u16, error.offset)
}

const fn memory(full: ArenaFull) -> (u16, u64) {
    (NOT_ENOUGH_MEMORY, full.needed_bytes)
}

const fn read(error: ReadError) -> (u16, u64) {
    match error {
        ReadError::OutOfRange { offset } => (OUT_OF_RANGE, offset),
        ReadError::Io { offset, .. } => (READ, offset),
        ReadError::NotScheduled { index } => (NOT_SCHEDULED, index as u64),
    }
}

const fn model(error: ModelError) -> (u16, u64) {
    match error {
        ModelError::Gguf(error) => gguf(error),
        ModelError::UnknownArchitecture(_) | ModelError::NoExperts(_) => (ARCHITECTURE, 0),
        ModelError::MissingKey(_) => (MISSING_KEY, 0),
        ModelError::InvalidKey(_) => (INVALID_KEY, 0),
        ModelError::UnequalKey(_) => (UNSUPPORTED_KEY, 0),
        ModelError::MissingTensor(_) => (MISSING_TENSOR, 0),
        ModelError::WrongShape(_) => (WRONG_SHAPE, 0),
        ModelError::DuplicateTensor(_) => (DUPLICATE_TENSOR, 0),
        ModelError::UnsupportedType { tensor_type, .. } => (UNSUPPORTED_TYPE, tensor_type as u64),
        ModelError::UnknownTensor(_) => (UNKNOWN_TENSOR, 0),
        ModelError::VocabularyLength { tokens, .. } => (VOCABULARY_LENGTH, tokens),
        ModelError::Context { asked, .. } => (CONTEXT, asked as u64),
        ModelError::KvType { head_elements, .. } => (KV_TYPE, head_elements as u64),
        ModelError::NoSuchLayer { layer, .. } => (NO_SUCH_LAYER, layer as u64),
        ModelError::NoLayersLeft => (NO_LAYERS_LEFT, 0),
        ModelError::SharedLayer { layer } => (SHARED_LAYER, layer as u64),
        ModelError::NotCausal => (NOT_CAUSAL, 0),
        ModelError::NoPooling => (NO_POOLING, 0),
        ModelError::Options => (OPTIONS, 0),
        ModelError::TooLarge => (TOO_LARGE, 0),
        ModelError::Arena(full) => memory(full),
        ModelError::Read(error) => read(error),
    }
}

const fn tokenizer(error: TokenizerError) -> (u16, u64) {
    match error {
        TokenizerError::Gguf(error) => gguf(error),
        TokenizerError::MissingKey { .. } => (TOKENIZER_KEY, 0),
        TokenizerError::UnsupportedModel { offset, .. } => (TOKENIZER_MODEL, offset),
        TokenizerError::UnsupportedPreTokenizer { offset, .. } => (PRE_TOKENIZER, offset),
        TokenizerError::NoTokens { offset } => (NO_VOCABULARY, offset),
        TokenizerError::TooManyTokens { offset } => (TOO_MANY_TOKENS, offset),
        TokenizerError::TooManyMerges { offset } => (TOO_MANY_MERGES, offset),
        TokenizerError::LengthMismatch { offset } => (LENGTH_MISMATCH, offset),
        TokenizerError::EqualTokens { offset } => (EQUAL_TOKENS, offset),
        TokenizerError::Score { token } => (SCORE, token as u64),
        TokenizerError::Memory(full) => memory(full),
    }
}

const fn grammar(error: GrammarError) -> (u16, u64) {
    let offset = error.offset as u64;
    match error.kind {
        GrammarErrorKind::Memory { needed_bytes } => (GRAMMAR_MEMORY, needed_bytes),
        GrammarErrorKind::Syntax(_) => (SYNTAX, offset),
        GrammarErrorKind::Unsupported(_) => (UNSUPPORTED, offset),
        GrammarErrorKind::UnknownRule => (UNKNOWN_RULE, offset),
        GrammarErrorKind::LeftRecursion => (LEFT_RECURSION, offset),
        GrammarErrorKind::TooDeep => (TOO_DEEP, offset),
        GrammarErrorKind::TooComplex => (TOO_COMPLEX, offset),
        GrammarErrorKind::MatchesNothing => (MATCHES_NOTHING, offset),
        GrammarErrorKind::CannotBeSpelled => (CANNOT_BE_SPELLED, offset),
    }
}

const fn sampler(error: SamplerError) -> (u16, u64) {
    match error {
        SamplerError::Temperature => (TEMPERATURE, 0),
        SamplerError::TopP => (TOP_P, 0),
        SamplerError::TypicalP => (TYPICAL_P, 0),
        SamplerError::MinP => (MIN_P, 0),
        SamplerError::Penalties => (PENALTIES, 0),
        SamplerError::Dry => (DRY, 0),
        SamplerError::Xtc => (XTC, 0),
        SamplerError::DynamicTemperature => (DYNAMIC_TEMPERATURE, 0),
        SamplerError::Mirostat => (MIROSTAT, 0),
        SamplerError::Bias { token } => (BIAS, token as u64),
        SamplerError::Memory(full) => memory(full),
    }
}

const fn session(error: SessionError) -> (u16, u64) {
    match error {
        SessionError::ContextFull { tokens, .. } => (CONTEXT_FULL, tokens as u64),
        SessionError::NoTokens => (NO_TOKENS, 0),
        SessionError::Vector { index } => (VECTOR, index as u64),
        SessionError::Forward(error) => match error {
            ForwardError::Token(token) => (NO_SUCH_TOKEN, token as u64),
            ForwardError::Position(at) => (POSITION, at.position as u64),
            ForwardError::Batch => (BATCH, 0),
            ForwardError::Pooling => (NO_VECTORS, 0),
            ForwardError::NoLogits => (ONLY_VECTORS, 0),
            ForwardError::Op(OpError::Read(error)) => read(error),
            ForwardError::Op(OpError::Parallel) => (PARALLEL, 0),
            ForwardError::Op(OpError::Shape) => (SHAPE, 0),
        },
        SessionError::Sample(error) => match error {
            SampleError::NonFinite { index } => (NON_FINITE, index as u64),
            SampleError::NothingPossible => (NOTHING_POSSIBLE, 0),
            SampleError::WrongLength => (WRONG_LENGTH, 0),
        },
        SessionError::BudgetTooSmall { needed, .. } => (BUDGET_TOO_SMALL, needed as u64),
        SessionError::NothingAllowed => (NOTHING_ALLOWED, 0),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// Programs keep these numbers: a line here is never changed, only added.
    const EVER: &[(u16, &str)] = &[
        (100, "Magic"),
        (101, "BigEndian"),
        (102, "Version"),
        (103, "PairCount"),
        (104, "TensorCount"),
        (105, "Truncated"),
        (106, "HeaderIncomplete"),
        (107, "HeaderTooLarge"),
        (108, "StringLength"),
        (109, "ArrayLength"),
        (110, "KeyLength"),
        (111, "KeyBytes"),
        (112, "DuplicateKey"),
        (113, "UnknownValueType"),
        (114, "NestedArray"),
        (115, "Bool"),
        (116, "Alignment"),
        (117, "Split"),
        (118, "WrongType"),
        (119, "OutOfRange"),
        (120, "TensorNameLength"),
        (121, "DuplicateTensor"),
        (122, "DimensionCount"),
        (123, "Dimension"),
        (124, "UnknownTensorType"),
        (125, "RowNotBlocks"),
        (126, "TensorTooLarge"),
        (127, "TensorOffset"),
        (128, "DataTruncated"),
        (201, "the model's architecture is not supported"),
        (202, "the model lacks a key that its architecture needs"),
        (203, "a key of the model has an impossible value"),
        (204, "the model lacks a tensor that its architecture needs"),
        (205, "a tensor has the wrong shape"),
        (206, "a tensor is there twice"),
        (207, "a tensor has a type for which there is no kernel"),
        (208, "a tensor has no meaning for the model's architecture"),
        (209, "the vocabulary is not as long as the embedding"),
        (210, "the context is longer than the model was trained for"),
        (211, "the model's heads do not suit the type of keys and values: use f16"),
        (212, "a layer is to be skipped that the model does not have"),
        (213, "all layers are to be skipped"),
        (214, "batch, logit rows or workers are out of range"),
        (215, "the model's sizes do not fit in memory"),
        (216, "weights lie beyond the end of the file"),
        (217, "weights could not be read"),
        (218, "weights were wanted out of turn"),
        (220, "not enough memory"),
        (221, "a key of the model has a value that is not supported"),
        (222, "the model turns texts into vectors and writes none"),
        (223, "the model's file does not say how a text becomes a vector"),
        (224, "a layer cannot be skipped: later layers read its keys and values"),
        (301, "the file lacks a key of its tokenizer"),
        (302, "the tokenizer's model is not supported"),
        (303, "the pre-tokenizer is not supported"),
        (304, "the vocabulary is empty"),
        (305, "the vocabulary has 2^21 tokens or more"),
        (306, "the vocabulary has 2^21 merges or more"),
        (307, "scores or types are not as many as the tokens"),
        (308, "too many tokens have equal or colliding text"),
        (309, "a token's score is not a number"),
        (310, "a special token is not in the vocabulary"),
        (401, "a run of text is too long for the memory to tokenize in"),
        (402, "the text has 2 GiB or more"),
        (501, "the constraint needs more memory"),
        (502, "the constraint's source is not what its format asks for"),
        (503, "the constraint's source asks for what is not supported"),
        (504, "a rule is used and not defined"),
        (505, "a rule begins with itself"),
        (506, "groups are nested too deeply"),
        (507, "the constraint is too complex"),
        (508, "no text keeps to the constraint"),
        (509, "the model's tokens cannot spell what the constraint asks for"),
        (601, "temperature must be a number from 0 on"),
        (602, "top-p must be above 0 and at most 1"),
        (603, "typical-p must be from 0 to 1"),
        (604, "min-p must be a number from 0 on"),
        (605, "penalties must be numbers, that of repetition above 0"),
        (606, "DRY's multiplier must be from 0 on, its base from 1 on"),
        (607, "XTC's probability and threshold must be from 0 to 1"),
        (608, "the temperature's range and exponent must be from 0 on"),
        (609, "Mirostat's tau and eta must be from 0 on"),
        (610, "a bias is no finite number, or its token does not exist"),
        (701, "the tokens do not fit in what is left of the context"),
        (702, "there is no token to go on from"),
        (703, "a token is not in the vocabulary"),
        (704, "a position does not exist"),
        (705, "more rows than the options allow"),
        (706, "the threads left work out or did it twice"),
        (707, "buffers do not belong together: a defect of the engine"),
        (708, "scores are not finite: is the model file damaged?"),
        (709, "no token is possible"),
        (710, "scores or mask do not match the vocabulary"),
        (711, "the constraint asks for room for more tokens"),
        (712, "the constraint allows no token"),
        (713, "the engine was not opened for the vectors of texts"),
        (714, "the engine was opened for the vectors of texts alone"),
        (715, "a vector is not finite: is the model file damaged?"),
    ];

    #[test]
    fn codes_never_change() {
        let kinds = (0..).map_while(GgufErrorKind::from_index);
        let kinds = kinds.map(|kind| (GGUF + kind as u16, std::format!("{kind:?}")));
        let others = TEXTS.iter().map(|&(code, text)| (code, text.to_str().unwrap().into()));
        let now: Vec<(u16, std::string::String)> = kinds.chain(others).collect();
        for &(code, meaning) in EVER {
            assert!(now.contains(&(code, meaning.into())), "{code} was '{meaning}'");
        }
        assert_eq!(now.len(), EVER.len(), "add the new codes to EVER: {now:?}");
        assert!(now.windows(2).all(|pair| pair[0].0 < pair[1].0), "searched by halves");
    }

    #[test]
    fn every_code_has_a_text_and_no_other_number_has() {
        for number in 0..=u16::MAX {
            let is_code = EVER.iter().any(|&(code, _)| code == number);
            let text = text(number).map(|text| text.to_bytes().len());
            assert_eq!(text.is_some_and(|bytes| bytes > 10), is_code, "{number}");
        }
    }

    #[test]
    fn errors_keep_the_place() {
        let magic = crate::gguf::Gguf::parse(b"what is this", 12).unwrap_err();
        let error = Error::from(magic);
        assert_eq!((error.code(), error.detail()), (100, 0));
        let mut words = [0; 1 << 12];
        let source = b"root ::= \"a\" other";
        let unknown = crate::grammar::gbnf(source, &mut words).unwrap_err();
        let error = Error::from(unknown);
        assert_eq!((error.code(), error.detail()), (UNKNOWN_RULE, 13));
        let full =
            ArenaFull { purpose: crate::mem::Purpose::Logits, needed_bytes: 7, left_bytes: 3 };
        for error in [
            Error::Model(ModelError::Arena(full)),
            Error::Tokenizer(TokenizerError::Memory(full)),
            Error::Sampler(SamplerError::Memory(full)),
        ] {
            assert_eq!((error.code(), error.detail()), (NOT_ENOUGH_MEMORY, 7));
        }
        let read = ReadError::Io { offset: 9, code: 5 };
        let error = Error::Session(ForwardError::from(read).into());
        assert_eq!((error.code(), error.detail()), (READ, 9));
    }
}
