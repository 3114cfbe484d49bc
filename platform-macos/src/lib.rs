//! What macOS gives to the engine: the same files and items as `picolm-linux`, by the POSIX calls
//! and the parts of std that both systems share, so that each file takes Linux's source by
//! `#[path]`. What macOS does otherwise gets its own text in the file of that name.
// The workspace is built whole on every system: elsewhere this crate is empty.
#![cfg(target_os = "macos")]

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
pub mod save;
pub mod stack;
pub mod stream;
pub mod threads;
