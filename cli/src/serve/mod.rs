//! `picolm serve`: what the server is made of.

pub(crate) mod template;
pub(crate) mod tools;
