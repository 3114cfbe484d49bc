//! `picolm serve`, as its clients see it.
#![cfg(feature = "serve")]

mod answers;
mod batch;
#[cfg(unix)]
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod picoclaw;
mod picoclaw_tools;
mod server;
mod tools;
