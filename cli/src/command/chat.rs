//! `picolm chat`: a talk with the model in the terminal, or line by line from a pipe.
//!
//! Keys and values of what was said stay in the cache: a turn reads only what is new.

use super::Outcome;
use super::generation::{Finish, Generation};
use crate::args::Run;
use crate::engine;
use crate::line_editor::{LineEditor, Typed};
use crate::platform::console;
use crate::report::{self, Bytes, Failure};
use picolm_core::chat::{Chat, Message, Role};
use std::io::{BufRead, Read};

const HELP: &str = "\
/help          this text
/clear         forget what was said
/system TEXT   forget what was said, and tell the model TEXT (nothing: the default)
/quit          end, as Ctrl-D does
Ctrl-C stops an answer. A line that begins with a space is no command.
Arrow keys move in the line and bring back earlier ones; text may be pasted.
";

/// Talks until the user ends it; a line from a pipe has at most `line_bytes`.
pub(super) fn talk(
    arguments: &Run,
    generation: Generation<'_, '_>,
    chat: Chat<'_>,
    line_bytes: u64,
) -> Result<Outcome, Failure> {
    let system = arguments.conversation.as_ref().and_then(|given| given.system.clone());
    let mut talk = Talk { arguments, generation, chat, system, unread: None };
    let mut keyboard = console::stdin_is_terminal() && console::stderr_is_terminal();
    let mut editor = LineEditor::new("> ");
    if keyboard && !arguments.quiet {
        let context = talk.generation.session.context();
        let form = chat.name();
        report::line(format_args!("chat template {form}, {context} tokens; /help says more"));
    }
    loop {
        let line = match keyboard {
            true => match editor.read() {
                Ok(Typed::Line(line)) => line.into_bytes(),
                Ok(Typed::Cleared) => continue,
                Ok(Typed::End) => return Ok(Outcome::Done),
                Err(_) => {
                    // A terminal that takes no settings still gives lines.
                    keyboard = false;
                    continue;
                }
            },
            false => match next_line(line_bytes)? {
                Some(line) => line,
                None => return Ok(Outcome::Done),
            },
        };
        match talk.line(&line)? {
            Next::Line => {}
            Next::End => return Ok(Outcome::Done),
            // A script that is interrupted wants to end.
            Next::Interrupted if keyboard => {}
            Next::Interrupted => return Ok(Outcome::Interrupted),
        }
    }
}

/// A line of stdin without its end; `None` where there is no more.
fn next_line(line_bytes: u64) -> Result<Option<Vec<u8>>, Failure> {
    let _ends = console::InterruptEnds::begin();
    let mut line = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(line_bytes.saturating_add(1))
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::new(format!("stdin: {error}")))?;
    if read as u64 > line_bytes && line.last() != Some(&b'\n') {
        let most = Bytes(line_bytes);
        return Err(Failure::new(format!("stdin: a line is longer than {most}")));
    }
    while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}

/// What comes after a line.
enum Next {
    Line,
    End,
    Interrupted,
}

/// A conversation in progress.
struct Talk<'r, 'a, 'm> {
    arguments: &'a Run,
    generation: Generation<'r, 'm>,
    chat: Chat<'a>,
    system: Option<Vec<u8>>,
    /// The last token of an answer that was cut short: it is shown and not yet read.
    unread: Option<u32>,
}

impl Talk<'_, '_, '_> {
    /// Does what `line` says: a command, or something to the model.
    fn line(&mut self, line: &[u8]) -> Result<Next, Failure> {
        let Some(command) = line.strip_prefix(b"/") else {
            if line.trim_ascii().is_empty() {
                return Ok(Next::Line);
            }
            return self.say(line);
        };
        let (name, rest) = match command.iter().position(|&byte| byte == b' ') {
            Some(space) => (&command[..space], command[space..].trim_ascii()),
            None => (command, &b""[..]),
        };
        match name {
            b"help" | b"?" => report::line(format_args!("{}", HELP.trim_end())),
            b"quit" | b"exit" | b"bye" => return Ok(Next::End),
            b"clear" => self.begin_anew(),
            b"system" => {
                self.system = (!rest.is_empty()).then(|| rest.to_vec());
                self.begin_anew();
            }
            _ => {
                let name = report::printable(&String::from_utf8_lossy(name));
                report::line(format_args!("no command /{name}: /help lists them"));
            }
        }
        Ok(Next::Line)
    }

    fn begin_anew(&mut self) {
        self.generation.session.rewind(0);
        self.generation.sampler.forget();
        self.unread = None;
    }

    /// Says `text` to the model and shows its answer.
    fn say(&mut self, text: &[u8]) -> Result<Next, Failure> {
        let tokens = self.turn(text)?;
        let session = &self.generation.session;
        let (begun, context) = (session.position(), session.context());
        let (count, left) = (tokens.len(), (context - begun) as usize);
        if count > left {
            report::line(format_args!(
                "that is {count} tokens, and {left} of the context's {context} are left: /clear \
                 forgets what was said, and -c gives more"
            ));
            return Ok(Next::Line);
        }
        if self.generation.prefill(&tokens, self.arguments.quiet)?.is_some() {
            self.generation.session.rewind(begun);
            report::line(format_args!(""));
            return Ok(Next::Interrupted);
        }
        let Run { max_tokens, stop, .. } = self.arguments;
        let (finish, generated) = self.generation.write(*max_tokens, stop)?;
        self.unread = generated.unread;
        if super::write(b"\n")?.is_break() || finish == Finish::Closed {
            return Ok(Next::End);
        }
        match finish {
            Finish::ContextFull => {
                report::line(format_args!("the context of {context} tokens is full: /clear"));
            }
            Finish::MaxTokens if !self.arguments.quiet => {
                report::line(format_args!("(stopped at {max_tokens} tokens: -n gives more)"));
            }
            Finish::Interrupted => return Ok(Next::Interrupted),
            _ => {}
        }
        Ok(Next::Line)
    }

    /// The ids of a turn: what is unread of the last one, and `text` as the user's.
    fn turn(&self, text: &[u8]) -> Result<Vec<u32>, Failure> {
        let goes_on = self.generation.session.position() > 0;
        let user = Message { role: Role::User, text };
        let system = self.system.as_deref().filter(|_| !goes_on);
        let system = system.map(|text| Message { role: Role::System, text });
        let messages: Vec<_> = system.into_iter().chain([user]).collect();
        let mut segments = Vec::new();
        self.chat.render(&messages, goes_on, &mut |segment| segments.push(segment));
        let ids = engine::encode_segments(self.generation.tokenizer, &segments, !goes_on)?;
        Ok(self.unread.into_iter().chain(ids).collect())
    }
}
