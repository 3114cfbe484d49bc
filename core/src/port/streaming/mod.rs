//! Decisions about weights larger than memory that need no system: which stripes stay
//! ([`choose_pins`]), which is read next ([`Order`]), and what a small read brings along
//! ([`Window`]).

mod order;
mod pins;
mod window;

pub use order::{Order, Place, Waypoint};
pub use pins::{choose_pins, pin_bytes};
pub use window::{MAX_WINDOW_READ_BYTES, Sectors, Window};
