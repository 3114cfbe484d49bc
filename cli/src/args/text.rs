//! The options of `picolm MODEL` and `picolm chat`, the commands that write text.

use super::command::Command;
use super::escape::{escaped_text, unescape};
use super::options::{Options, unknown};
use super::run::{Conversation, Run, Wanted};
use crate::report::Failure;

pub(super) fn parse_run(options: Options) -> Result<Command, Failure> {
    let run = Run { max_tokens: 256, ..Run::default() };
    parse(run, options, true, Command::Run)
}

pub(super) fn parse_chat(options: Options) -> Result<Command, Failure> {
    let conversation = Some(Conversation::default());
    let run = Run { max_tokens: 1024, conversation, ..Run::default() };
    parse(run, options, false, Command::Chat)
}

/// Parses options into `run`. A command without a prompt does not have the options about it.
fn parse(
    mut run: Run,
    mut options: Options,
    has_prompt: bool,
    command: impl FnOnce(Box<Run>) -> Command,
) -> Result<Command, Failure> {
    let mut escapes = false;
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt" if has_prompt => run.prompt = Some(options.bytes(&option)?),
            "-e" | "--escape" if has_prompt => escapes = true,
            "--chat" => _ = run.conversation.get_or_insert_default(),
            "--system" => {
                run.conversation.get_or_insert_default().system = Some(options.bytes(&option)?);
            }
            "--chat-template" => {
                let name = options.value(&option)?.to_string_lossy().into_owned();
                run.conversation.get_or_insert_default().template = Some(name);
            }
            "--think" => {
                let thinks = options.on_or_off(&option)?;
                run.conversation.get_or_insert_default().thinks = Some(thinks);
            }
            "--lookup" => run.lookup = true,
            "--draft" => run.draft = Some(options.value(&option)?.into()),
            "--stop" => run.stop.push(options.stop_text(&option)?),
            "-n" | "--max-tokens" => run.max_tokens = options.integer(&option, 0)?,
            "-c" | "--context" => options.engine.context = options.integer(&option, 1)?,
            "-j" | "--threads" => options.engine.threads = options.threads(&option)?,
            "--lock" => run.lock = true,
            "--quiet" => run.quiet = true,
            "--json" => run.constrain(Wanted::Json(options.json_root(&option)?))?,
            "--schema" => run.constrain(Wanted::Schema(options.some(&option)?))?,
            "--grammar" => run.constrain(Wanted::Grammar(options.some(&option)?.into()))?,
            "--pretty" => run.pretty = true,
            "--strict-schema" => run.is_strict = true,
            _ if options.take(&option)? => {}
            _ if run.sampling.take(&option, &mut options)? => {}
            _ if run.keeping.take(&option, &mut options)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    run.check()?;
    if options.stop.is_none() {
        run.keeping.check(has_prompt, run.constraint.is_some())?;
    }
    if escapes {
        run.prompt = Some(unescape(escaped_text(run.prompt.as_deref())?));
    }
    options.finish(|engine| command(Box::new(Run { engine, ..run })))
}

impl Run {
    fn constrain(&mut self, wanted: Wanted) -> Result<(), Failure> {
        match self.constraint.replace(wanted) {
            None => Ok(()),
            Some(_) => Err(Failure::usage("one constraint at a time")),
        }
    }

    /// Refuses options that contradict each other.
    fn check(&self) -> Result<(), Failure> {
        if self.constraint.is_some() && !self.stop.is_empty() {
            return Err(Failure::usage("--stop: the constraint says where the text ends"));
        }
        if self.pretty && !self.constraint.as_ref().is_some_and(Wanted::is_json) {
            return Err(Failure::usage("--pretty: goes with --json or --schema"));
        }
        if self.is_strict && !matches!(self.constraint, Some(Wanted::Schema(_))) {
            return Err(Failure::usage("--strict-schema: goes with --schema"));
        }
        if self.lookup && self.draft.is_some() {
            return Err(Failure::usage("--draft: goes without --lookup"));
        }
        Ok(())
    }
}
