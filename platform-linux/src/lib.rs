//! What Linux gives to the engine: `core`'s ports, and the console for the command line.
//!
//! The crates `picolm-linux`, `picolm-macos` and `picolm-windows` have the same files with the same
//! items; `cli/tests/platform_contract.rs` holds all three to the same behaviour. What std spells
//! the same everywhere is written once, here, and the other two take it by `#[path]`: their files
//! stay, so that each can part ways without touching its callers.
// The workspace is built whole on every system: elsewhere this crate is empty.
#![cfg(unix)]

pub mod bandwidth;
pub mod clock;
pub mod console;
pub mod cpu;
mod device;
mod file;
pub mod map;
mod map_error;
pub mod memory;
mod residency;
mod rest;
pub mod save;
mod shares;
pub mod stack;
pub mod stream;
pub mod threads;
