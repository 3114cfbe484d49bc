//! What crosses the border: numbers, structs and types of functions, as `picolm.h` shows them.
//!
//! Contract: no number here ever changes its meaning. Structs grow at their end only, and say by
//! `struct_size` how much of them the caller knows: what an older caller does not know has its
//! default, what a newer caller knows beyond this library must be 0.
#![allow(non_camel_case_types, reason = "they are C's names")]

use core::ffi::{c_char, c_void};

/// Done.
pub const PICOLM_OK: i32 = 0;
/// A pointer that must not be NULL is.
pub const PICOLM_NULL: i32 = 1;
/// A struct's `struct_size` is too small, or what lies beyond this library's is not 0.
pub const PICOLM_STRUCT_SIZE: i32 = 2;
/// Memory does not begin at a multiple of PICOLM_ALIGN.
pub const PICOLM_MISALIGNED: i32 = 3;
/// A length does not fit in the address space.
pub const PICOLM_LENGTH: i32 = 4;
/// A value is none of those named here.
pub const PICOLM_VALUE: i32 = 5;
/// No open handle: closed, never opened, moved, or its memory was written to.
pub const PICOLM_HANDLE: i32 = 6;
/// The handle is in use: by another thread, or by the call whose callback this comes from.
pub const PICOLM_BUSY: i32 = 7;
/// The array is too small; the count says how large it must be.
pub const PICOLM_TOO_SMALL: i32 = 8;
/// The callback said stop.
pub const PICOLM_STOPPED: i32 = 9;
/// The text has ended.
pub const PICOLM_END: i32 = 10;

/// The header of a model in pieces goes on: bring more of the file.
pub const PICOLM_HEADER_INCOMPLETE: i32 = 106;
/// One of several files that make up a model: it has to be made one (`llama-gguf-split --merge`).
pub const PICOLM_SPLIT: i32 = 117;
/// The model's architecture is not supported. `picolm_explain` names it and lists the supported
/// ones.
pub const PICOLM_ARCHITECTURE: i32 = 201;
/// A tensor has a type without kernels; the detail is GGUF's number of it.
pub const PICOLM_UNSUPPORTED_TYPE: i32 = 207;
/// The memory is too small; the detail says how many bytes are needed, all of the session's.
pub const PICOLM_NOT_ENOUGH_MEMORY: i32 = 220;
/// The model turns texts into vectors and writes none: see `vectors` of the options.
pub const PICOLM_NOT_CAUSAL: i32 = 222;
/// The model writes texts: its file does not say how one becomes a vector.
pub const PICOLM_NO_POOLING: i32 = 223;
/// The tokenizer's model is not supported; the detail is the byte of the file that names it.
pub const PICOLM_TOKENIZER_MODEL: i32 = 302;
/// The pre-tokenizer is not supported; the detail is the byte of the file that names it.
pub const PICOLM_PRE_TOKENIZER: i32 = 303;
/// A run of text is too long for `text_bytes` of the options; the detail says how many would do.
pub const PICOLM_SCRATCH: i32 = 401;
/// The constraint needs more memory; the detail says how many bytes to try next.
pub const PICOLM_GRAMMAR_MEMORY: i32 = 501;
/// The tokens do not fit in what is left of the context.
pub const PICOLM_CONTEXT_FULL: i32 = 701;
/// There is nothing to go on from: feed some tokens first.
pub const PICOLM_NO_TOKENS: i32 = 702;
/// The constraint cannot be kept to with so few tokens; the detail says how many are enough.
pub const PICOLM_BUDGET_TOO_SMALL: i32 = 711;
/// The session was not opened for vectors.
pub const PICOLM_NO_VECTORS: i32 = 713;
/// The session was opened for vectors, and writes nothing.
pub const PICOLM_ONLY_VECTORS: i32 = 714;

/// What a handle's memory begins at a multiple of.
pub const PICOLM_ALIGN: usize = 64;

/// Keys and values of 16 bits.
pub const PICOLM_KV_F16: u32 = 0;
/// Keys and values of 8.5 bits.
pub const PICOLM_KV_Q8_0: u32 = 1;
/// Keys and values of 4.5 bits.
pub const PICOLM_KV_Q4_0: u32 = 2;

/// The session writes texts.
pub const PICOLM_VECTORS_NONE: u32 = 0;
/// The session turns texts into vectors, as the model's file says, and writes none.
pub const PICOLM_VECTORS_RAW: u32 = 1;
/// The same, and the vectors' length is 1.
pub const PICOLM_VECTORS_NORMALIZED: u32 = 2;

/// Tokenize with what the model wants around a text (BOS): for the first text of a session.
pub const PICOLM_TEXT_WHOLE: u32 = 1;
/// Names of special tokens in the text count: for a template's text, never for a user's.
pub const PICOLM_TEXT_SPECIAL: u32 = 2;

/// Any JSON object. (Any value is the JSON Schema `true`.)
pub const PICOLM_JSON: u32 = 1;
/// What a JSON Schema asks for.
pub const PICOLM_JSON_SCHEMA: u32 = 2;
/// What a GBNF grammar asks for, from its rule `root` on.
pub const PICOLM_GBNF: u32 = 3;

/// The model ended the text.
pub const PICOLM_STOP_END: u32 = 0;
/// As many tokens as were asked for.
pub const PICOLM_STOP_MAX_TOKENS: u32 = 1;
/// No position is left for another token.
pub const PICOLM_STOP_CONTEXT_FULL: u32 = 2;
/// The callback said so.
pub const PICOLM_STOP_CALLBACK: u32 = 3;
/// The constraint has the text that it asks for.
pub const PICOLM_STOP_COMPLETE: u32 = 4;

