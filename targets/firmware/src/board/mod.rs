//! A board: start-up, console, clock, exit. One file each, with the same items:
//!
//! | item | |
//! |---|---|
//! | `NAME` | for the report |
//! | `Board` | the console, as `core::fmt::Write` and [`picolm_firmware::Console`] |
//! | `Board::new` | sets up the UART; a fault and a panic call it again |
//! | `Board::clock` | a [`picolm_core::port::Clock`], or the engine's `NoClock` |
//! | `exit` | the end, with a code: 0 for success |
//!
//! How deep the stack was is `bare`'s to tell, for all boards. A file for other hardware keeps its
//! start-up as it is, as long as the core is the same, and replaces the rest; its memory is
//! described in `link/`. Which file is built is said below, by the core: name the new one there.

#[cfg(target_os = "none")]
mod bare;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
#[path = "aarch64_virt.rs"]
mod this;
#[cfg(all(target_os = "none", target_arch = "arm"))]
#[path = "cortex_m_mps2.rs"]
mod this;
#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod this;
#[cfg(all(target_os = "none", any(target_arch = "riscv32", target_arch = "riscv64")))]
#[path = "riscv_virt.rs"]
mod this;

#[cfg(target_os = "none")]
pub(crate) use bare::stack;
#[cfg(not(target_os = "none"))]
pub(crate) use this::stack;
pub(crate) use this::{Board, NAME};
