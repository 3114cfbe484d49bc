//! The functions. What comes from C is checked here, once (pointer.rs, given.rs); behind them are
//! slices.
//!
//! Contract of every function: no pointer may be anything but NULL or what its name says, and a
//! handle's memory, the model's bytes and the constraint's stay where they are while it is open.
//! What can be told of a broken promise is told by a status, and NULL where none is allowed always
//! is. A handle is used by one call at a time (a second is told PICOLM_BUSY); different ones have
//! nothing in common.
// Unsafe: everything that comes from C is a pointer.
#![allow(unsafe_code)]
#![allow(clippy::missing_safety_doc, reason = "the contract is the same for all: see the head")]

use crate::abi::*;
use crate::engine::{Engine, Plan, header};
use crate::failure::Failure;
use crate::given::{default_options, read_model, read_options};
use crate::pointer::{Checked, bytes_mut, non_null, places, put, slice, struct_size, write_struct};
use crate::slot::{Slot, kept};
use crate::source::{Model, Source};
use crate::{constraint, cpu};
use core::ffi::{CStr, c_char, c_void};
use core::fmt::Write;
use core::mem::MaybeUninit;
use picolm_core::error::{self, Explained};
use picolm_core::grammar::Constraint;
use picolm_core::mem::{ARENA_ALIGN, Arena};
use picolm_core::session::{Stop, normalize};

type SessionSlot = Slot<Engine<'static>>;
type ConstraintSlot = Slot<Constraint<'static>>;

const _: () = assert!(PICOLM_ALIGN == ARENA_ALIGN);
const _: () = assert!(PICOLM_NOT_ENOUGH_MEMORY == error::NOT_ENOUGH_MEMORY as i32);
const _: () = assert!(PICOLM_ARCHITECTURE == error::ARCHITECTURE as i32);
const _: () = assert!(PICOLM_UNSUPPORTED_TYPE == error::UNSUPPORTED_TYPE as i32);
const _: () = assert!(PICOLM_TOKENIZER_MODEL == error::TOKENIZER_MODEL as i32);
const _: () = assert!(PICOLM_PRE_TOKENIZER == error::PRE_TOKENIZER as i32);
const _: () = assert!(PICOLM_SCRATCH == error::SCRATCH as i32);
const _: () = assert!(PICOLM_GRAMMAR_MEMORY == error::GRAMMAR_MEMORY as i32);
const _: () = assert!(PICOLM_CONTEXT_FULL == error::CONTEXT_FULL as i32);
const _: () = assert!(PICOLM_NO_TOKENS == error::NO_TOKENS as i32);
const _: () = assert!(PICOLM_BUDGET_TOO_SMALL == error::BUDGET_TOO_SMALL as i32);
const _: () = assert!(PICOLM_NOT_CAUSAL == error::NOT_CAUSAL as i32);
const _: () = assert!(PICOLM_NO_POOLING == error::NO_POOLING as i32);
const _: () = assert!(PICOLM_NO_VECTORS == error::NO_VECTORS as i32);
const _: () = assert!(PICOLM_ONLY_VECTORS == error::ONLY_VECTORS as i32);

/// What a session's memory begins with: the session, then the source that it borrows.
const SESSION_HEAD: usize =
    SessionSlot::BYTES + size_of::<Source<'static>>().next_multiple_of(PICOLM_ALIGN);

