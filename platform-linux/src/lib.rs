//! What Linux gives to the engine: `core`'s ports, and the console for the command line.
//!
//! The crates `picolm-linux`, `picolm-macos` and `picolm-windows` have the same files with the same
//! items; `cli/tests/platform_contract.rs` holds all three to the same behaviour. What std spells
//! the same everywhere is written once, here, and the other two take it by `#[path]`: their files
//! stay, so that each can part ways without touching its callers.
//!
//! Of Linux there is a second part, `bare`, for programs without the standard library and without
//! C's. Features choose: `std`, which is on by default, or `bare`.
// The workspace is built whole on every system: elsewhere this crate is empty.
#![cfg(unix)]
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(all(feature = "bare", feature = "std"))]
compile_error!("a program has the standard library (`std`) or not (`bare`)");

#[path = "memory/account.rs"]
mod account;
#[cfg(all(feature = "bare", target_os = "linux"))]
pub mod bare;
// The pool of `bare`; that of `threads` has its own.
#[cfg(all(feature = "bare", target_os = "linux"))]
#[path = "threads/board.rs"]
mod board;

#[cfg(feature = "std")]
pub mod bandwidth;
#[cfg(feature = "std")]
pub mod clock;
#[cfg(feature = "std")]
pub mod console;
#[cfg(feature = "std")]
pub mod cpu;
#[cfg(feature = "std")]
mod device;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "std")]
pub mod map;
#[cfg(feature = "std")]
mod map_error;
#[cfg(feature = "std")]
pub mod memory;
#[cfg(feature = "std")]
mod residency;
#[cfg(feature = "std")]
pub mod save;
#[cfg(feature = "std")]
pub mod stack;
#[cfg(feature = "std")]
pub mod stream;
#[cfg(feature = "std")]
pub mod threads;
