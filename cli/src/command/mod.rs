//! The commands, one a file.

mod bench;
mod chat;
mod embed;
mod generation;
mod info;
mod logits;
mod perplexity;
mod run;
mod tokenize;

use crate::args::{self, Command};
use crate::platform::console::{self, WriteError};
use crate::report::Failure;
use core::ops::ControlFlow;

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Interrupted,
}

/// Carries out `command`.
pub(crate) fn execute(command: &Command) -> Result<Outcome, Failure> {
    match command {
        Command::Help => print(args::HELP),
        Command::HelpSampling => print(args::sampling::HELP),
        Command::Version => print(concat!("picolm ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Run(arguments) => run::run(arguments, false),
        Command::Chat(arguments) => run::run(arguments, true),
        Command::Info(arguments) => info::info(arguments),
        Command::Tokenize(arguments) => tokenize::tokenize(arguments),
        Command::Logits(arguments) => logits::logits(arguments),
        Command::Embed(arguments) => embed::embed(arguments),
        Command::Perplexity(arguments) => perplexity::perplexity(arguments),
        Command::Bench(arguments) => bench::bench(arguments),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => crate::serve::serve(arguments),
    }
}

/// Writes `text` to stdout, and is done, whether someone reads it or not.
fn print(text: &str) -> Result<Outcome, Failure> {
    write(text.as_bytes()).map(|_| Outcome::Done)
}

/// Writes `bytes` to stdout; `Break` where nobody reads them any more.
fn write(bytes: &[u8]) -> Result<ControlFlow<()>, Failure> {
    match console::write_stdout(bytes) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(WriteError::Closed) => Ok(ControlFlow::Break(())),
        Err(WriteError::System(error)) => Err(Failure::new(format!("stdout: {error}"))),
    }
}