const _: () = assert!(align_of::<Source<'static>>() <= PICOLM_ALIGN);

/// The library's version, "1.2.3".
#[unsafe(no_mangle)]
pub extern "C" fn picolm_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// The PICOLM_CPU_ bits of what this CPU is known to have: on x86-64 the CPU is asked, elsewhere it
/// is what the library was built for.
#[unsafe(no_mangle)]
pub extern "C" fn picolm_cpu() -> u32 {
    cpu::detected()
}

/// What a status means, as half a line of English; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn picolm_error_text(status: i32) -> *const c_char {
    let text = match status {
        PICOLM_OK => c"no error",
        PICOLM_NULL => c"a pointer is NULL",
        PICOLM_STRUCT_SIZE => c"a struct has a size that this library does not know",
        PICOLM_MISALIGNED => c"memory does not begin at a multiple of 64",
        PICOLM_LENGTH => c"a length does not fit in the address space",
        PICOLM_VALUE => c"a value is none of those that have a meaning",
        PICOLM_HANDLE => c"no open handle",
        PICOLM_BUSY => c"the handle is in use",
        PICOLM_TOO_SMALL => c"the array is too small",
        PICOLM_STOPPED => c"stopped by the callback",
        PICOLM_END => c"the text has ended",
        _ => u16::try_from(status).ok().and_then(error::text).unwrap_or(c"unknown error"),
    };
    text.as_ptr()
}

/// Fills `options`, which has `size` bytes: sizeof(picolm_options).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_options_default(options: *mut picolm_options, size: usize) -> i32 {
    let defaults = picolm_options { struct_size: size, ..default_options() };
    // SAFETY: the caller's promise: NULL, or `size` bytes that can be written.
    status(unsafe { write_struct(options, size, &defaults) })
}

/// How many bytes of memory, from a multiple of PICOLM_ALIGN on, a session takes: no fewer are
/// enough, and no more are used. `options` may be NULL for the defaults, `detail` for nobody who
/// wants to know the number that goes with an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_session_size(
    model: *const picolm_model,
    options: *const picolm_options,
    size: *mut usize,
    detail: *mut u64,
) -> i32 {
    let result = (|| {
        // SAFETY: the caller's promises.
        let (model, settings) = unsafe { (read_model(model)?, read_options(options)?) };
        let gguf = header(&model)?;
        let plan = Plan::new(&model, &gguf, settings)?;
        // SAFETY: as above.
        unsafe { put(size, session_bytes(&plan)?) }
    })();
    // SAFETY: as above.
    unsafe { status_with(result, detail) }
}

/// Says why `picolm_session_size` refuses a model, in a line of ASCII: the architecture, type,
/// tokenizer, key or tensor that it is about, and what is supported where that is not; nothing
/// where it does not refuse it. At most `capacity` bytes are written to `text`, with no NUL behind
/// them, and `length` says how many there are: with more than `capacity` the status is
/// PICOLM_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_explain(
    model: *const picolm_model,
    options: *const picolm_options,
    text: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    let result = (|| {
        // SAFETY: the caller's promises.
        let (model, settings, places) = unsafe {
            (read_model(model)?, read_options(options)?, places(text.cast::<u8>(), capacity)?)
        };
        let planned = header(&model).and_then(|gguf| Plan::new(&model, &gguf, settings).map(drop));
        let mut line = Line { places: places.iter_mut(), length: 0 };
        if let Err(error) = planned {
            let build = Some(&settings.build());
            // A line takes whatever is written to it.
            let _ = write!(line, "{}", Explained { error, header: model.bytes, build });
        }
        // SAFETY: as above.
        unsafe { put(length, line.length)? };
        if line.length > capacity { Err(PICOLM_TOO_SMALL.into()) } else { Ok(()) }
    })();
    status(result)
}

/// Places for text, and how much there was for them.
struct Line<'p> {
    places: core::slice::IterMut<'p, MaybeUninit<u8>>,
    length: usize,
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.length = self.length.saturating_add(text.len());
        for (byte, place) in text.bytes().zip(self.places.by_ref()) {
            place.write(byte);
        }
        Ok(())
    }
}

/// Loads the model in `size` bytes of `memory` and says where the session is. What the memory holds
/// does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_session_open(
    model: *const picolm_model,
    options: *const picolm_options,
    memory: *mut c_void,
    size: usize,
    session: *mut *mut picolm_session,
    detail: *mut u64,
) -> i32 {
    let result = (|| {
        // SAFETY: the caller's promises.
        unsafe {
            put(session, core::ptr::null_mut())?;
            let model = read_model(model)?;
            let gguf = header(&model)?;
            let plan = Plan::new(&model, &gguf, read_options(options)?)?;
            let slot = open_session(&plan, model, memory, size)?;
            put(session, slot.cast())
        }
    })();
    // SAFETY: as above.
    unsafe { status_with(result, detail) }
}

