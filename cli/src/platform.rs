//! The operating system's shim under one name: the only place that asks which system this is.

#[cfg(target_os = "linux")]
pub(crate) use picolm_linux::{
    bandwidth, clock, console, cpu, map, memory, save, stack, stream, threads,
};
#[cfg(target_os = "macos")]
pub(crate) use picolm_macos::{
    bandwidth, clock, console, cpu, map, memory, save, stack, stream, threads,
};
#[cfg(target_os = "windows")]
pub(crate) use picolm_windows::{
    bandwidth, clock, console, cpu, map, memory, save, stack, stream, threads,
};
