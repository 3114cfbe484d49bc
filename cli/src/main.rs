//! The command line of PicoLM: `picolm MODEL.gguf -p PROMPT`.
//!
//! `args` parses the command line, `command` has a file for each command, `engine` brings a model
//! file and this machine together, `ceiling` holds both to some memory, `cache` and
//! `expert_profile` keep files for the next run, `line_editor` reads the keyboard, `report` writes
//! to stderr, and `platform` is the only place that knows the operating system.

mod args;
mod cache;
mod ceiling;
mod command;
mod constraint;
mod draft;
mod engine;
mod expert_profile;
mod layers;
mod line_editor;
mod platform;
mod report;
#[cfg(feature = "serve")]
mod serve;

use command::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    platform::stack::with_room(run)
}

fn run() -> ExitCode {
    platform::map::exit_on_fault();
    platform::save::limits_are_errors();
    let outcome =
        args::parse(std::env::args_os().skip(1)).and_then(|command| command::execute(&command));
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(platform::console::interrupt_code()),
        Err(failure) => {
            report::line(format_args!("picolm: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}