/// Makes a session in `memory`.
///
/// # Safety
///
/// `memory` is NULL or `size` bytes that are the session's until it is closed.
unsafe fn open_session(
    plan: &Plan<'_, 'static>,
    model: Model<'static>,
    memory: *mut c_void,
    size: usize,
) -> Checked<*mut SessionSlot> {
    // SAFETY: the caller's promise.
    let memory = unsafe { bytes_mut(memory, size)? };
    let needed = session_bytes(plan)?;
    if size < needed {
        return Err(Failure { code: PICOLM_NOT_ENOUGH_MEMORY, detail: needed as u64 });
    }
    let too_small = Failure { code: PICOLM_NOT_ENOUGH_MEMORY, detail: needed as u64 };
    let (head, rest) = memory.split_at_mut_checked(SESSION_HEAD).ok_or(too_small)?;
    let (slot, place) = head.split_at_mut_checked(SessionSlot::BYTES).ok_or(too_small)?;
    // Of the slot's bytes alone, and after the last borrow of all of them.
    let slot = slot.as_mut_ptr().cast::<SessionSlot>();
    let mut arena = Arena::new(rest);
    let buffer = plan.buffer(&mut arena)?;
    let source = Source::new(model, plan.read_bytes(), buffer);
    // SAFETY: the slot's bytes are the head's, aligned as `bytes_mut` checked. The source's place
    // is behind them, at a multiple of PICOLM_ALIGN and large enough for it (SESSION_HEAD), and
    // nobody writes to it again before the session is closed.
    unsafe {
        SessionSlot::clear(slot);
        let place = &mut *place.as_mut_ptr().cast::<MaybeUninit<Source<'static>>>();
        let source = kept(place.write(source));
        let engine = Engine::open(plan, source, &mut arena)?;
        SessionSlot::fill(slot, engine);
    }
    Ok(slot)
}

/// Ends a session. Its memory is the caller's again; there is nothing to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_session_close(session: *mut picolm_session) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { SessionSlot::close(session.cast()) })
}

/// Tells what a session is and has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_session_info(
    session: *mut picolm_session,
    info: *mut picolm_info,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, detail| {
            let (session, tokenizer) = (engine.session(), engine.tokenizer());
            let size = struct_size(info)?;
            let found = picolm_info {
                struct_size: size,
                context: session.context(),
                position: session.position(),
                vocabulary: tokenizer.vocabulary_len(),
                context_trained: session.config().context_trained,
                bos: tokenizer.bos().unwrap_or(u32::MAX),
                eos: tokenizer.eos().unwrap_or(u32::MAX),
                detail,
                vector_length: session.vector_len(),
            };
            write_struct(info, size, &found)
        })
    }
}

/// The ids of a text. At most `capacity` of them are written to `tokens`, and `count` says how many
/// there are: with more than `capacity` the status is PICOLM_TOO_SMALL. `flags` are PICOLM_TEXT_
/// bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_tokenize(
    session: *mut picolm_session,
    text: *const c_char,
    length: usize,
    flags: u32,
    tokens: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let text = slice(text.cast::<u8>(), length)?;
            let (is_whole, special) = text_flags(flags)?;
            let mut places = places(tokens, capacity)?.iter_mut();
            let mut total = 0usize;
            engine.tokenize(text, is_whole, special, &mut |token| {
                total = total.saturating_add(1);
                if let Some(place) = places.next() {
                    place.write(token);
                }
            })?;
            put(count, total)?;
            if total > capacity { Err(PICOLM_TOO_SMALL.into()) } else { Ok(()) }
        })
    }
}

