//! PicoLM for C: `libpicolm.a` and `picolm.h`.
//!
//! Contract: no allocation, no global state, no thread of its own, no symbol of an operating
//! system or a C library but the five that C compilers take for granted (`memcpy`, `memmove`,
//! `memset`, `memcmp`, `bcmp`). All memory is the caller's; how much is asked first and right to
//! the byte. A handle is the start of that memory, so closing one frees nothing.
//!
//! | file | |
//! |---|---|
//! | [`abi`] | what crosses the border: numbers, structs, types of functions |
//! | [`ffi`] | the functions |
//! | `given` | the structs that a caller fills, read |
//! | `pointer` | what may be made of a pointer from C: checked here and nowhere else |
//! | `slot` | a value at the start of the caller's memory, and whether it is there |
//! | `engine` | a session with its tokenizer and sampler, in safe Rust |
//! | `constraint` | what a text must be, in safe Rust |
//! | `source` | where weights come from: memory, or a function that reads |
//! | `cpu` | instruction sets of the CPU |
#![no_std]

pub mod abi;
mod constraint;
mod cpu;
mod engine;
mod failure;
pub mod ffi;
mod given;
mod pointer;
mod slot;
mod source;

/// What a defect of the engine comes to: no input leads here. Stops at once, for there is no one to
/// tell, and nothing of the caller's may be written to any more.
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        cpu::trap();
    }
}
