//! The smallest PicoLM: continues a prompt, by system calls alone.
//!
//! A front end of its own over core, beside the command line's and firmware's: no standard library,
//! no C library, no heap, no formatting. What it writes to stdout is byte for byte what the
//! command line writes.
//!
//! `arguments` parses the command line, `generate` and `info` are the commands. `model` is a file
//! and its header, `ceiling` chooses whether its weights stream, `prompt` and `output` are the
//! text's ends, `cache` keeps a text for the next run. `line` puts lines together, `decimal` reads
//! numbers, `failure` says what went wrong, `build` names what is linked.
#![no_std]

mod arguments;
mod build;
mod cache;
mod ceiling;
mod decimal;
mod failure;
mod generate;
mod info;
mod line;
mod model;
mod output;
mod prompt;

use arguments::Command;
pub use build::Kernels;
use picolm_linux::bare::console::{Stream, WriteError, interrupt_code};
use picolm_linux::bare::start::Arguments;

/// How a command that did not fail ended.
pub(crate) enum Outcome {
    Done,
    Interrupted,
}

/// What the program does with its arguments, and its exit code.
// Not inlined: its caller is compiled for speed, and everything within that, too.
#[inline(never)]
pub fn main(arguments: Arguments, kernels: Kernels) -> u8 {
    let outcome = arguments::parse(arguments).and_then(|command| match command {
        Command::Help => print(arguments::HELP),
        Command::Version => print(concat!("picolm ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Info(info) => info::info(&info, kernels),
        Command::Run(run) => generate::run(&run, kernels),
    });
    match outcome {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Interrupted) => interrupt_code(),
        Err(failure) => failure.tell(),
    }
}

/// Writes `text` to stdout, and is done, whether someone reads it or not.
fn print(text: &str) -> Result<Outcome, failure::Failure> {
    match Stream::Stdout.write(text.as_bytes()) {
        Ok(()) | Err(WriteError::Closed) => Ok(Outcome::Done),
        Err(WriteError::System(code)) => Err(failure::Failure::stdout(code)),
    }
}