/// Reads `count` tokens: the text goes on behind them. `on_progress` may be NULL; where it says
/// stop the status is PICOLM_STOPPED, and the position tells how far it went.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_feed(
    session: *mut picolm_session,
    tokens: *const u32,
    count: usize,
    on_progress: picolm_on_progress,
    user: *mut c_void,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let tokens = slice(tokens, count)?;
            engine.feed(tokens, &mut |done, total| goes_on(on_progress, user, done, total))
        })
    }
}

/// Reads a text: the tokens that `picolm_tokenize` would give.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_feed_text(
    session: *mut picolm_session,
    text: *const c_char,
    length: usize,
    flags: u32,
    on_progress: picolm_on_progress,
    user: *mut c_void,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let text = slice(text.cast::<u8>(), length)?;
            let (is_whole, special) = text_flags(flags)?;
            let progress = &mut |done, total| goes_on(on_progress, user, done, total);
            engine.feed_text(text, is_whole, special, progress)
        })
    }
}

/// Writes at most `max_tokens` tokens. `constraint` may be NULL; a text under one is whole when the
/// status is PICOLM_OK and no callback has said stop. `on_text` may be NULL, and `on_progress`,
/// which hears of every token, also of one that adds no text, as one more of `max_tokens`. `user`
/// is handed to both. `generated` may be NULL; else its `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_generate(
    session: *mut picolm_session,
    constraint: *mut picolm_constraint,
    max_tokens: u32,
    on_text: picolm_on_text,
    on_progress: picolm_on_progress,
    user: *mut c_void,
    generated: *mut picolm_generated,
) -> i32 {
    let mut on_text = |text: &[u8]| {
        on_text.is_none_or(|on_text| on_text(user, text.as_ptr().cast(), text.len()) == 0)
    };
    let mut on_token = |done: usize| goes_on(on_progress, user, done, max_tokens as usize);
    let (on_text, on_token) = (&mut on_text, &mut on_token);
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let size = if generated.is_null() { 0 } else { struct_size(generated)? };
            let mut written = None;
            if constraint.is_null() {
                written = Some(engine.generate(None, max_tokens, on_text, on_token)?);
            } else {
                let slot = constraint.cast::<ConstraintSlot>();
                ConstraintSlot::with(slot, |constraint, _| {
                    written =
                        Some(engine.generate(Some(constraint), max_tokens, on_text, on_token)?);
                    Ok(())
                })?;
            }
            let (Some(written), false) = (written, generated.is_null()) else { return Ok(()) };
            let stop = match written.stop {
                Stop::EndOfGeneration => PICOLM_STOP_END,
                Stop::MaxTokens => PICOLM_STOP_MAX_TOKENS,
                Stop::ContextFull => PICOLM_STOP_CONTEXT_FULL,
                Stop::Output => PICOLM_STOP_CALLBACK,
                Stop::Complete => PICOLM_STOP_COMPLETE,
            };
            let found = picolm_generated { struct_size: size, tokens: written.tokens, stop };
            write_struct(generated, size, &found)
        })
    }
}

/// Chooses the next token, for programs with a loop of their own: PICOLM_END where the model ends
/// the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_next(session: *mut picolm_session, token: *mut u32) -> i32 {
    // SAFETY: the caller's promises.
    unsafe { with_session(session, |engine, _| put(non_null(token)?, engine.next()?)) }
}

/// The bytes that a token adds to a text, perhaps not whole characters; none for structure. At most
/// `capacity` are written, and `length` says how many there are: with more than `capacity` the
/// status is PICOLM_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_token_text(
    session: *mut picolm_session,
    token: u32,
    text: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let mut places = places(text.cast::<u8>(), capacity)?.iter_mut();
            let mut total = 0usize;
            for byte in engine.piece(token) {
                total = total.saturating_add(1);
                if let Some(place) = places.next() {
                    place.write(byte);
                }
            }
            put(length, total)?;
            if total > capacity { Err(PICOLM_TOO_SMALL.into()) } else { Ok(()) }
        })
    }
}

/// The scores of the token that comes next, `count` of them, until the session's next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_logits(
    session: *mut picolm_session,
    logits: *mut *const f32,
    count: *mut usize,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let found = engine.logits()?;
            put(count, found.len())?;
            put(logits, found.as_ptr())
        })
    }
}

