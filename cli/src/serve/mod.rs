//! `picolm serve`: what the server is made of.

// The server calls what is here; until it does, the tests alone do.
#![allow(dead_code, unused_imports)]

pub(crate) mod template;
pub(crate) mod tools;
