//! Layer 1: what a platform gives to the engine.
//!
//! The engine asks for four things and nothing else: weights ([`Weights`]), helpers ([`Parallel`]),
//! the CPU's instruction sets ([`CpuFeatures`]) and the time ([`Clock`]). A board without an
//! operating system implements what it has and takes the serial or empty default for the rest.
//! Who wants to keep a prompt's keys and values lends a [`Source`] and a [`Sink`].
//!
//! What platforms decide without asking their system is here once for all of them: [`pool`] for
//! threads, [`streaming`] for weights that are larger than memory.

mod clock;
mod cpu;
mod parallel;
pub mod pool;
mod stream;
pub mod streaming;
mod weights;

pub use clock::{Clock, NoClock};
pub use cpu::{CpuFeature, CpuFeatures};
pub use parallel::{Parallel, Serial, Worker};
pub use stream::{Sink, Source};
pub use weights::{FlashWeights, Lease, MAX_LEASES, Need, ReadError, Release, Stripe, Weights};