/// The vector of the text that `count` tokens are, in a session that was opened for vectors; the
/// text before is forgotten. It has `length` elements, `vector_length` of the session's info: with
/// more than `capacity` the status is PICOLM_TOO_SMALL, and nothing is evaluated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_embed(
    session: *mut picolm_session,
    tokens: *const u32,
    count: usize,
    vector: *mut f32,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let tokens = slice(tokens, count)?;
            write_vector(engine, vector, capacity, length, |engine| engine.embed(tokens))
        })
    }
}

/// The vector of a text: of the tokens that `picolm_tokenize` would give.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_embed_text(
    session: *mut picolm_session,
    text: *const c_char,
    text_length: usize,
    flags: u32,
    vector: *mut f32,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            let text = slice(text.cast::<u8>(), text_length)?;
            let (is_whole, special) = text_flags(flags)?;
            write_vector(engine, vector, capacity, length, |engine| {
                engine.embed_text(text, is_whole, special)
            })
        })
    }
}

/// Writes the vector that `embed` makes to where the caller wants it.
///
/// # Safety
///
/// `vector` is NULL or has room for `capacity` elements, and `length` is NULL or can be written.
unsafe fn write_vector(
    engine: &mut Engine<'static>,
    vector: *mut f32,
    capacity: usize,
    length: *mut usize,
    embed: impl for<'e> FnOnce(&'e mut Engine<'static>) -> Checked<&'e [f32]>,
) -> Checked {
    let needed = engine.session().vector_len() as usize;
    // SAFETY: the caller's promises.
    let places = unsafe {
        put(length, needed)?;
        places(vector, capacity)?
    };
    if needed > capacity {
        return Err(PICOLM_TOO_SMALL.into());
    }
    let normalizes = engine.normalizes();
    let found = embed(engine)?;
    let Some(places) = places.get_mut(..found.len()) else {
        return Err(PICOLM_TOO_SMALL.into());
    };
    for (place, &element) in places.iter_mut().zip(found) {
        place.write(element);
    }
    if normalizes {
        let first = places.as_mut_ptr().cast::<f32>();
        // SAFETY: the loop has written each of these places, as many as `found` has elements.
        normalize(unsafe { core::slice::from_raw_parts_mut(first, places.len()) });
    }
    Ok(())
}

/// Chooses the tokens that follow by `options`, of which only what says how to choose is looked at,
/// and neither `seed`. PICOLM_VALUE where they take more memory than the session's own: penalties
/// take some, for `penalty_last` tokens, so a session that is to have them now and then is opened
/// with them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_sampling(
    session: *mut picolm_session,
    options: *const picolm_options,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            engine.choose_by(&read_options(non_null(options.cast_mut())?)?)
        })
    }
}

/// Forgets the text from position `position` on; feed something before writing on. PICOLM_VALUE
/// where the text has not come so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_rewind(session: *mut picolm_session, position: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        with_session(session, |engine, _| {
            if position > engine.session().position() {
                return Err(PICOLM_VALUE.into());
            }
            engine.rewind(position);
            Ok(())
        })
    }
}

/// Forgets the text: as if just opened, with `*seed` in place of the options' where that is not
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_reset(session: *mut picolm_session, seed: *const u64) -> i32 {
    // SAFETY: the caller's promises.
    unsafe {
        with_session(session, |engine, _| {
            engine.reset((!seed.is_null()).then(|| seed.read_unaligned()));
            Ok(())
        })
    }
}