/// x86-64 AVX2.
pub const PICOLM_CPU_AVX2: u32 = 1;
/// x86-64 F16C.
pub const PICOLM_CPU_F16C: u32 = 2;
/// x86-64 AVX-512 F, BW, DQ and VL together.
pub const PICOLM_CPU_AVX512: u32 = 4;
/// x86-64 AVX512-VNNI.
pub const PICOLM_CPU_AVX512_VNNI: u32 = 8;
/// x86-64 AVX-VNNI.
pub const PICOLM_CPU_AVX_VNNI: u32 = 16;
/// AArch64 or ARMv7 NEON.
pub const PICOLM_CPU_NEON: u32 = 32;
/// AArch64 `sdot`.
pub const PICOLM_CPU_DOTPROD: u32 = 64;
/// ARMv6 `smlad`.
pub const PICOLM_CPU_ARM_DSP: u32 = 128;

/// A model with one text in progress, in the caller's memory.
pub struct picolm_session {
    _opaque: (),
}

/// What a text must be, in the caller's memory.
pub struct picolm_constraint {
    _opaque: (),
}

/// Reads `length` bytes of the model file from `offset` on; not 0 where it cannot.
pub type picolm_read =
    Option<extern "C" fn(user: *mut c_void, offset: u64, into: *mut u8, length: usize) -> i32>;

/// Hears of text as it is written, `length` bytes of whole UTF-8 characters (as long as the model
/// writes such) without a NUL behind them. Not 0 to stop. A text under a constraint is completed
/// all the same where 32 more tokens can, and the function hears of them too.
pub type picolm_on_text =
    Option<extern "C" fn(user: *mut c_void, text: *const c_char, length: usize) -> i32>;

/// Hears after each pass how many of the tokens fed are evaluated, or after each token how many are
/// written: the place to feed a watchdog. Not 0 to stop.
pub type picolm_on_progress =
    Option<extern "C" fn(user: *mut c_void, done: usize, total: usize) -> i32>;

/// A model file.
///
/// In memory (flash, a mapping): `bytes` and `length` are all of it, the rest is 0. Elsewhere:
/// `read` reads it, `file_bytes` is its size, and `bytes` and `length` are its first part, up to
/// the tensors' data or longer. The bytes must stay as they are while a session is open.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct picolm_model {
    /// sizeof(picolm_model)
    pub struct_size: usize,
    /// The file, or its beginning; of any alignment.
    pub bytes: *const u8,
    /// Bytes there.
    pub length: usize,
    /// Size of the file, where `read` is not NULL.
    pub file_bytes: u64,
    /// Reads the file; NULL where it is in memory.
    pub read: picolm_read,
    /// Handed to `read`.
    pub user: *mut c_void,
}

/// How large a session is, and how it chooses tokens. `picolm_options_default` fills it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct picolm_options {
    /// sizeof(picolm_options)
    pub struct_size: usize,
    /// Tokens of prompt and answer together; 0 for 2048, or what the model was trained for where
    /// that is less. A model that reads a text in one pass to make it a vector has 1024 at most.
    pub context: u32,
    /// A PICOLM_KV_ number.
    pub kv_type: u32,
    /// Most tokens that are evaluated in one pass, 1 to 1024; 0 for as many as 3 MB hold. Where a
    /// text is read in one pass it is the context whatever is said here.
    pub batch: u32,
    /// Longest run of text that is tokenized as a whole, in bytes: a word for most models, all of a
    /// text for some of SentencePiece's. Costs 16 bytes of memory each.
    pub text_bytes: u32,
    /// Bytes that are read at a time, where `read` reads the model; a row of weights at least.
    pub read_bytes: u32,
    /// PICOLM_CPU_ bits that kernels may use. The default is `picolm_cpu()`; to claim one that the
    /// CPU lacks is to run an illegal instruction.
    pub cpu: u32,
    /// Same seed, same text.
    pub seed: u64,
    /// 0 always takes the likeliest token.
    pub temperature: f32,
    /// Choose among the likeliest tokens that together have this probability; 1 for all.
    pub top_p: f32,
    /// Leave out tokens less likely than this share of the likeliest one's probability; 0 for none.
    pub min_p: f32,
    /// Keep the tokens nearest to the expected surprise that together have this probability; 1 for
    /// all.
    pub typical_p: f32,
    /// Divides the scores of recent tokens; 1 for no difference.
    pub repeat_penalty: f32,
    /// Taken off the score of a recent token for each time.
    pub frequency_penalty: f32,
    /// Taken off the score of a recent token once.
    pub presence_penalty: f32,
    /// Tokens that count as recent.
    pub penalty_last: u32,
    /// Most tokens that are chosen among; 0 for all.
    pub top_k: u32,
    /// A PICOLM_VECTORS_ number: whether texts are written or turned into vectors.
    pub vectors: u32,
}

/// What a session is and has.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct picolm_info {
    /// sizeof(picolm_info)
    pub struct_size: usize,
    /// Positions in all.
    pub context: u32,
    /// Tokens evaluated.
    pub position: u32,
    /// Tokens of the vocabulary; ids are below it.
    pub vocabulary: u32,
    /// Positions that the model was trained for.
    pub context_trained: u32,
    /// The token that begins a text; UINT32_MAX for none.
    pub bos: u32,
    /// The token that ends a text; UINT32_MAX for none.
    pub eos: u32,
    /// The number that goes with the last error of the session.
    pub detail: u64,
    /// Elements of a text's vector; 0 in a session that was not opened for vectors.
    pub vector_length: u32,
}

/// A text that was written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct picolm_generated {
    /// sizeof(picolm_generated)
    pub struct_size: usize,
    /// Tokens of it.
    pub tokens: u32,
    /// A PICOLM_STOP_ number: why there are no more.
    pub stop: u32,
}
