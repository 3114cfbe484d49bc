//! PicoLM.
fn main() {}
