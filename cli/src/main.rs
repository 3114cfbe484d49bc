//! PicoLM.
#[allow(dead_code, unused_imports)]
mod platform;
fn main() {}