/// Compiles what a text must be: `kind` is a PICOLM_JSON or other number of what `source` is, and
/// PICOLM_JSON has none. The constraint belongs to the session's vocabulary and may be used with
/// every session of the same model, one at a time.
///
/// How much memory it takes shows only when it is compiled: where `size` is too small the status is
/// PICOLM_GRAMMAR_MEMORY and `needed` says how much to try next, a few times at most. Start with
/// no memory, or with as much as there is: what is left over speeds it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_constraint_open(
    session: *mut picolm_session,
    kind: u32,
    source: *const c_char,
    length: usize,
    memory: *mut c_void,
    size: usize,
    needed: *mut u64,
    constraint: *mut *mut picolm_constraint,
) -> i32 {
    let head = ConstraintSlot::BYTES;
    let open = |engine: &mut Engine<'static>| {
        // SAFETY: the caller's promises. The slot's bytes are the head's, aligned as `bytes_mut`
        // checked; words have no invalid value, and those behind the head are aligned too.
        unsafe {
            put(constraint, core::ptr::null_mut())?;
            let source = slice(source.cast::<u8>(), length)?;
            let memory = if size == 0 { &mut [] } else { bytes_mut(memory, size)? };
            let (head, rest) = memory.split_at_mut(head.min(memory.len()));
            let slot = head.as_mut_ptr().cast::<ConstraintSlot>();
            let words = core::slice::from_raw_parts_mut(rest.as_mut_ptr().cast(), rest.len() / 4);
            if head.len() == ConstraintSlot::BYTES {
                ConstraintSlot::clear(slot);
            }
            let opened = constraint::open(kind, source, engine.tokenizer(), words)?;
            ConstraintSlot::fill(slot, opened);
            put(constraint, slot.cast())
        }
    };
    let open = |engine: &mut Engine<'static>| {
        open(engine).map_err(|failure| match failure.code {
            PICOLM_GRAMMAR_MEMORY => {
                Failure { detail: failure.detail.saturating_add(head as u64), ..failure }
            }
            _ => failure,
        })
    };
    // SAFETY: the caller's promises.
    unsafe {
        let mut detail = 0;
        let status = with_session(session, |engine, _| {
            open(engine).inspect_err(|failure| detail = failure.detail)
        });
        if !needed.is_null() {
            needed.write_unaligned(detail);
        }
        status
    }
}

/// Ends a constraint. Its memory is the caller's again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn picolm_constraint_close(constraint: *mut picolm_constraint) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { ConstraintSlot::close(constraint.cast()) })
}

fn status(result: Checked) -> i32 {
    result.map_or_else(|failure| failure.code, |()| PICOLM_OK)
}

/// The status, and its number for those who want it.
///
/// # Safety
///
/// `detail` is NULL or can be written.
unsafe fn status_with(result: Checked, detail: *mut u64) -> i32 {
    if !detail.is_null() {
        // SAFETY: the caller's promise.
        unsafe { detail.write_unaligned(result.map_or_else(|failure| failure.detail, |()| 0)) };
    }
    status(result)
}

/// Calls `job` with the session and the number of its last error.
///
/// # Safety
///
/// `session` is NULL or a handle whose memory is still there.
unsafe fn with_session(
    session: *mut picolm_session,
    job: impl FnOnce(&mut Engine<'static>, u64) -> Checked,
) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { SessionSlot::with(session.cast(), job) })
}

/// Bytes of a session: its head and its arena.
fn session_bytes(plan: &Plan<'_, '_>) -> Checked<usize> {
    let bytes = plan.bytes.checked_add(SESSION_HEAD as u64);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let detail = plan.bytes.saturating_add(SESSION_HEAD as u64);
    bytes.ok_or(Failure { code: PICOLM_NOT_ENOUGH_MEMORY, detail })
}

/// Asks the caller's function whether to go on.
fn goes_on(on_progress: picolm_on_progress, user: *mut c_void, done: usize, total: usize) -> bool {
    on_progress.is_none_or(|on_progress| on_progress(user, done, total) == 0)
}

/// The meaning of PICOLM_TEXT_ bits.
fn text_flags(flags: u32) -> Checked<(bool, bool)> {
    if flags & !(PICOLM_TEXT_WHOLE | PICOLM_TEXT_SPECIAL) != 0 {
        return Err(PICOLM_VALUE.into());
    }
    Ok((flags & PICOLM_TEXT_WHOLE != 0, flags & PICOLM_TEXT_SPECIAL != 0))
}
