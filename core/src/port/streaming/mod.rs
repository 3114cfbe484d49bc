//! Decisions about weights larger than memory that need no system: what a ceiling on memory leaves
//! for weights ([`Division`]), how that is divided ([`Arrangement`]), which stripes stay
//! ([`choose_pins`]), which is read next ([`Order`]), what the engine and the reader say to each
//! other ([`Reading`]), how a device is read ([`DirectFile`]), and what a small read brings along
//! ([`Window`]).

mod arrangement;
mod direct;
mod division;
mod order;
mod pins;
mod reading;
mod window;

pub use arrangement::{
    Arrangement, LEASES, SECTOR_BYTES_MAX, SLOTS, STRIPE_BYTES, StreamPlan, least_buffer_bytes,
};
pub use direct::{Device, DirectFile};
pub use division::{Ceiling, Division};
pub use order::{Order, Place, Waypoint};
pub use pins::{choose_pins, pin_bytes};
pub use reading::{Job, Leasing, Reading, Slot};
pub use window::{MAX_WINDOW_READ_BYTES, Sectors, Window};
