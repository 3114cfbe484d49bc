//! What Linux gives to a program without the standard library and without C's: system calls by
//! `rustix`, start-up, threads and signals by `origin`. Nothing here allocates.
//!
//! A process has one model, one pool and one arena, and ends with them: memory that is taken is
//! never given back.

pub use rustix::io::Errno;

pub mod clock;
pub mod console;
pub mod cpu;
pub mod map;
pub mod memory;
mod monitor;
pub mod path;
pub mod save;
pub mod start;
pub mod stream;
pub mod threads;
