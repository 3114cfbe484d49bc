//! The commands, one a file.

#[cfg(feature = "bench")]
mod bench;
mod chat;
#[cfg(feature = "embed")]
mod embed;
mod generation;
mod info;
#[cfg(feature = "logits")]
mod logits;
#[cfg(feature = "perplexity")]
mod perplexity;
mod run;
#[cfg(feature = "logits")]
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
        Command::Help => print(&args::HELP.concat()),
        #[cfg(feature = "samplers")]
        Command::HelpSampling => print(args::sampling::HELP),
        Command::Version => print(concat!("picolm ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Run(arguments) => run::run(arguments, false),
        #[cfg(feature = "chat")]
        Command::Chat(arguments) => run::run(arguments, true),
        Command::Info(arguments) => info::info(arguments),
        #[cfg(feature = "logits")]
        Command::Tokenize(arguments) => tokenize::tokenize(arguments),
        #[cfg(feature = "logits")]
        Command::Logits(arguments) => logits::logits(arguments),
        #[cfg(feature = "embed")]
        Command::Embed(arguments) => embed::embed(arguments),
        #[cfg(feature = "perplexity")]
        Command::Perplexity(arguments) => perplexity::perplexity(arguments),
        #[cfg(feature = "bench")]
        Command::Bench(arguments) => bench::bench(arguments),
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
