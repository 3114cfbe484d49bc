//! What Windows gives to the engine: the same files and items as `picolm-linux`. Clock, CPU and
//! threads are std's and taken from Linux's source by `#[path]`; files and the console are
//! Windows' own.
// The workspace is built whole on every system: elsewhere this crate is empty.
#![cfg(windows)]

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
