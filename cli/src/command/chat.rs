//! `picolm chat`: a conversation in the terminal, or line by line from a pipe.
//!
//! Keys and values of earlier turns stay in the cache: a turn evaluates only its own tokens.

use super::Outcome;
use super::generation::{Finish, Generation};
use crate::args::Run;
use crate::engine::text;
use crate::line_editor::{LineEditor, Typed};
use crate::platform::console;
use crate::report::{self, Bytes, Failure};
use core::sync::atomic::Ordering;
use picolm_core::chat::Chat;
use picolm_core::grammar::Constrain;

const HELP: &str = "\
/help          this text
/clear         forget what was said
/system TEXT   forget what was said, and tell the model TEXT (nothing: the default)
/quit          end, as Ctrl-D does
Ctrl-C stops an answer. A line that begins with a space is no command.
Arrow keys move in the line and bring back earlier ones; text may be pasted.
";

/// Chats until the user ends it. A line from a pipe has at most `line_bytes`.
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
    let mut is_first = true;
    let mut unanswered = 0;
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
                Ok(Typed::End) => return end(unanswered),
                Err(_) => {
                    // A terminal without raw mode can still be read line by line.
                    keyboard = false;
                    continue;
                }
            },
            false => match next_line(line_bytes)? {
                Some(line) if core::mem::take(&mut is_first) => text::without_mark(line),
                Some(line) => line,
                None => return end(unanswered),
            },
        };
        match talk.line(&line)? {
            Next::Line => {}
            Next::Unanswered(why) => {
                report::line(format_args!("{why}"));
                unanswered += u32::from(!keyboard);
            }
            Next::End => return end(unanswered),
            // An interrupted script must end.
            Next::Interrupted if keyboard && !console::is_told_to_end() => {}
            Next::Interrupted => return Ok(Outcome::Interrupted),
        }
    }
}

/// The end of a talk. A script must hear of lines without an answer.
fn end(unanswered: u32) -> Result<Outcome, Failure> {
    match unanswered {
        0 => Ok(Outcome::Done),
        1 => Err(Failure::new("a line has no answer, for want of room")),
        _ => Err(Failure::new(format_args!("{unanswered} lines have no answer, for want of room"))),
    }
}

/// A line of stdin without its end; `None` at the end of the input.
fn next_line(line_bytes: u64) -> Result<Option<Vec<u8>>, Failure> {
    let mut line =
        console::read_line(line_bytes).map_err(|error| Failure::new(format!("stdin: {error}")))?;
    let is_end = line.is_empty();
    if line.len() as u64 > line_bytes && line.last() != Some(&b'\n') {
        let most = Bytes(line_bytes);
        return Err(Failure::new(format!("stdin: a line is longer than {most}")));
    }
    while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        line.pop();
    }
    Ok((!is_end).then_some(line))
}

/// The next step after a line.
enum Next {
    Line,
    /// The line has no answer, for this reason.
    Unanswered(Failure),
    End,
    Interrupted,
}

/// Whether a turn has a place in the context.
enum Room {
    Made,
    None(Failure),
    Interrupted,
}

/// A conversation in progress.
struct Talk<'r, 'a, 'm> {
    arguments: &'a Run,
    generation: Generation<'r, 'm>,
    chat: Chat<'a>,
    system: Option<Vec<u8>>,
    /// The last token of an answer that was cut short: shown, but not evaluated yet.
    unread: Option<u32>,
}

impl Talk<'_, '_, '_> {
    /// Executes a command, or sends a message to the model.
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
        self.generation.forget();
        self.unread = None;
    }

    /// Makes room for a turn of `tokens` tokens and its answer.
    fn make_room(&mut self, tokens: usize) -> Result<Room, Failure> {
        let Generation { session, constraint, interrupted, .. } = &mut self.generation;
        // A constrained answer must fit as a whole, any other with one token.
        let answer = match constraint {
            Some(constraint) => {
                constraint.restart();
                constraint.tokens_to_close()
            }
            None => 1,
        };
        let context = session.context();
        let max_tokens = self.arguments.max_tokens;
        if constraint.is_some() && answer > max_tokens {
            let why = format!("the constraint asks for room for {answer} tokens, and -n allows");
            return Err(Failure::new(format!("{why} {max_tokens}")));
        }
        // The last token of an answer takes no position.
        let needed =
            u32::try_from(tokens).unwrap_or(u32::MAX).saturating_add(answer.saturating_sub(1));
        let mut goes_on = |_| !interrupted.load(Ordering::Relaxed);
        let room = session.make_room_for(needed, &mut goes_on).map_err(Failure::new)?;
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Room::Interrupted);
        }
        if room {
            return Ok(Room::Made);
        }
        let left = context - session.position();
        Ok(Room::None(Failure::new(format_args!(
            "that is {needed} tokens, and {left} of the context's {context} are left: /clear \
             forgets what was said, --shift its oldest part, and -c gives more"
        ))))
    }

    /// Sends `text` to the model and shows its answer.
    fn say(&mut self, text: &[u8]) -> Result<Next, Failure> {
        let turn = self.turn(text)?;
        let tokens: Vec<u32> = self.unread.into_iter().chain(turn.iter().copied()).collect();
        match self.make_room(tokens.len())? {
            Room::Made => {}
            Room::None(why) => return Ok(Next::Unanswered(why)),
            Room::Interrupted => return Ok(self.torn()),
        }
        let begun = self.generation.session.position();
        if self.generation.prefill(&tokens, self.arguments.quiet)?.is_some() {
            self.generation.session.rewind(begun);
            report::line(format_args!(""));
            return Ok(Next::Interrupted);
        }
        // Sampler and drafter have seen the unread token when it was written.
        self.generation.accept(&turn);
        let context = self.generation.session.context();
        let Run { max_tokens, stop, .. } = self.arguments;
        let (finish, generated) = self.generation.write(*max_tokens, stop)?;
        self.unread = generated.unread;
        if super::write(b"\n")?.is_break() || finish == Finish::Closed {
            return Ok(Next::End);
        }
        match finish {
            Finish::ContextFull => {
                report::line(format_args!(
                    "the context of {context} tokens is full: /clear, or begin with --shift"
                ));
            }
            Finish::MaxTokens if !self.arguments.quiet => {
                report::line(format_args!("(stopped at {max_tokens} tokens: -n gives more)"));
            }
            Finish::InterruptedInShift => return Ok(self.torn()),
            Finish::Interrupted => return Ok(Next::Interrupted),
            _ => {}
        }
        Ok(Next::Line)
    }

    /// Begins anew after an interrupted shift: the conversation has lost its end.
    fn torn(&mut self) -> Next {
        self.begin_anew();
        report::line(format_args!("interrupted while making room: what was said is forgotten"));
        Next::Interrupted
    }

    /// The ids of a turn with the user's `text`.
    fn turn(&self, text: &[u8]) -> Result<Vec<u32>, Failure> {
        let goes_on = self.generation.session.position() > 0;
        let system = self.system.as_deref().filter(|_| !goes_on);
        text::encode_turn(self.generation.tokenizer, self.chat, system, text, goes_on)
    }
}
